import { assessRisk, hashOf } from './risk-assessment.ts';

/** Characters a token, roughly, in English and JSON. */
const TOKEN_CHARS = 4;

export interface CompletionText {
  readonly content: string;
  /** Generated. */
  readonly tokens: number;
  /** Cut off by the token limit. */
  readonly truncated: boolean;
}

export function countTokens(text: string): number {
  return Math.max(1, Math.ceil(text.length / TOKEN_CHARS));
}

/**
 * The model's text for a prompt: a JSON object with the risk, which comes first in it so that it survives being cut;
 * one in four after a think block, one in four after a preamble, as such models do.
 */
export function completionText(prompt: string, maxTokens: number, stop: readonly string[]): CompletionText {
  const { score, level, summary, reasoning } = assessRisk(prompt);
  const json = JSON.stringify({ risk_score: score, risk_level: level, summary, reasoning });
  const style = hashOf(`style ${prompt}`) % 4;
  let full = json;
  if (style === 0) full = `<think>${reasoning.slice(0, 60)}</think>\n${json}`;
  if (style === 1) full = `Here is the assessment:\n${json}`;
  for (const end of stop) {
    const at = end === '' ? -1 : full.indexOf(end);
    if (at !== -1) full = full.slice(0, at);
  }
  const content = full.slice(0, maxTokens * TOKEN_CHARS);
  return { content, tokens: countTokens(content), truncated: content.length < full.length };
}
