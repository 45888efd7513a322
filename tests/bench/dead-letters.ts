import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deadLetterId } from '#lib/chaos/dead-letters/dead-letter.ts';
import { LETTERS_FILE, type StoreRecord } from '#lib/chaos/dead-letters/letter-file.ts';
import type { DlqGroups, DlqPage } from '#lib/protocol/dead-letters.ts';
import type { System } from '#tests/support/system.ts';
import { openSystem } from './main-system.ts';
import { atMost, type BenchReport, interleave, medianOf } from './measure.ts';

const LETTERS = 100_000;
const FAULTS = 20;
const SIGNATURES = 40;

/** The dead-letter page's questions over REST, of a system whose store was filled before its start; smoke asks an empty one. */
export async function benchDeadLetters(smoke: boolean): Promise<BenchReport> {
  let { system, close } = await openSystem(smoke, { cameraRate: 0 });
  try {
    if (!smoke) {
      await writeFile(join(system.dataDir, 'dlq', LETTERS_FILE), fileOf(LETTERS));
      system = await system.restart();
      close = () => system.close();
    }
    const { body } = await system.api<DlqPage>('GET', '/dlq');
    const letters = body.total;
    if (!smoke && letters !== LETTERS) throw new Error(`the store holds ${letters} letters, not ${LETTERS}`);
    const deep = await cursorAt(system, letters / 2);
    const measurements = await interleave('ms', smoke ? 2 : 21, {
      'first page': () => timed(() => system.api('GET', '/dlq')),
      'a page from the middle': () => timed(() => system.api('GET', `/dlq?cursor=${deep}`)),
      'first page of one fault': () => timed(() => system.api('GET', '/dlq?faultId=fault-3')),
      'groups of the latest 1000': () => timed(() => system.api<DlqGroups>('GET', '/dlq/groups')),
      'groups of one fault': () => timed(() => system.api<DlqGroups>('GET', '/dlq/groups?faultId=fault-3')),
      'export of all': () => timed(() => exported(system, letters)),
    });
    const must = (name: string, limitMs: number) =>
      atMost(`${name}, ms`, medianOf(measurements, name), limitMs);
    return {
      part: 'dead-letters',
      what: `${letters} dead letters, asked over REST`,
      measurements,
      ratios: [must('first page', 300), must('groups of the latest 1000', 1000)],
    };
  } finally {
    await close();
  }
}

async function timed(ask: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await ask();
  return performance.now() - startedAt;
}

/** Order grows by one with each letter of a file that was never written anew. */
async function cursorAt(system: System, position: number): Promise<string> {
  const { body } = await system.api<DlqPage>('GET', `/dlq?cursor=${Math.round(position)}&limit=1`);
  return body.nextCursor ?? '1';
}

async function exported(system: System, letters: number): Promise<void> {
  const answer = await fetch(`${system.url}/api/v1/dlq/export`);
  let lines = 0;
  for await (const chunk of answer.body ?? []) for (const byte of chunk) if (byte === 0x0a) lines++;
  if (lines !== letters) throw new Error(`the export has ${lines} lines, not ${letters}`);
}

/** Letters as the detection worker writes them, of a few faults and failures. */
function fileOf(letters: number): string {
  const at = Date.now() - letters;
  const lines: string[] = [];
  for (let n = 0; n < letters; n++) {
    const uploadId = `01JBENCH${String(n).padStart(18, '0')}`;
    const job = {
      id: uploadId,
      type: 'detection',
      payload: {
        id: uploadId,
        camera: `cam-0${n % 4}`,
        name: `${n}.jpg`,
        path: `/data/inbox/${uploadId}.jpg`,
      },
      traceId: `trace-${n}`,
      enqueuedAt: at + n,
      attempts: 0,
    };
    const record: StoreRecord = {
      op: 'put',
      at: at + n,
      waiting: true,
      letter: {
        id: deadLetterId(`detection:${uploadId}`),
        queue: n % 5 === 0 ? 'analysis' : 'detection',
        uploadId,
        error: { code: 'HTTP_STATUS', message: 'answered 422', status: 422, body: 'x'.repeat(n % 200) },
        attempts: 1,
        delaysMs: [],
        firstFailedAt: at + n,
        lastFailedAt: at + n,
        faultIds: n % 3 === 0 ? [] : [`fault-${n % FAULTS}`],
        traceId: `trace-${n}`,
        signature: `HTTP_STATUS 422: kind ${String.fromCharCode(97 + (n % SIGNATURES))}`,
        payload: { retryable: false, job },
        redrives: n % 7 === 0 ? 1 : 0,
      },
    };
    lines.push(`${JSON.stringify(record)}\n`);
  }
  return lines.join('');
}
