import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { benchDeadLetters } from './dead-letters.ts';
import type { BenchReport } from './measure.ts';
import { benchPolicies } from './policies.ts';
import { benchProxy } from './proxy.ts';
import { benchStart } from './start.ts';
import { benchToggle } from './toggle.ts';

const PARTS: Readonly<Record<string, (smoke: boolean) => Promise<BenchReport>>> = {
  policies: benchPolicies,
  proxy: benchProxy,
  'dead-letters': benchDeadLetters,
  start: benchStart,
  toggle: benchToggle,
};

/** `npm run bench [-- PART …] [--smoke] [--json FILE]`. */
async function main(argv: string[]): Promise<number> {
  const smoke = argv.includes('--smoke');
  const jsonAt = argv.indexOf('--json');
  const jsonFile = jsonAt >= 0 ? argv[jsonAt + 1] : undefined;
  const wanted = argv.filter(
    (argument, index) => !argument.startsWith('--') && (jsonAt < 0 || index !== jsonAt + 1),
  );
  const unknown = wanted.find((name) => !(name in PARTS));
  if (unknown || (jsonAt >= 0 && !jsonFile)) {
    process.stderr.write(
      unknown
        ? `Unknown part ${unknown}: expected one of ${Object.keys(PARTS).join(', ')}\n`
        : 'Expected a file after --json\n',
    );
    return 2;
  }
  const reports: BenchReport[] = [];
  for (const name of wanted.length > 0 ? wanted : Object.keys(PARTS)) {
    const report = await PARTS[name]?.(smoke);
    if (!report) continue;
    reports.push(report);
    print(report);
  }
  const machine = { cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length, node: process.version };
  if (jsonFile) writeFileSync(jsonFile, `${JSON.stringify({ machine, reports }, null, 2)}\n`);
  return 0;
}

function print({ part, what, measurements, ratios }: BenchReport): void {
  const round = (value: number) => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));
  const lines = [
    `\n${part}: ${what}`,
    ...measurements.map(
      ({ name, unit, median, min, max, rounds }) =>
        `  ${name.padEnd(42)} ${round(median)} ${unit}  (${round(min)}–${round(max)}, ${rounds} rounds)`,
    ),
    ...ratios.map(
      ({ name, value, target, met }) =>
        `  ${name.padEnd(42)} ${round(value)}  target ${target}${met === false ? '  MISSED' : ''}`,
    ),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

process.exit(await main(process.argv.slice(2)));
