import type { Detection } from '../contracts.ts';

export interface PromptFrame {
  /** Epoch ms. */
  at: number;
  detections: readonly Detection[];
  degraded: boolean;
}

/** Objects weigh this much towards a score that is estimated without the model, 0–100. */
const OBJECT_WEIGHTS: Readonly<Record<string, number>> = {
  person: 60,
  truck: 55,
  car: 50,
  motorcycle: 45,
  bicycle: 30,
  dog: 25,
  cat: 20,
  bird: 10,
};

/** Most frames spelled out in the prompt; the others are only counted. */
const MAX_FRAMES = 20;

/** What the model is asked about the frames of one event. */
export function analysisPrompt(camera: string, frames: readonly PromptFrame[]): string {
  const counts = new Map<string, number>();
  for (const { detections } of frames) {
    for (const { class: name } of detections) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const objects = [...counts].map(([name, count]) => `${count} × ${name}`).join(', ') || 'none';
  const lines = frames.slice(0, MAX_FRAMES).map(({ at, detections, degraded }) => {
    const seen = detections
      .map(({ class: name, confidence, bbox }) => {
        const [x, y, width, height] = [bbox.x, bbox.y, bbox.width, bbox.height].map(Math.round);
        return `${name} ${confidence.toFixed(2)} at ${x},${y} size ${width}x${height}`;
      })
      .join('; ');
    return `- ${new Date(at).toISOString()}: ${degraded ? 'detector not available' : seen || 'nothing moving'}`;
  });
  return [
    'You judge the risk of what a security camera saw.',
    `Camera: ${camera}`,
    `Frames: ${frames.length}`,
    `Objects: ${objects}`,
    'Observations:',
    ...lines,
    'Answer with one JSON object and nothing else:',
    '{"risk_score": 0-100, "risk_level": "low|medium|high|critical", "summary": "one sentence", "reasoning": "why"}',
  ].join('\n');
}

/** The mean weight of the objects seen; undefined when none of them has a weight. */
export function estimateScore(frames: readonly PromptFrame[]): number | undefined {
  const weights = frames
    .flatMap(({ detections }) => detections.map(({ class: name }) => OBJECT_WEIGHTS[name]))
    .filter((weight) => weight !== undefined);
  if (weights.length === 0) return undefined;
  return Math.round(weights.reduce((sum, weight) => sum + weight, 0) / weights.length);
}
