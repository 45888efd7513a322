import { existsSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { FAULT_TYPES } from '#lib/chaos/faults/catalogue.ts';

/**
 * the last run (`reports/tests.json`). Exits with 1 when an entry has no test, or one that did not pass.
 */
interface TestReport {
  testResults: {
    name: string;
    assertionResults: { title: string; status: string; duration?: number | null }[];
  }[];
}

const root = join(import.meta.dirname, '..');
const file = join(root, 'reports', 'tests.json');
if (!existsSync(file)) {
  console.error('No reports/tests.json: run `npm run faults`, which runs the tests of the catalogue first');
  process.exit(1);
}
const report = JSON.parse(readFileSync(file, 'utf8')) as TestReport;
const proofs = new Map<string, { where: string; status: string }>();
for (const { name, assertionResults } of report.testResults) {
  for (const { title, status } of assertionResults) {
    const entry = /^([a-z0-9]+\/[a-z0-9_]+): /.exec(title)?.[1];
    if (entry) proofs.set(entry, { where: relative(root, name), status });
  }
}
const entries = FAULT_TYPES.flatMap(({ type, services }) => services.map((service) => `${service}/${type}`));
const lines = entries.toSorted().map((entry) => {
  const proof = proofs.get(entry);
  const good = proof?.status === 'passed';
  return {
    good,
    text: `${good ? '✓' : '✗'} ${entry.padEnd(32)} ${proof ? `${proof.where} (${proof.status})` : 'no test'}`,
  };
});
const gaps = lines.filter(({ good }) => !good);
const stray = [...proofs.keys()].filter((entry) => !entries.includes(entry));
console.log((process.argv.includes('--gaps') ? gaps : lines).map(({ text }) => text).join('\n'));
for (const entry of stray) console.error(`✗ ${entry.padEnd(32)} has a test and is not in the catalogue`);
console.log(`${entries.length - gaps.length} of ${entries.length} catalogue entries proven`);
if (gaps.length + stray.length > 0) process.exitCode = 1;
