import { writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { benchConsole } from './console.ts';
import { benchDeadLetters } from './dead-letters.ts';
import { benchFanout } from './fanout.ts';
import { ArgumentError, type BenchArguments, readArguments } from './main-arguments.ts';
import { closeSharedSystem } from './main-system.ts';
import type { BenchPart } from './measure.ts';
import { benchPipeline } from './pipeline.ts';
import { benchPolicies } from './policies.ts';
import { benchProxy } from './proxy.ts';
import { benchRecorder } from './recorder.ts';
import { DOCS_FILE, type MeasuredPart, writeBenchmarkDocs } from './report-docs.ts';
import { FINDINGS } from './report-findings.ts';
import { describeMachine, thisMachine } from './report-machine.ts';
import { printed } from './report-print.ts';
import { benchStart } from './start.ts';
import { benchToggle } from './toggle.ts';

/** In the order in which they run. */
const PARTS: Readonly<Record<string, BenchPart>> = {
  policies: benchPolicies,
  proxy: benchProxy,
  'dead-letters': benchDeadLetters,
  pipeline: benchPipeline,
  recorder: benchRecorder,
  start: benchStart,
  toggle: benchToggle,
  fanout: benchFanout,
  console: benchConsole,
};

/** `npm run bench [-- PART …] [--smoke | --long] [--json FILE] [--write-docs]`; a part that fails ends no other. */
async function main(argv: string[]): Promise<number> {
  let given: BenchArguments;
  try {
    given = readArguments(argv, Object.keys(PARTS));
  } catch (error) {
    if (!(error instanceof ArgumentError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 2;
  }
  const machine = thisMachine();
  process.stdout.write(`${describeMachine(machine)}, commit ${machine.commit}\n`);
  const measured: MeasuredPart[] = [];
  const failed: string[] = [];
  for (const name of given.parts) {
    const [loadBefore = 0] = loadavg();
    const startedAt = performance.now();
    try {
      const measuredPart = await PARTS[name]?.(given.smoke, given.long);
      if (!measuredPart) continue;
      const report = { ...measuredPart, found: [...(measuredPart.found ?? []), ...(FINDINGS[name] ?? [])] };
      measured.push({ report, tookSeconds: (performance.now() - startedAt) / 1000, loadBefore });
      process.stdout.write(printed(report));
    } catch (error) {
      failed.push(name);
      process.stderr.write(`\n${name} failed: ${error instanceof Error ? error.stack : String(error)}\n`);
    }
  }
  await closeSharedSystem();
  if (given.jsonFile) {
    const reports = measured.map(({ report, ...how }) => ({ ...report, ...how }));
    writeFileSync(given.jsonFile, `${JSON.stringify({ machine, reports, failed }, null, 2)}\n`);
  }
  if (given.writesDocs) {
    writeBenchmarkDocs(measured, machine, Object.keys(PARTS));
    process.stdout.write(`\nWritten: ${DOCS_FILE}\n`);
  }
  return failed.length === 0 ? 0 : 1;
}

process.exit(await main(process.argv.slice(2)));
