import { type ChildProcess, spawn } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { createRandom } from '#lib/chaos/random.ts';
import type { Sabotage } from '#tests/chaos/sabotage/sabotage.ts';
import { SCENARIOS } from '#tests/chaos/scenarios.ts';

/**
 * `npm run scenarios -- --sabotage [--seed N] [--count N] [SUITE | SUITE/NAME …]`
 *
 * Takes the behaviour that each chosen scenario proves out of a copy of this checkout and runs that one test there: it
 * must go red. Exits with 1 when a sabotage survives, is missing, does not apply or does not run. Writes
 * `reports/sabotage.json`.
 */
const ROOT = join(import.meta.dirname, '..');
const LANES = availableParallelism() + 1; // most of a run waits
const RUN_MS = 180_000;

interface Scenario {
  suite: string;
  name: string;
}
/** Only `red` is as it should be. */
type Verdict = 'red' | 'survived' | 'no sabotage' | 'does not apply' | 'did not run';
interface Outcome {
  id: string;
  verdict: Verdict;
  breaks: string | null;
  text: string;
  seconds: number;
}

const { values, positionals } = parseArgs({
  options: { sabotage: { type: 'boolean' }, seed: { type: 'string' }, count: { type: 'string' } },
  allowPositionals: true,
});
const seed = Number(values.seed ?? Date.now() % 1_000_000);
const chosen = draw(choose(positionals), values.count === undefined ? undefined : Number(values.count));
console.log(`${chosen.length} sabotages, seed ${seed}, ${LANES} at a time`);

const running = new Set<ChildProcess>();
const folders = new Set<string>();
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    waiting.length = 0;
    for (const child of running) child.kill('SIGINT'); // its systems end with it
    for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
    process.exit(130);
  });
const outcomes: Outcome[] = [];
const waiting = [...chosen];
await Promise.all(Array.from({ length: LANES }, () => work()));
const red = outcomes.filter(({ verdict }) => verdict === 'red').length;
mkdirSync(join(ROOT, 'reports'), { recursive: true });
const report = { at: new Date().toISOString(), seed, chosen: chosen.length, red, outcomes };
writeFileSync(join(ROOT, 'reports', 'sabotage.json'), `${JSON.stringify(report, null, 2)}\n`);
console.log(`\n${red} of ${chosen.length} sabotages went red (seed ${seed})`);
process.exitCode = red === chosen.length ? 0 : 1;

/** Every scenario that a given suite or id names; all without one. */
function choose(wanted: readonly string[]): Scenario[] {
  const all = Object.entries(SCENARIOS).flatMap(([suite, names]) =>
    Object.keys(names).map((name) => ({ suite, name })),
  );
  for (const each of wanted)
    if (!all.some(({ suite, name }) => each === suite || each === `${suite}/${name}`))
      throw new RangeError(`No suite and no scenario is called ${each}`);
  if (wanted.length === 0) return all;
  return all.filter(({ suite, name }) => wanted.includes(suite) || wanted.includes(`${suite}/${name}`));
}

/** `count` of them, by the seed. */
function draw(scenarios: Scenario[], count: number | undefined): Scenario[] {
  if (count === undefined) return scenarios;
  const random = createRandom(seed);
  const keyed = scenarios.map((scenario) => ({ scenario, key: random() }));
  return keyed
    .toSorted((a, b) => a.key - b.key)
    .slice(0, count)
    .map(({ scenario }) => scenario);
}

