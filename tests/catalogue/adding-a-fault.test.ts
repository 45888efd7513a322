import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '../..');
const NEEDED = ['lib', 'server', 'tests/catalogue', 'tests/support', 'package.json', 'tsconfig.json'];
const TYPE_FILE = 'lib/chaos/faults/types/model-loading.ts';
const TEST_FILE = 'tests/catalogue/model-loading.test.ts';

/** The blocks of code that stand under the name of a file. */
function examplesOf(page: string): Map<string, string> {
  const blocks = page.matchAll(/^`([\w./-]+)`:\n\n```ts\n([\s\S]*?)^```$/gm);
  return new Map([...blocks].map(([, file, source]) => [file ?? '', source ?? '']));
}

/** What a process of the copy knows about the type: everything that is made from the catalogue. */
const PROBE = `
  import { readCatalogue } from './server/control/catalogue.ts';
  import { describeCatalogue } from './server/control/describe-catalogue.ts';
  import { createRestApp } from './server/control/rest/app.ts';
  import { judge } from './lib/agent/origin.ts';
  const answer = await createRestApp({}).request('/api/v1/openapi.json');
  const { components } = await answer.json();
  const fault = { id: 'f1', service: 'nemotron', type: 'model_loading', params: {} };
  const blamed = (kind) => judge({ service: 'nemotron', kind }, [fault], { now: 0 }).origin;
  process.stdout.write(JSON.stringify({
    form: readCatalogue().types.at(-1),
    section: describeCatalogue().split('\\n## ').find((each) => each.startsWith('\`model_loading\`')),
    schema: components.schemas['params.model_loading'],
    origins: [blamed('error_reply'), blamed('timeout')],
  }));
`;

let copy: string;
const examples = examplesOf(readFileSync(join(ROOT, 'docs/adding-a-fault.md'), 'utf8'));

beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), 'brownout-example-'));
  for (const path of NEEDED) {
    cpSync(join(ROOT, path), join(copy, path), {
      recursive: true,
      filter: (source) => !source.endsWith('.test.ts') || source.endsWith('/faults/catalogue.test.ts'),
    });
  }
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  for (const [file, source] of examples) {
    mkdirSync(dirname(join(copy, file)), { recursive: true });
    writeFileSync(join(copy, file), source);
  }
  for (const [file, content] of [
    ['vitest.config.ts', "export default { test: { include: ['{lib,tests}/**/*.test.ts'] } };"],
    ['tsconfig.example.json', JSON.stringify({ extends: './tsconfig.json', include: [...examples.keys()] })],
  ] as const) {
    writeFileSync(join(copy, file), content);
  }
});
afterAll(() => rmSync(copy, { recursive: true, force: true }));

/** Runs a program of the copy. @throws with what it printed when it fails */
async function inCopy(program: string, ...argv: string[]): Promise<string> {
  const command = program === 'node' ? process.execPath : join(ROOT, 'node_modules/.bin', program);
  const { stdout } = await run(command, argv, { cwd: copy, env: { ...process.env, NO_COLOR: '1' } }).catch(
    (error: Error & { stdout?: string; stderr?: string }) => {
      throw new Error(`${program} ${argv.join(' ')}: ${error.message}\n${error.stdout}\n${error.stderr}`);
    },
  );
  return stdout;
}

describe('the worked example of docs/adding-a-fault.md', () => {
  it('is a type and its proof, one file each, and not in the catalogue', () => {
    expect([...examples.keys()]).toEqual([TYPE_FILE, TEST_FILE]);
    expect(() => readFileSync(join(ROOT, TYPE_FILE))).toThrow('ENOENT');
  });

  it('passes the type checker as it stands', { timeout: 180_000 }, async () => {
    await inCopy('tsc', '-p', 'tsconfig.example.json', '--incremental', 'false');
  });

  it('acts on a real service through a real proxy, and what holds for every type holds for it', {
    timeout: 180_000,
  }, async () => {
    await inCopy('vitest', 'run', '--reporter=json', '--outputFile=report.json');
    const { testResults } = JSON.parse(readFileSync(join(copy, 'report.json'), 'utf8')) as {
      testResults: { assertionResults: { title: string; status: string }[] }[];
    };
    const passed = testResults
      .flatMap(({ assertionResults }) => assertionResults)
      .filter(({ status, title }) => status === 'passed' && title.includes('model_loading'));
    expect(passed.map(({ title }) => title)).toEqual(
      expect.arrayContaining([
        'nemotron/model_loading: effect, hits, end at the TTL, recovery',
        'model_loading has a complete, described form: every parameter has a title and a default',
      ]),
    );
  });

  it('is in the form, the OpenAPI document, the page of all types, and blamed for its failures only', async () => {
    const known = JSON.parse(await inCopy('node', '--input-type=module', '--eval', PROBE)) as {
      form: object;
      section: string;
      schema: object;
      origins: string[];
    };
    const retryAfterMs = { minimum: 0, maximum: 600_000, default: 5000, unit: 'ms' };
    expect(known.form).toMatchObject({
      type: 'model_loading',
      services: ['nemotron'],
      modifiers: {
        nemotron: {
          names: expect.arrayContaining(['match', 'pulse', 'failFirst', 'rampMs']),
          match: ['route'],
        },
      },
      params: { properties: { retryAfterMs } },
    });
    expect(known.schema).toMatchObject({ title: 'Model loading', properties: { retryAfterMs } });
    expect(known.section).toContain(
      '| `retryAfterMs` | What Retry-After says, rounded up to whole seconds | 0–600000 ms | 5000 |',
    );
    expect(known.origins).toEqual(['injected', 'organic']);
  });
});
