/** What the stand-in concludes from a prompt. */
export interface RiskAssessment {
  /** 0–100. */
  readonly score: number;
  readonly level: 'low' | 'medium' | 'high' | 'critical';
  readonly summary: string;
  readonly reasoning: string;
}

/** How much each class alone weighs, 0–100. */
const WEIGHTS: Readonly<Record<string, number>> = {
  person: 42,
  truck: 38,
  car: 32,
  motorcycle: 32,
  bicycle: 20,
  dog: 14,
  cat: 8,
  bird: 4,
};

interface Observation {
  readonly counts: ReadonlyMap<string, number>;
  readonly frames: number;
  readonly camera: string;
  /** 0–23, UTC; undefined when the prompt names no time. */
  readonly hour: number | undefined;
  readonly blindFrames: number;
}

/**
 * A risk score from what the prompt says: objects, how many at once, where and when. A stated rule, not a language
 * model; the same prompt always gives the same answer.
 */
export function assessRisk(prompt: string): RiskAssessment {
  const seen = read(prompt);
  const reasons: string[] = [];
  const score = scoreOf(seen, reasons) + (hashOf(prompt) % 5) - 2;
  const clamped = Math.round(Math.min(100, Math.max(0, score)));
  const what = [...seen.counts].map(([name, count]) => `${count} × ${name}`).join(', ');
  return {
    score: clamped,
    level: levelOf(clamped),
    summary: what ? `${what} seen by ${seen.camera}` : `Nothing of note at ${seen.camera}`,
    reasoning: reasons.join('; ') || 'no objects reported',
  };
}

/** low 0–29, medium 30–59, high 60–84, critical 85–100. */
function levelOf(score: number): RiskAssessment['level'] {
  if (score >= 85) return 'critical';
  if (score >= 60) return 'high';
  return score >= 30 ? 'medium' : 'low';
}

function scoreOf({ counts, frames, camera, hour, blindFrames }: Observation, reasons: string[]): number {
  let score = 6;
  let heaviest: string | undefined;
  for (const name of counts.keys()) {
    if (heaviest === undefined || (WEIGHTS[name] ?? 0) > (WEIGHTS[heaviest] ?? 0)) heaviest = name;
  }
  if (heaviest !== undefined) {
    score = WEIGHTS[heaviest] ?? 0;
    const atOnce = (counts.get(heaviest) ?? 0) / Math.max(1, frames);
    score += Math.min(18, 6 * Math.log2(1 + atOnce));
    reasons.push(`${heaviest}, about ${Math.max(1, Math.round(atOnce))} at once`);
    if (frames >= 5) {
      score += 5;
      reasons.push(`stays for ${frames} frames`);
    }
    if (hour !== undefined && (hour >= 22 || hour < 5)) {
      score += 22;
      reasons.push('at night');
    }
    if (/door|gate|entrance|entry|garage|back|dock/i.test(camera)) {
      score += 10;
      reasons.push('near an entrance');
    }
  }
  if (blindFrames > 0) {
    score += 5;
    reasons.push(`${blindFrames} frames without detector`);
  }
  return score;
}

function read(prompt: string): Observation {
  // What comes after the data is instruction, not observation.
  const data = prompt.split(/^answer\b/im)[0] ?? prompt;
  const counts = new Map<string, number>();
  for (const name of Object.keys(WEIGHTS)) {
    const count = countOf(data, name);
    if (count > 0) counts.set(name, count);
  }
  const hour = /T(\d{2}):\d{2}/.exec(data)?.[1] ?? /\b([01]?\d|2[0-3]):[0-5]\d\b/.exec(data)?.[1];
  return {
    counts,
    frames: Number(/frames?\s*[:=]\s*(\d+)/i.exec(data)?.[1] ?? 1),
    camera: (/camera\s*[:=]\s*(\S+)/i.exec(data)?.[1] ?? 'the camera').slice(0, 40),
    hour: hour === undefined ? undefined : Number(hour),
    blindFrames: data.match(/detector not available/gi)?.length ?? 0,
  };
}

/** "3 × person", "3 persons", "person: 3"; otherwise how often the word stands there. */
function countOf(text: string, name: string): number {
  const before = new RegExp(String.raw`(\d+)\s*[×x]?\s*${name}s?\b`, 'i').exec(text)?.[1];
  const after = new RegExp(String.raw`\b${name}s?\s*[:=×x]\s*(\d+)\b`, 'i').exec(text)?.[1];
  const stated = before ?? after;
  if (stated !== undefined) return Math.min(10_000, Number(stated));
  return text.match(new RegExp(String.raw`\b${name}s?\b`, 'gi'))?.length ?? 0;
}

/** FNV-1a, 32 bit: the small differences between prompts that the rule does not see. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash >>> 0;
}
