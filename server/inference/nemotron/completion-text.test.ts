import { describe, expect, it } from 'vitest';
import { analysisPrompt } from '../../pipeline/work/analysis-prompt.ts';
import { completionText } from './completion-text.ts';
import { assessRisk } from './risk-assessment.ts';

function prompt({ camera = 'courtyard', people = 1, cars = 0, at = '2026-01-01T12:00:00Z' } = {}): string {
  const box = { x: 1, y: 2, width: 30, height: 80 };
  const detections = [
    ...Array.from({ length: people }, () => ({ class: 'person', confidence: 0.9, bbox: box })),
    ...Array.from({ length: cars }, () => ({ class: 'car', confidence: 0.9, bbox: box })),
  ];
  return analysisPrompt(camera, [{ at: Date.parse(at), detections, degraded: false }]);
}

describe('assessRisk', () => {
  it('gives the same answer to the same prompt', () => {
    expect(assessRisk(prompt())).toEqual(assessRisk(prompt()));
  });

  it('rises with people, night and entrances, and is low without objects', () => {
    const calm = assessRisk(prompt({ people: 0 })).score;
    const one = assessRisk(prompt()).score;
    const crowd = assessRisk(prompt({ people: 6 })).score;
    const night = assessRisk(prompt({ at: '2026-01-01T23:30:00Z' })).score;
    const door = assessRisk(prompt({ camera: 'back-door' })).score;
    expect(calm).toBeLessThan(15);
    expect(one).toBeGreaterThan(calm + 20);
    expect(crowd).toBeGreaterThan(one + 3);
    expect(night).toBeGreaterThan(one + 10);
    expect(door).toBeGreaterThan(one + 3);
  });

  it('reads counts in other wordings, and no objects out of the instructions', () => {
    expect(assessRisk('persons: 3, car: 1').summary).toContain('3 × person, 1 × car');
    expect(assessRisk('we saw 2 persons').summary).toContain('2 × person');
    expect(assessRisk('a person near a person').summary).toContain('2 × person');
    expect(assessRisk('Camera: x\nAnswer whether a person or a truck is there').score).toBeLessThan(15);
  });

  it('keeps score and level together', () => {
    for (let people = 0; people < 12; people++) {
      const { score, level } = assessRisk(prompt({ people, at: '2026-01-01T23:30:00Z', camera: 'gate' }));
      const expected = score >= 85 ? 'critical' : score >= 60 ? 'high' : score >= 30 ? 'medium' : 'low';
      expect(level).toBe(expected);
      expect(score).toBeGreaterThanOrEqual(0);
      expect(score).toBeLessThanOrEqual(100);
    }
  });
});

describe('completionText', () => {
  it('holds one JSON object, at times after a think block or a preamble', () => {
    const styles = new Set<string>();
    for (let people = 0; people < 40; people++) {
      const { content, truncated } = completionText(prompt({ people }), 400, []);
      expect(truncated).toBe(false);
      styles.add(content.startsWith('<think>') ? 'think' : content.startsWith('{') ? 'plain' : 'preamble');
      const json = JSON.parse(content.slice(content.lastIndexOf('\n') + 1));
      expect(Object.keys(json)).toEqual(['risk_score', 'risk_level', 'summary', 'reasoning']);
    }
    expect([...styles].sort()).toEqual(['plain', 'preamble', 'think']);
  });

  it('ends at a stop text and at the token limit', () => {
    const whole = completionText(prompt(), 400, []).content;
    expect(completionText(prompt(), 400, ['"summary"']).content).toBe(
      whole.slice(0, whole.indexOf('"summary"')),
    );
    const cut = completionText(prompt(), 8, []);
    expect(cut).toMatchObject({ tokens: 8, truncated: true });
    expect(whole.startsWith(cut.content)).toBe(true);
  });

  it('fits the score of the pipeline prompt into the 100 tokens it asks for', () => {
    for (let people = 0; people < 40; people++) {
      expect(completionText(prompt({ people, cars: 2 }), 100, []).content).toContain('"risk_score":');
    }
  });
});
