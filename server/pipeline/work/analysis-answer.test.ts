import { describe, expect, it } from 'vitest';
import { parseAnalysis, riskLevelOf } from './analysis-answer.ts';

const ANSWER = { risk_score: 72, risk_level: 'high', summary: 'two persons', reasoning: 'at night' };
const JSON_TEXT = JSON.stringify(ANSWER);
const READ = { riskScore: 72, riskLevel: 'high', summary: 'two persons', reasoning: 'at night' };

describe('parseAnalysis', () => {
  it.each([
    ['plain JSON', JSON_TEXT],
    ['a think block before', `<think>Is {"risk_score": 5} right? No.</think>\n${JSON_TEXT}`],
    ['a think block without its beginning', `hm {"risk_score": 5}</think>${JSON_TEXT}`],
    ['a preamble', `Here is the assessment {as asked}:\n${JSON_TEXT}`],
    ['a code fence', `\`\`\`json\n${JSON_TEXT}\n\`\`\``],
    ['text after', `${JSON_TEXT}\nAnything else?`],
  ])('reads %s', (_, content) => {
    expect(parseAnalysis(content)).toEqual(READ);
  });

  it('keeps the score of an answer that was cut off anywhere after it', () => {
    const scoreEnd = JSON_TEXT.indexOf(',');
    for (let end = scoreEnd + 1; end < JSON_TEXT.length; end++) {
      expect(parseAnalysis(JSON_TEXT.slice(0, end)), JSON_TEXT.slice(0, end)).toMatchObject({
        riskScore: 72,
        riskLevel: 'high',
      });
    }
  });

  it('keeps what was said of a cut-off summary', () => {
    expect(parseAnalysis('{"risk_score": 40, "summary": "a car at the g')).toMatchObject({
      summary: 'a car at the g',
    });
  });

  it.each([
    ['{"risk_score": 250}', 100],
    ['{"risk_score": -3}', 0],
    ['{"risk_score": 41.6}', 42],
    ['{"risk_score": "55"}', 55],
  ])('clamps and rounds %s to %i', (content, score) => {
    expect(parseAnalysis(content)?.riskScore).toBe(score);
  });

  it('corrects the level from the score', () => {
    expect(parseAnalysis('{"risk_score": 90, "risk_level": "low"}')?.riskLevel).toBe('critical');
  });

  it.each([
    ['no JSON', 'I cannot say.'],
    ['no score', '{"summary": "a dog"}'],
    ['a score that is no number', '{"risk_score": "high"}'],
    ['an unfinished think block', `<think>${JSON_TEXT}`],
    ['an array', '[72]'],
    ['nothing', ''],
  ])('gives up on %s', (_, content) => {
    expect(parseAnalysis(content)).toBeUndefined();
  });
});

describe('riskLevelOf', () => {
  it.each([
    [0, 'low'],
    [29, 'low'],
    [30, 'medium'],
    [59, 'medium'],
    [60, 'high'],
    [84, 'high'],
    [85, 'critical'],
    [100, 'critical'],
  ] as const)('calls %i %s', (score, level) => {
    expect(riskLevelOf(score)).toBe(level);
  });
});