/** One lane: a copy of the checkout, sabotaged again and again. */
async function work(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'brownout-sabotage-'));
  folders.add(folder);
  chmodSync(folder, 0o755); // PostgreSQL, run as a user of its own, reaches its program through it
  try {
    await copyCheckout(folder);
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const startedAt = performance.now();
      const outcome = await trySabotage(folder, next);
      const seconds = Math.round((performance.now() - startedAt) / 100) / 10;
      outcomes.push({ ...outcome, seconds });
      const mark = outcome.verdict === 'red' ? '✓' : '✗';
      console.log(`${mark} ${outcome.id} (${seconds} s) ${outcome.verdict}: ${outcome.text}`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function copyCheckout(folder: string): Promise<void> {
  const { output } = await run('git', ['ls-files', '-z', '-co', '--exclude-standard'], ROOT);
  for (const file of output.split('\0')) {
    if (file === '' || !existsSync(join(ROOT, file))) continue;
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    cpSync(join(ROOT, file), join(folder, file));
  }
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const cache = join(ROOT, '.next', 'cache');
  cpSync(join(ROOT, '.next'), join(folder, '.next'), { recursive: true, filter: (path) => path !== cache });
}

async function trySabotage(folder: string, scenario: Scenario): Promise<Omit<Outcome, 'seconds'>> {
  const { suite, name } = scenario;
  const id = `${suite}/${name}`;
  const sabotage = await sabotageOf(scenario);
  if (!sabotage)
    return { id, verdict: 'no sabotage', breaks: null, text: `tests/chaos/sabotage/${suite}.ts` };
  const { breaks, file, find, replace } = sabotage;
  const original = readFileSync(join(ROOT, file), 'utf8');
  const problem = whyNot(original, sabotage);
  if (problem) return { id, verdict: 'does not apply', breaks, text: `${file}: ${problem}` };
  writeFileSync(
    join(folder, file),
    original.replace(find, () => replace),
  );
  try {
    const result = await runTest(folder, scenario);
    // A system that did not come up says nothing about the scenario: once more.
    const decided = result.verdict === 'did not run' ? await runTest(folder, scenario) : result;
    return { id, breaks, ...decided };
  } finally {
    writeFileSync(join(folder, file), original);
  }
}

async function sabotageOf({ suite, name }: Scenario): Promise<Sabotage | undefined> {
  const file = join(ROOT, 'tests', 'chaos', 'sabotage', `${suite}.ts`);
  if (!existsSync(file)) return undefined;
  const { sabotage } = (await import(file)) as { sabotage: Record<string, Sabotage> };
  return sabotage[name];
}

/** Why a patch is no sabotage of the product; undefined when it is. */
function whyNot(original: string, { file, find, replace }: Sabotage): string | undefined {
  if (!/^(lib|server)\//.test(file)) return 'only the product is sabotaged';
  const count = original.split(find).length - 1;
  if (count !== 1) return `“${find}” occurs ${count} times`;
  if (find === replace) return 'changes nothing';
  try {
    stripTypeScriptTypes(original.replace(find, () => replace));
    return undefined;
  } catch (error) {
    return `no TypeScript any more: ${(error as Error).message}`;
  }
}

interface VitestReport {
  testResults: {
    message: string;
    assertionResults: { title: string; status: string; failureMessages: string[] }[];
  }[];
}

/** Red is a failure of this very test; a set-up that fails leaves it unrun. */
async function runTest(
  folder: string,
  { suite, name }: Scenario,
): Promise<Pick<Outcome, 'verdict' | 'text'>> {
  const reportFile = join(folder, 'sabotage-run.json');
  rmSync(reportFile, { force: true });
  const { output } = await run(
    process.execPath,
    [
      join(ROOT, 'node_modules', 'vitest', 'vitest.mjs'),
      'run',
      '--project=chaos',
      '--reporter=json',
      `--outputFile=${reportFile}`,
      `tests/chaos/${suite}.test.ts`,
      `--testNamePattern= ${name}$`,
    ],
    folder,
  );
  if (!existsSync(reportFile)) return { verdict: 'did not run', text: output.trim().slice(-500) };
  const { testResults } = JSON.parse(readFileSync(reportFile, 'utf8')) as VitestReport;
  const results = testResults.flatMap(({ assertionResults }) => assertionResults);
  const result = results.find(({ title, status }) => title === name && status !== 'skipped');
  const [message] = result?.failureMessages ?? [];
  if (result?.status === 'passed') return { verdict: 'survived', text: 'its test is still green' };
  if (!result || message === undefined) {
    const why =
      testResults
        .map((file) => file.message)
        .join(' ')
        .trim() || output.trim();
    return { verdict: 'did not run', text: `the test did not run: ${why.slice(-500)}` };
  }
  const [text = ''] = message.split('\n');
  return { verdict: 'red', text: text.slice(0, 240) };
}

function run(command: string, args: string[], cwd: string): Promise<{ output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    running.add(child);
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (bytes: Buffer) => {
        output += bytes.toString();
      });
    const timer = setTimeout(() => child.kill('SIGTERM'), RUN_MS);
    child.on('error', reject);
    child.on('close', () => {
      clearTimeout(timer);
      running.delete(child);
      resolve({ output });
    });
  });
}
