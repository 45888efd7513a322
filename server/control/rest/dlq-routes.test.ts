import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { CommandHandlers } from '#lib/agent/agent.ts';
import type { DlqTaken, LetterTask } from '#lib/protocol/dead-letters.ts';
import { TestControl } from '../control.fixture.ts';

const MARK = '0a1b2c3d-7';
const task: LetterTask = {
  id: 'redrive-1',
  kind: 'redrive',
  queue: 'detection',
  faultId: null,
  signature: null,
  by: 'Ana',
  ratePerSecond: 10,
  state: 'running',
  why: null,
  total: 3,
  done: 0,
  skipped: 0,
  failed: 0,
  cameBack: 0,
  startedAt: 1,
  endedAt: null,
};

/** What the pipeline was asked, in order. */
const asked: [string, unknown][] = [];
let answer: DlqTaken = { accepted: 3, tasks: [task], refused: [] };
let exportFails = false;

function note<T>(name: string, request: unknown, given: T): T {
  asked.push([name, request]);
  return given;
}

const commands: CommandHandlers = {
  'dlq:list': async (request) => note('list', request, { items: [], nextCursor: '41', total: 7 }),
  'dlq:groups': async (request) =>
    note('groups', request, { groups: [], more: 0, looked: 0, total: 0, faults: [], mark: MARK }),
  'dlq:export': async (request) => {
    if (request.mark === '00000000-1') return null;
    const { cursor } = note('export', request, request);
    if (cursor !== undefined && exportFails) throw new Error('gone');
    return cursor === undefined
      ? { text: '{"id":"b"}\n', nextCursor: '5', total: 2, mark: MARK }
      : { text: '{"id":"a"}\n', nextCursor: null, total: null, mark: MARK };
  },
  'dlq:redrive': async (request) =>
    note('redrive', request, request.ids?.[0] === 'gone' ? { accepted: 0, tasks: [], refused: [] } : answer),
  'dlq:cancel': async (request) =>
    note('cancel', request, { task: request.queue === 'detection' ? task : null }),
  'dlq:purge': async (request) => note('purge', request, { purged: request.id !== 'gone' }),
  'dlq:purgeAll': async (request) => note('purgeAll', request, request.mark === '00000000-1' ? null : answer),
};

let system: TestControl;
beforeAll(async () => {
  system = await TestControl.start();
  await system.agent('pipeline', { commands });
});
afterAll(() => system.close());
beforeEach(() => {
  asked.length = 0;
  answer = { accepted: 3, tasks: [task], refused: [] };
  exportFails = false;
});

const DLQ = '/api/v1/dlq';
const ANA = { 'x-brownout-operator': 'Ana' };

/** Lines of JSON are no JSON. */
async function exported(query: string): Promise<{ status: number; headers: Headers; body: string }> {
  const response = await fetch(`${system.control.url}${DLQ}/export${query}`);
  return { status: response.status, headers: response.headers, body: await response.text() };
}

