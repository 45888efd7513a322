export type MalformMode = 'not_json' | 'empty' | 'truncated' | 'missing_score' | 'score_out_of_range';

/** Fields that clients read as a score. */
const SCORES = new Set(['risk_score', 'riskscore', 'score', 'confidence']);
/** Out of any range in use: risk is 0–100, confidence 0–1. */
const ABSURD_SCORE = 1000;

/** Spoils a response body. What holds no score to spoil is emptied, so that every hit is one that a client notices. */
export function malform(body: Buffer, mode: MalformMode): Buffer {
  switch (mode) {
    case 'not_json':
      return Buffer.from('<html><body>Bad answer</body></html>\n');
    case 'empty':
      return Buffer.alloc(0);
    case 'truncated':
      return body.subarray(0, Math.floor(body.length / 2));
    case 'missing_score':
      return withScores(body, undefined) ?? Buffer.from('{}');
    case 'score_out_of_range':
      return withScores(body, ABSURD_SCORE) ?? Buffer.from(`{"score":${ABSURD_SCORE}}`);
  }
}

/** The JSON body with every score replaced or left out; undefined when it is no JSON that can be read or has none. */
function withScores(body: Buffer, score: number | undefined): Buffer | undefined {
  const found = { count: 0 };
  try {
    const spoilt = replaceScores(JSON.parse(body.toString()), score, found);
    return found.count > 0 ? Buffer.from(JSON.stringify(spoilt)) : undefined;
  } catch {
    return undefined; // not JSON, or nested more deeply than the stack is
  }
}

function replaceScores(value: unknown, score: number | undefined, found: { count: number }): unknown {
  if (typeof value === 'string') return replaceInText(value, score, found);
  if (Array.isArray(value)) return value.map((each) => replaceScores(each, score, found));
  if (typeof value !== 'object' || value === null) return value;
  const entries: [string, unknown][] = [];
  for (const [key, each] of Object.entries(value)) {
    if (!SCORES.has(key.toLowerCase()) || typeof each === 'object') {
      entries.push([key, replaceScores(each, score, found)]);
      continue;
    }
    found.count++;
    if (score !== undefined) entries.push([key, score]);
  }
  return Object.fromEntries(entries);
}

/** A language model answers with JSON inside a text, perhaps after a preamble. */
function replaceInText(text: string, score: number | undefined, found: { count: number }): string {
  return text.replace(
    /"(risk_score|riskScore|score|confidence)"\s*:\s*-?[0-9.]+\s*,?/g,
    (match, key: string) => {
      found.count++;
      if (score === undefined) return '';
      return `"${key}": ${score}${match.endsWith(',') ? ',' : ''}`;
    },
  );
}
