import type { RiskLevel } from '../contracts.ts';

/** What the language model said about a batch, checked and put right. */
export interface AnalysisAnswer {
  /** 0–100, a whole number. */
  riskScore: number;
  /** Follows from the score, whatever the model said. */
  riskLevel: RiskLevel;
  summary: string;
  reasoning: string;
}

/** low 0–29, medium 30–59, high 60–84, critical 85–100. */
export function riskLevelOf(score: number): RiskLevel {
  if (score >= 85) return 'critical';
  if (score >= 60) return 'high';
  return score >= 30 ? 'medium' : 'low';
}

/** What is looked at of a model's text; it is asked for a few hundred characters. */
const MAX_CONTENT_CHARS = 256 * 1024;
/** Objects in it that are tried. */
const MAX_OBJECTS = 100;

/**
 * Reads the model's text: perhaps a think block, a preamble, a code fence, then a JSON object that may be cut off.
 *
 * A score out of range is clamped. Undefined when no score survived: the text is malformed.
 */
export function parseAnalysis(content: string): AnalysisAnswer | undefined {
  const spoken = withoutThinking(content.slice(0, MAX_CONTENT_CHARS));
  let tried = 0;
  for (const candidate of objectsIn(spoken)) {
    if (tried++ === MAX_OBJECTS) break;
    const parsed = parseLoosely(candidate);
    const score = parsed === undefined ? undefined : scoreOf(parsed['risk_score']);
    if (parsed === undefined || score === undefined) continue;
    const riskScore = Math.round(Math.min(100, Math.max(0, score)));
    return {
      riskScore,
      riskLevel: riskLevelOf(riskScore),
      summary: textOf(parsed['summary']),
      reasoning: textOf(parsed['reasoning']),
    };
  }
  return undefined;
}

/** Without `<think>…</think>`; a block that is never closed takes the rest with it. */
function withoutThinking(content: string): string {
  let spoken = '';
  let from = 0;
  let thinks = false;
  for (const { 0: tag, index } of content.matchAll(/<\/?think>/gi)) {
    if (tag.startsWith('</')) {
      if (!thinks) spoken = ''; // its beginning was not sent
      thinks = false;
      from = index + tag.length;
    } else if (!thinks) {
      spoken += content.slice(from, index);
      thinks = true;
    }
  }
  return thinks ? spoken : spoken + content.slice(from);
}

/** The texts of the outermost objects, in order; the last may be cut off. */
function* objectsIn(text: string): Generator<string> {
  let depth = 0;
  let start = -1;
  let inString = false;
  for (let index = 0; index < text.length; index++) {
    const char = text[index];
    if (inString) {
      if (char === '\\') index++;
      else if (char === '"') inString = false;
    } else if (depth > 0 && char === '"') inString = true;
    else if (char === '{') {
      if (depth++ === 0) start = index;
    } else if (char === '}' && depth > 0 && --depth === 0) {
      yield text.slice(start, index + 1);
    }
  }
  if (depth > 0) yield text.slice(start);
}

function parseLoosely(text: string): Record<string, unknown> | undefined {
  return parseObject(text) ?? parseObject(repaired(text));
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** A cut-off object, closed: an open string is ended, what cannot stand at the end is taken away. */
function repaired(text: string): string {
  const closers: string[] = [];
  let inString = false;
  let end = text.length;
  for (let index = 0; index < text.length; index++) {
    const char = text[index];
    if (inString) {
      if (char === '\\') {
        if (index === text.length - 1) end = index; // half an escape
        index++;
      } else if (char === '"') inString = false;
    } else if (char === '"') inString = true;
    else if (char === '{') closers.push('}');
    else if (char === '[') closers.push(']');
    else if (char === '}' || char === ']') closers.pop();
  }
  let body = text.slice(0, end) + (inString ? '"' : '');
  body = withoutLoneKey(body)
    .replace(/:\s*(t|tr|tru|f|fa|fal|fals|n|nu|nul)$/, ': null')
    .replace(/(\d)\.$/, '$1')
    .replace(/[,:]\s*$/, '');
  return body + closers.reverse().join('');
}

/** Takes a key without its value away from the end. A string there is a key when it follows a comma or a brace. */
function withoutLoneKey(body: string): string {
  const trimmed = body.trimEnd();
  const hasColon = trimmed.endsWith(':');
  const text = hasColon ? trimmed.slice(0, -1).trimEnd() : trimmed;
  if (text.length < 2 || !text.endsWith('"')) return body;
  const open = text.lastIndexOf('"', text.length - 2);
  if (open === -1) return body;
  const before = text.slice(0, open).trimEnd();
  if (before.endsWith(',')) return before.slice(0, -1);
  return hasColon || before.endsWith('{') ? before : body;
}

function scoreOf(value: unknown): number | undefined {
  const score = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof score === 'number' && Number.isFinite(score) ? score : undefined;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, 4000) : '';
}