describe('/api/v1/dlq', () => {
  it('lists by queue, fault and signature, and groups by queue and fault', async () => {
    const { body } = await system.call('GET', `${DLQ}?queue=detection&faultId=f1&signature=E%205&cursor=50`);
    expect(body).toEqual({ items: [], nextCursor: '41', total: 7 });
    expect((await system.call('GET', `${DLQ}/groups?faultId=f1`)).body.mark).toBe(MARK);
    expect(asked).toEqual([
      ['list', { queue: 'detection', faultId: 'f1', signature: 'E 5', cursor: '50', limit: 50 }],
      ['groups', { faultId: 'f1' }],
    ]);
  });

  it('re-drives all that match as tasks, and says who asked', async () => {
    const { status, body } = await system.call(
      'POST',
      `${DLQ}/redrive`,
      { ratePerSecond: 5, queue: 'detection' },
      ANA,
    );
    expect([status, body]).toEqual([200, answer]);
    expect(asked).toEqual([['redrive', { queue: 'detection', ratePerSecond: 5, by: 'Ana' }]]);
  });

  it('answers what was left out; refuses when that is all', async () => {
    const refused = [
      { queue: 'analysis', code: 'BREAKER_OPEN' as const, why: 'the nemotron breaker is OPEN' },
    ];
    answer = { accepted: 3, tasks: [task], refused };
    expect((await system.call('POST', `${DLQ}/redrive`, {})).body).toEqual(answer);
    answer = { accepted: 0, tasks: [], refused };
    expect(await system.call('POST', `${DLQ}/redrive`, {})).toMatchObject({
      status: 409,
      body: {
        code: 'BREAKER_OPEN',
        field: 'queue',
        value: 'analysis',
        detail: 'the nemotron breaker is OPEN',
      },
    });
    answer = { accepted: 0, tasks: [], refused: [] };
    expect(await system.call('POST', `${DLQ}/redrive`, {})).toMatchObject({
      status: 200,
      body: { accepted: 0 },
    });
  });

  it('re-drives and purges one by its id', async () => {
    expect((await system.call('POST', `${DLQ}/here/redrive`)).body.accepted).toBe(3);
    expect((await system.call('POST', `${DLQ}/gone/redrive`)).body.code).toBe('DEAD_LETTER_NOT_FOUND');
    answer = { accepted: 0, tasks: [], refused: [{ queue: 'upload', code: 'NOT_REDRIVABLE', why: 'never' }] };
    expect(await system.call('POST', `${DLQ}/partial/redrive`)).toMatchObject({
      status: 409,
      body: { code: 'NOT_REDRIVABLE' },
    });
    expect((await system.call('DELETE', `${DLQ}/here?reason=old`)).body).toEqual({ purged: true });
    expect((await system.call('DELETE', `${DLQ}/gone`)).body.code).toBe('DEAD_LETTER_NOT_FOUND');
  });

  it('cancels the task of a queue', async () => {
    expect((await system.call('DELETE', `${DLQ}/tasks/detection`, undefined, ANA)).body).toEqual(task);
    expect(asked).toEqual([['cancel', { queue: 'detection', by: 'Ana' }]]);
    expect(await system.call('DELETE', `${DLQ}/tasks/upload`)).toMatchObject({
      status: 404,
      body: { code: 'TASK_NOT_FOUND' },
    });
  });

  it('exports part by part with one mark, as lines, with their number', async () => {
    const { status, headers, body } = await exported('?queue=detection');
    expect([status, headers.get('content-type'), body]).toEqual([
      200,
      'application/x-ndjson; charset=utf-8',
      '{"id":"b"}\n{"id":"a"}\n',
    ]);
    expect([headers.get('x-brownout-letters'), headers.get('x-brownout-mark')]).toEqual(['2', MARK]);
    expect(headers.get('content-disposition')).toContain('dead-letters.jsonl');
    expect(asked).toEqual([
      ['export', { queue: 'detection' }],
      ['export', { queue: 'detection', mark: MARK, cursor: '5' }],
    ]);
  });

  it('breaks the connection when an export cannot go on, so that a part is no whole', async () => {
    exportFails = true;
    await expect(exported('')).rejects.toThrow();
    exportFails = false;
    expect((await exported('')).body).toHaveLength(22);
  });

  it('purges what a mark stands for', async () => {
    const sent = { queue: 'detection', mark: MARK, reason: 'test frames' };
    expect((await system.call('POST', `${DLQ}/purge`, sent, ANA)).body).toEqual(answer);
    expect(asked).toEqual([['purgeAll', { ...sent, by: 'Ana' }]]);
  });

  it.each([
    {
      what: 'a mark of another life',
      method: 'POST',
      path: '/purge',
      body: { mark: '00000000-1' },
      field: 'mark',
    },
    { what: 'an export by such a mark', method: 'GET', path: '/export?mark=00000000-1', field: 'mark' },
    { what: 'no mark', method: 'POST', path: '/purge', body: {}, field: 'mark' },
    { what: 'what is no mark', method: 'POST', path: '/purge', body: { mark: '7' }, field: 'mark' },
    { what: 'what is no cursor', method: 'GET', path: '?cursor=abc', field: 'cursor' },
    { what: 'a page that is too long', method: 'GET', path: '?limit=51', field: 'limit' },
    {
      what: 'a rate of nothing',
      method: 'POST',
      path: '/redrive',
      body: { ratePerSecond: 0 },
      field: 'ratePerSecond',
    },
    {
      what: 'a rate beyond all',
      method: 'POST',
      path: '/redrive',
      body: { ratePerSecond: 1001 },
      field: 'ratePerSecond',
    },
    { what: 'groups of a signature', method: 'GET', path: '/groups?signature=x', field: 'signature' },
    { what: 'an empty queue', method: 'GET', path: '/export?queue=', field: 'queue' },
  ])('refuses $what, with the field', async ({ method, path, body, field }) => {
    const refused = await system.call(method, `${DLQ}${path}`, body);
    expect(refused.status).toBe(422);
    expect(refused.body).toMatchObject({ code: 'INVALID_INPUT', field, allowed: expect.any(String) });
  });
});
