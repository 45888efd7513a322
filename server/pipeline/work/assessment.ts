import type { Cache } from '../contracts.ts';
import { riskLevelOf } from './analysis-answer.ts';
import { estimateScore, type PromptFrame } from './analysis-prompt.ts';
import type { Assessment } from './event-rows.ts';

/** Score when nothing at all is known. */
const DEFAULT_SCORE = 50;

/**
 * What an event is given while the language model cannot judge it, marked by its source: this camera's last score,
 * else what the objects weigh, else 50.
 */
export async function defaultAssessment(
  cache: Pick<Cache, 'lastScore'>,
  camera: string,
  frames: readonly PromptFrame[],
  why: string,
): Promise<Assessment> {
  const marked = (riskScore: number, riskSource: 'cache' | 'object_estimate' | 'default', how: string) => ({
    riskScore,
    riskLevel: riskLevelOf(riskScore),
    riskSource,
    summary: `Not analysed yet: ${how}`,
    reasoning: `The language model gave no answer (${why}). The score is ${how} and will be replaced.`,
    owed: true,
  });
  const last = await cache.lastScore(camera);
  if (last !== undefined) return marked(last, 'cache', "this camera's last score");
  const estimate = estimateScore(frames);
  if (estimate !== undefined) return marked(estimate, 'object_estimate', 'an estimate from the objects seen');
  return marked(DEFAULT_SCORE, 'default', 'a default');
}
