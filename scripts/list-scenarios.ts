import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Proof } from '#tests/chaos/prove.ts';
import { SCENARIOS } from '#tests/chaos/scenarios.ts';

/**
 * What `npm run scenarios` prints after the run: suite by suite, which of the scenarios are proven by the run that
 * `reports/tests.json` tells of. Exits with 1 when one is missing, skipped, failed, or ended without proof.
 */
interface TestReport {
  testResults: {
    name: string;
    assertionResults: { title: string; status: string; meta: { proof?: Proof } }[];
  }[];
}

const file = join(import.meta.dirname, '..', 'reports', 'tests.json');
if (!existsSync(file)) {
  console.error('No reports/tests.json: run `npm run scenarios`, which runs the suites first');
  process.exit(1);
}
const report = JSON.parse(readFileSync(file, 'utf8')) as TestReport;
const results = new Map<string, { status: string; proof: Proof | undefined }>();
for (const { name, assertionResults } of report.testResults) {
  const suite = /tests\/chaos\/([a-z0-9-]+)\.test\.ts$/.exec(name)?.[1];
  if (!suite) continue;
  for (const { title, status, meta } of assertionResults)
    results.set(`${suite}/${title}`, { status, proof: meta.proof });
}

let provenCount = 0;
let count = 0;
for (const [suite, scenarios] of Object.entries(SCENARIOS)) {
  const lines = Object.entries(scenarios).map(([name, claim]) => {
    const result = results.get(`${suite}/${name}`);
    const proof = result?.status === 'passed' ? result.proof : undefined;
    if (proof) {
      const faults = proof.faults.map(
        ({ service, type, hits }) => `${service}/${type} (${hits} ${hits === 1 ? 'hit' : 'hits'})`,
      );
      return { proven: true, text: `  ✓ ${name.padEnd(52)} ${faults.join(', ')}` };
    }
    const why = result ? (result.status === 'passed' ? 'passed without proof' : result.status) : 'no test';
    return { proven: false, text: `  ✗ ${name.padEnd(52)} ${why}: ${claim}` };
  });
  const proven = lines.filter((line) => line.proven).length;
  console.log(`${suite} ${proven}/${lines.length}`);
  console.log(lines.map(({ text }) => text).join('\n'));
  provenCount += proven;
  count += lines.length;
}
console.log(`\n${provenCount} of ${count} scenarios proven`);
if (provenCount < count) process.exitCode = 1;
