import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SCENARIOS } from '#tests/chaos/scenarios.ts';

/** What `docs/expected-behaviours.md` must tell of: each row and bullet of the seed, by its title there, and its known faults. */
const ROWS: Record<string, string[]> = {
  'Service failures': [
    'YOLO26: Timeout',
    'YOLO26: 5xx Error',
    'Redis: Connection Error',
    'Redis: Timeout',
    'PostgreSQL: Connection Error',
    'PostgreSQL: Slow Queries',
    'Nemotron: Timeout',
  ],
  'Network conditions': ['High Latency', 'Packet Loss', 'DNS Failure', 'Pool Exhaustion'],
  'Circuit breaker': ['CLOSED -> OPEN', 'OPEN -> HALF_OPEN', 'HALF_OPEN -> CLOSED', 'HALF_OPEN -> OPEN'],
  'Degradation manager': [
    'NORMAL -> DEGRADED',
    'DEGRADED -> MINIMAL',
    'MINIMAL -> OFFLINE',
    'Recovery to NORMAL',
  ],
  'Fallback mechanisms': [
    'Redis down -> Memory queue',
    'Memory queue full -> Disk-based queue',
    'Queue overflow -> DLQ or drop oldest',
  ],
  'FTP failures': [
    'Upload Timeout',
    'Incomplete Upload',
    'Corrupted Files',
    'Disk Full',
    'Permission Denied',
    'File Deleted',
    'Invalid Format',
    'Oversized Files',
    'Concurrent Conflicts',
    'Expected Behavior',
  ],
  'GPU runtime failures': [
    'GPU Unavailable',
    'VRAM Exhaustion',
    'Thermal Throttle',
    'Context Corruption',
    'Model Loading',
    'Inference Timeout',
    'No GPU',
    'Batch Processing',
    'Expected Behavior',
  ],
  'Database pool exhaustion': [
    'Pool Exhaustion',
    'Pool Timeout',
    'Connection Leaks',
    'Long Queries',
    'Pool Recycling',
    'Max Overflow',
    'Connection Refused',
    'Connection Lost',
    'Deadlock Detection',
    'Transaction Timeout',
    'Expected Behavior',
  ],
  'Timeout cascade': [
    'Detection→Enrichment',
    'DB+Redis Cascade',
    'API Propagation',
    'Batch Cascade',
    'Dependent Services',
    'Timeout Storm',
    'Degraded Mode',
    'Recovery Time',
    'Expected Behavior',
  ],
  'Pub/sub failures': [
    'Disconnect',
    'Message Loss',
    'Reconnection',
    'Subscription Failures',
    'Publish Fallback',
    'Race Conditions',
    'Expected Behavior',
  ],
  'Faults of the original that are not repeated': [
    'Half-open as a total budget that sticks for ever',
    'Rejections never counted',
    'Three configurations for one service',
    'A recovery threshold that nothing reads',
    'OFFLINE refuses the jobs it says it queues',
    'A second ladder with the same words and other rules',
  ],
};

const ROOT = join(import.meta.dirname, '..', '..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

interface Row {
  section: string;
  title: string;
  promise: string;
  code: string;
  proof: string;
}
const rows = read('docs/expected-behaviours.md')
  .split('\n## ')
  .slice(1)
  .flatMap((text) => {
    const [section = '', ...lines] = text.split('\n');
    const table = lines.filter((line) => line.startsWith('|')).slice(2); // below the head
    return table.map((line): Row => {
      const [, title = '', promise = '', code = '', proof = '', ...rest] = line
        .split('|')
        .map((cell) => cell.trim());
      expect(rest, `cells of “${title}”`).toEqual(['']);
      return { section, title, promise, code, proof };
    });
  });

const SOURCE = /\[`([^`]+)`\]\(\.\.\/([^)]+)\)((?: `[^`]+`)+)/g;
const SCENARIO = /`([a-z0-9-]+)\/([a-z0-9-]+)`/g;
const TEST = /\[`([^`]+)`\]\(\.\.\/([^)]+)\) “([^”]+)”/g;

/** What is written in a cell besides its entries. */
const besides = (cell: string, ...entries: RegExp[]) =>
  entries.reduce((text, entry) => text.replace(entry, ''), cell).replace(/[,;\s]/g, '');

/** What is wrong with a link to a file and with what the file must hold, each of `wanted` in one of its spellings. */
function* defectsOf(label: string, path: string, wanted: string[][]): Generator<string> {
  if (label !== basename(path)) yield `${label} leads to ${path}`;
  if (!existsSync(join(ROOT, path))) {
    yield `no file ${path}`;
    return;
  }
  const text = read(path);
  for (const spellings of wanted)
    if (!spellings.some((each) => text.includes(each))) yield `no ${spellings[0]} in ${path}`;
}

const quoted = (name: string) => [`'${name}'`, `"${name}"`, `\`${name}\``];

function* defectsOfCode({ code }: Row): Generator<string> {
  const sources = [...code.matchAll(SOURCE)];
  if (sources.length === 0) yield 'no code';
  if (besides(code, SOURCE)) yield `not understood: ${besides(code, SOURCE)}`;
  for (const [, label = '', path = '', symbols = ''] of sources)
    yield* defectsOf(
      label,
      path,
      [...symbols.matchAll(/`([^`]+)`/g)].map(([, symbol = '']) => [symbol]),
    );
}

function* defectsOfProof({ proof }: Row): Generator<string> {
  const scenarios = [...proof.matchAll(SCENARIO)];
  const tests = [...proof.matchAll(TEST)];
  if (scenarios.length + tests.length === 0) yield 'no proof';
  if (besides(proof, TEST, SCENARIO)) yield `not understood: ${besides(proof, TEST, SCENARIO)}`;
  const ids = Object.entries(SCENARIOS).flatMap(([suite, names]) =>
    Object.keys(names).map((name) => `${suite}/${name}`),
  );
  for (const [, suite = '', name = ''] of scenarios) {
    if (!ids.includes(`${suite}/${name}`)) yield `no scenario ${suite}/${name}`;
    yield* defectsOf(`${suite}.test.ts`, `tests/chaos/${suite}.test.ts`, [quoted(name)]);
  }
  for (const [, label = '', path = '', title = ''] of tests) yield* defectsOf(label, path, [quoted(title)]);
}

describe('docs/expected-behaviours.md', () => {
  it('tells of every row of the seed once, in its order', () => {
    const told = Map.groupBy(rows, ({ section }) => section);
    expect([...told].map(([section, all]) => [section, all.map(({ title }) => title)])).toEqual(
      Object.entries(ROWS),
    );
    expect(rows.filter(({ promise }) => promise === '')).toEqual([]);
  });

  it('names code that is there, and tests that are there', () => {
    const defects = rows.flatMap((row) =>
      [...defectsOfCode(row), ...defectsOfProof(row)].map((what) => `${row.section}, ${row.title}: ${what}`),
    );
    expect(defects).toEqual([]);
  });
});
