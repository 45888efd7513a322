import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { BenchReport } from './measure.ts';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));

describe('npm run bench', () => {
  it('measures, prints and writes what it measured', { timeout: 60_000 }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'brownout-bench-'));
    const file = join(folder, 'report.json');
    const printed = execFileSync(process.execPath, [MAIN, 'policies', 'proxy', '--smoke', '--json', file], {
      encoding: 'utf8',
    });
    const { reports } = JSON.parse(readFileSync(file, 'utf8')) as { reports: BenchReport[] };
    rmSync(folder, { recursive: true });
    expect(reports.map((report) => report.part)).toEqual(['policies', 'proxy']);
    for (const { measurements } of reports) {
      for (const { name, median } of measurements) {
        // A process may have had the memory already.
        if (!name.endsWith('RSS')) expect(median, name).toBeGreaterThan(0);
        expect(printed).toContain(name);
      }
    }
  });

  it('refuses an unknown part, naming the known ones', () => {
    const { status, stderr } = spawnSync(process.execPath, [MAIN, 'everything'], { encoding: 'utf8' });
    expect([status, stderr.trim()]).toEqual([
      2,
      expect.stringMatching(/^Unknown part everything: expected one of policies, /),
    ]);
  });
});
