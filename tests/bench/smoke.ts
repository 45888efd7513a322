import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { BenchReport } from './measure.ts';

export const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));

/** Runs parts of the bench for as little as they can be, none meaning all: each measures, prints and writes. */
export function smokeOf(parts: readonly string[]): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'brownout-bench-'));
  const file = join(folder, 'report.json');
  const printed = execFileSync(process.execPath, [MAIN, ...parts, '--smoke', '--json', file], {
    encoding: 'utf8',
  });
  const { reports, failed } = JSON.parse(readFileSync(file, 'utf8')) as {
    reports: BenchReport[];
    failed: string[];
  };
  rmSync(folder, { recursive: true });
  expect(failed).toEqual([]);
  for (const { part, measurements, ratios } of reports) {
    expect(measurements, part).not.toEqual([]);
    expect(ratios, part).not.toEqual([]);
    for (const { name, median } of measurements) {
      expect(median, `${part}: ${name}`).toEqual(expect.any(Number)); // null in JSON is what was not measured
      expect(printed).toContain(name);
    }
  }
  return reports.map((report) => report.part);
}
