import type { DependencyAddress } from '#server/dependency-addresses.ts';
import { type AnalysisAnswer, parseAnalysis } from './analysis-answer.ts';
import { HttpStatusError, httpCall, MalformedAnswerError } from './http-call.ts';

export interface LanguageModelOptions extends DependencyAddress {
  connectMs: number;
  /** Longest answer, tokens; what is cut off there is repaired where its score survived. @default 100 */
  maxTokens?: number;
}

/** Client of llama.cpp's `POST /completion`. It knows nothing of breakers and retries. */
export class LanguageModel {
  readonly #options: LanguageModelOptions;

  constructor(options: LanguageModelOptions) {
    this.#options = options;
  }

  /**
   * @throws {HttpTimeoutError} after `timeoutMs`
   * @throws {HttpStatusError} for a status from 400, {MalformedAnswerError} when no score can be read, socket errors
   */
  async analyse(prompt: string, timeoutMs: number, traceId: string): Promise<AnalysisAnswer> {
    const what = 'POST /completion';
    const { maxTokens = 100 } = this.#options;
    const body = Buffer.from(
      JSON.stringify({ prompt, temperature: 0.2, top_p: 0.9, max_tokens: maxTokens, stop: ['</answer>'] }),
    );
    const answer = await httpCall({
      ...this.#options,
      method: 'POST',
      path: '/completion',
      headers: { 'content-type': 'application/json', 'x-trace-id': traceId },
      body,
      timeoutMs,
    });
    if (answer.status >= 400) throw new HttpStatusError(what, answer);
    const content = contentOf(answer.body);
    const analysis = content === undefined ? undefined : parseAnalysis(content);
    if (!analysis) throw new MalformedAnswerError(what, answer);
    return analysis;
  }
}

function contentOf(body: string): string | undefined {
  try {
    const value: unknown = JSON.parse(body);
    const content = (value as { content?: unknown } | null)?.content;
    return typeof content === 'string' ? content : undefined;
  } catch {
    return undefined;
  }
}
