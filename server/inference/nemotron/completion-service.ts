import { OutOfMemoryError } from '#lib/chaos/gpu/gpu-error.ts';
import type { GpuHost } from '../gpu-host.ts';
import { InferenceError } from '../inference-error.ts';
import { MODELS } from '../inference-profile.ts';
import { completionText, countTokens } from './completion-text.ts';
import { SlotPool } from './slot-pool.ts';

export interface CompletionRequest {
  prompt: string;
  max_tokens: number;
  stop: readonly string[];
}

export interface Completion {
  readonly content: string;
  readonly device: 'cuda' | 'cpu';
  readonly promptTokens: number;
  readonly tokens: number;
  readonly truncated: boolean;
  readonly kernelMs: number;
  readonly faultId: string | undefined;
}

/** Tokens generated before others get the card: what keeps detections from waiting for a whole text. */
const SLICE_TOKENS = 5;

/**
 * Nemotron's work: a slot, memory for the key-value cache of prompt and answer, then the tokens, a few at a time.
 */
export class CompletionService {
  readonly #host: GpuHost;
  readonly #slots = new SlotPool(MODELS.nemotron.slots);
  readonly #onInference: () => void;

  constructor(host: GpuHost, onInference: () => void = () => {}) {
    this.#host = host;
    this.#onInference = onInference;
  }

  /** @throws {InferenceError}; the signal's reason when the caller is gone */
  async complete(request: CompletionRequest, signal?: AbortSignal): Promise<Completion> {
    const { prompt, max_tokens: maxTokens, stop } = request;
    const release = await this.#slots.take(signal);
    try {
      const text = completionText(prompt, maxTokens, stop);
      const promptTokens = countTokens(prompt);
      const { baseMs, tokenMs, tokenMib } = MODELS.nemotron;
      const call = { kind: 'completion', route: '/completion', signal } as const;
      const inferred = await this.#host.infer('nemotron', call, async (execution) => {
        const generate = () =>
          execution.withMemory((promptTokens + maxTokens) * tokenMib, async () => {
            await execution.run(baseMs);
            for (let left = text.tokens; left > 0; left -= SLICE_TOKENS) {
              signal?.throwIfAborted();
              await execution.run(Math.min(left, SLICE_TOKENS) * tokenMs);
            }
          });
        try {
          await generate();
        } catch (error) {
          if (!(error instanceof OutOfMemoryError)) throw error;
          this.#host.countOutOfMemory();
          this.#host.emptyCaches();
          await generate();
        }
      });
      this.#onInference();
      const { device, kernelMs, faultId } = inferred;
      return { ...text, promptTokens, device, kernelMs, faultId };
    } finally {
      release();
    }
  }
}

/** Fields of a request body, completed. @throws {InferenceError} INVALID_INPUT naming the field */
export function readCompletionRequest(body: unknown): CompletionRequest {
  if (typeof body !== 'object' || body === null) throw invalid('the body to be a JSON object', body);
  const {
    prompt,
    max_tokens: maxTokens = 100,
    n_predict: predict,
    stop = [],
    temperature,
    top_p: topP,
  } = body as Record<string, unknown>;
  if (typeof prompt !== 'string' || prompt === '') throw invalid('prompt to be a text', prompt);
  const tokens = predict ?? maxTokens;
  if (typeof tokens !== 'number' || !Number.isInteger(tokens) || tokens < 1 || tokens > 4096) {
    throw invalid('max_tokens to be a whole number from 1 to 4096', tokens);
  }
  const stops = typeof stop === 'string' ? [stop] : stop;
  if (!Array.isArray(stops) || !stops.every((each) => typeof each === 'string')) {
    throw invalid('stop to be a list of texts', stop);
  }
  inRange('temperature', temperature, 2);
  inRange('top_p', topP, 1);
  return { prompt, max_tokens: tokens, stop: stops };
}

/** Checked, though the stand-in's answers do not depend on them. */
function inRange(name: string, value: unknown, max: number): void {
  if (value === undefined) return;
  if (typeof value !== 'number' || !(value >= 0 && value <= max))
    throw invalid(`${name} to be from 0 to ${max}`, value);
}

function invalid(expected: string, value: unknown): InferenceError {
  const got = (JSON.stringify(value) ?? 'nothing').slice(0, 200);
  return new InferenceError('INVALID_INPUT', `Expected ${expected}, got ${got}`, { status: 400 });
}
