import { describe, expect, it } from 'vitest';
import type { Detection } from '../contracts.ts';
import { analysisPrompt, estimateScore } from './analysis-prompt.ts';
import { defaultAssessment } from './assessment.ts';

const seen = (...names: string[]): Detection[] =>
  names.map((name) => ({ class: name, confidence: 0.9, bbox: { x: 1, y: 2, width: 3, height: 4 } }));
const frame = (...names: string[]) => ({
  at: Date.UTC(2026, 0, 2, 3, 4),
  detections: seen(...names),
  degraded: false,
});

describe('defaultAssessment', () => {
  it("takes this camera's last score first", async () => {
    const cache = { lastScore: async () => 77 };
    expect(await defaultAssessment(cache, 'cam-01', [frame('person')], 'timed out')).toMatchObject({
      riskScore: 77,
      riskLevel: 'high',
      riskSource: 'cache',
      owed: true,
    });
  });

  it('then weighs the objects, then says 50', async () => {
    const cache = { lastScore: async () => undefined };
    expect(await defaultAssessment(cache, 'c', [frame('person', 'bird')], 'x')).toMatchObject({
      riskScore: 35,
      riskSource: 'object_estimate',
    });
    expect(await defaultAssessment(cache, 'c', [frame()], 'x')).toMatchObject({
      riskScore: 50,
      riskSource: 'default',
    });
  });
});

describe('estimateScore', () => {
  it('is the mean weight of what has one', () => {
    expect(estimateScore([frame('truck', 'car'), frame('unicorn')])).toBe(53);
    expect(estimateScore([frame('unicorn')])).toBeUndefined();
  });
});

describe('analysisPrompt', () => {
  it('tells camera, times, objects and missing frames', () => {
    const blind = { at: 0, detections: [], degraded: true };
    const prompt = analysisPrompt('gate', [frame('person', 'person', 'car'), frame(), blind]);
    expect(prompt).toContain('Camera: gate');
    expect(prompt).toContain('Frames: 3');
    expect(prompt).toContain('2 × person, 1 × car');
    expect(prompt).toContain('2026-01-02T03:04:00.000Z: person 0.90 at 1,2 size 3x4');
    expect(prompt).toContain('nothing moving');
    expect(prompt).toContain('detector not available');
  });
});
