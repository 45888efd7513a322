import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { recordProof } from '#tests/support/proof.ts';
import { runNode } from '#tests/support/run-script.ts';
import { ROOT } from '#tests/support/system.ts';

const RUNS = 10;

interface SuiteReport {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  testResults: { assertionResults: { fullName: string; status: string; failureMessages: string[] }[] }[];
}

describe('the ten chaos suites', () => {
  it(`are green ${RUNS} times in a row`, { timeout: 3 * 3600_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'brownout-runs-'));
    const file = join(folder, 'report.json');
    const runs: { seconds: number; passed: number; failed: string[]; skipped: number }[] = [];
    for (let run = 0; run < RUNS; run++) {
      const { ms } = await runNode([
        join(ROOT, 'node_modules', 'vitest', 'vitest.mjs'),
        'run',
        '--project=chaos',
        '--reporter=json',
        `--outputFile=${file}`,
      ]);
      const report = JSON.parse(readFileSync(file, 'utf8')) as SuiteReport;
      const failed = report.testResults
        .flatMap(({ assertionResults }) => assertionResults)
        .flatMap(({ status, fullName, failureMessages }) =>
          status === 'failed' ? [`${fullName}: ${failureMessages.join('\n').slice(0, 2000)}`] : [],
        );
      const seconds = Math.round(ms / 1000);
      runs.push({ seconds, passed: report.numPassedTests, failed, skipped: report.numPendingTests });
      console.log(`run ${run + 1} of ${RUNS}: ${report.numPassedTests} green in ${seconds} s`, ...failed);
    }
    rmSync(folder, { recursive: true });
    recordProof('chaos-runs', 'tenInARow', { runs });
    expect(runs.flatMap(({ failed }) => failed)).toEqual([]);
    expect(new Set(runs.map(({ passed, skipped }) => `${passed} green, ${skipped} skipped`))).toEqual(
      new Set(['169 green, 0 skipped']),
    );
  });
});
