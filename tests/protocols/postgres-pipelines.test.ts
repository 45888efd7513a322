import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ServiceProxy } from '#lib/chaos/proxy/service-proxy.ts';
import { startTestPostgres, type TestPostgres } from '#tests/support/postgres.ts';
import { type ProxyHarness, startProxyHarness } from '#tests/support/proxy-harness.ts';
import { makeTrustedRole } from '#tests/support/trust-role.ts';
import { bind, execute, message, parse, query, readAnswers, SYNC, startup } from './postgres-wire.ts';
import { RawPostgres } from './raw-postgres.ts';

let postgres: TestPostgres;
let harness: ProxyHarness;
let proxy: ServiceProxy;
let observer: pg.Client;
const open: RawPostgres[] = [];

beforeAll(async () => {
  postgres = await startTestPostgres();
  observer = new pg.Client({ ...postgres });
  await observer.connect();
  await makeTrustedRole(observer, 'raw');
  await observer.query('CREATE TABLE things (id int PRIMARY KEY)');
  harness = startProxyHarness();
  proxy = await harness.open('database', postgres);
}, 60_000);
afterEach(async () => {
  await harness.endAll();
  for (const client of open.splice(0)) client.end();
});
afterAll(async () => {
  await harness?.close();
  await observer?.end();
  await postgres?.close();
});

async function connect(): Promise<RawPostgres> {
  const client = new RawPostgres(proxy.port);
  open.push(client);
  await client.exchange(startup({ user: 'raw', database: postgres.database }), [], endsWith('Z', 6));
  return client;
}

function endsWith(type: string, bytes: number): (tail: Buffer) => boolean {
  return (tail) => String.fromCharCode(tail.at(-bytes) ?? 0) === type;
}

/** Types of the answers up to ReadyForQuery, that of an error with its SQLSTATE, that of readiness with its status. */
async function ask(client: RawPostgres, ...messages: Buffer[]): Promise<string> {
  const bytes = await client.exchange(Buffer.concat(messages), [], endsWith('Z', 6));
  return readAnswers(bytes)
    .map(({ type, body }) => {
      if (type === 'E') return /C([0-9A-Z]{5})\0/.exec(body.toString('latin1'))?.[1];
      return type === 'Z' ? `Z${body.toString()}` : type;
    })
    .join(' ');
}

describe('a fault in a pipeline', () => {
  it('leaves the unnamed statement of the client what it was, and nothing of its own', async () => {
    const client = await connect();
    expect(await ask(client, parse('', 'SELECT 1'), SYNC)).toBe('1 ZI');
    const id = await harness.arm('database', 'server_error');
    expect(await ask(client, bind('', ''), execute(''), SYNC)).toBe('58000 ZI');
    expect(await ask(client, parse('named', 'SELECT 2'), SYNC)).toBe('58000 ZI');
    await harness.end(id);
    expect(await ask(client, bind('', ''), execute(''), SYNC)).toBe('2 D C ZI');
    expect(await ask(client, bind('', 'named'), SYNC)).toBe('26000 ZI');
    expect(await ask(client, query("SELECT 1 FROM pg_prepared_statements WHERE name <> ''"))).toBe('T C ZI');
  });

  it('leaves no unnamed statement when it hit the Parse that was to make one', async () => {
    const client = await connect();
    expect(await ask(client, parse('', 'SELECT 1'), SYNC)).toBe('1 ZI');
    const id = await harness.arm('database', 'server_error');
    expect(await ask(client, parse('', 'SELECT 2'), bind('', ''), execute(''), SYNC)).toBe('58000 ZI');
    await harness.end(id);
    expect(await ask(client, bind('', ''), SYNC)).toBe('26000 ZI');
  });

  it('rolls back a COMMIT whose BEGIN is in the same pipeline, and ends idle', async () => {
    const client = await connect();
    await harness.arm('database', 'server_error', { match: { sql: 'commit' } });
    const statement = (sql: string) => Buffer.concat([parse('', sql), bind('', ''), execute('')]);
    const pipeline = ['BEGIN', 'INSERT INTO things VALUES (1)', 'COMMIT'].map(statement);
    expect(await ask(client, ...pipeline, SYNC)).toBe('1 2 C 1 2 C 58000 ZI');
    expect((await observer.query('SELECT * FROM things')).rows).toEqual([]);
  });

  it('still hits the next query after one that the server skipped', async () => {
    const client = await connect();
    expect(await ask(client, parse('', 'SELEC'), query('SELECT 1'), SYNC)).toBe('42601 ZI');
    expect(await ask(client, parse('', 'SELECT 1'), bind('', ''), query('SELECT 1'))).toBe('1 2 T D C ZI');
    expect(await ask(client, SYNC)).toBe('ZI');
    await harness.arm('database', 'server_error');
    expect(await ask(client, query('SELECT 1'))).toBe('58000 ZI');
  });

  it('still hits the next query after COPY through the extended protocol', async () => {
    const client = await connect();
    const copy = [parse('', 'COPY things FROM STDIN'), bind('', ''), execute(''), SYNC];
    const isCopying = endsWith('G', 10);
    await client.exchange(Buffer.concat(copy), [], isCopying);
    expect(await ask(client, message('d', '5\n'), message('c'), SYNC)).toBe('C ZI');
    await harness.arm('database', 'server_error');
    expect(await ask(client, query('SELECT 1'))).toBe('58000 ZI');
    expect((await observer.query('SELECT * FROM things')).rows).toEqual([{ id: 5 }]);
  });
});
