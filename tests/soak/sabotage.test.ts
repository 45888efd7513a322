import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SCENARIOS } from '#tests/chaos/scenarios.ts';
import { recordProof } from '#tests/support/proof.ts';
import { runNode } from '#tests/support/run-script.ts';
import { ROOT } from '#tests/support/system.ts';

const SEED = 20_261_122;

describe('sabotage', () => {
  it('of each behaviour is noticed by its scenario', { timeout: 3 * 3600_000 }, async () => {
    const { exitCode, ms } = await runNode(['scripts/sabotage.ts', '--seed', String(SEED)], {
      UNTIL_SCALE: '0.6', // most sabotages show by a wait that is in vain
    });
    const report = JSON.parse(readFileSync(join(ROOT, 'reports', 'sabotage.json'), 'utf8')) as {
      red: number;
      outcomes: { id: string; verdict: string }[];
    };
    recordProof('sabotage', 'all', { ms, ...report });
    expect(report.outcomes.filter(({ verdict }) => verdict !== 'red')).toEqual([]);
    expect(report.red).toBe(Object.values(SCENARIOS).flatMap((names) => Object.keys(names)).length);
    expect(exitCode).toBe(0);
  });
});
