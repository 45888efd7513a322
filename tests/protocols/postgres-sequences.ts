import { createRandom, type Random } from '#lib/chaos/random.ts';
import {
  bind,
  close,
  describe,
  execute,
  FLUSH,
  GSS_REQUEST,
  int16,
  int32,
  message,
  parse,
  query,
  SSL_REQUEST,
  SYNC,
  startup,
  TERMINATE,
} from './postgres-wire.ts';

/** One random sequence of messages of a client, and how it is to be served. */
export interface PostgresSequence {
  /** session: on a connection that is up; start-up: it opens one of its own; cancel: its query has to be cancelled. */
  readonly kind: 'session' | 'startup' | 'cancel';
  /** Packets of which each is answered by one byte before the next goes out. */
  readonly negotiation: readonly Buffer[];
  readonly bytes: Buffer;
  /** Where the bytes are cut when they go through the proxy. */
  readonly cuts: readonly number[];
  /** The server ends the connection. */
  readonly ends: boolean;
}

export interface SequenceLane {
  /** A table of its own: `(id int PRIMARY KEY, name text, data bytea)`. */
  readonly table: string;
  readonly user: string;
  readonly database: string;
}

/** What the last answers of a sequence of kind "session" or "cancel" are. */
export function lastAnswers(n: number): Buffer {
  const text = `end of ${n}`;
  return Buffer.concat([
    message('D', int16(1), int32(text.length), text),
    message('C', 'SELECT 1\0'),
    message('Z', 'I'),
  ]);
}

/** Brings any state back to a message boundary: CopyFail is ignored where nothing is copied. */
const OUT_OF_COPY = Buffer.concat([message('f', 'over\0'), SYNC]);

/** Makes the connection and the table as new. */
function reset(n: number, { table }: SequenceLane): Buffer {
  return Buffer.concat([
    OUT_OF_COPY,
    query('ROLLBACK'),
    query('DISCARD ALL'),
    query(`DELETE FROM ${table}; SELECT 'end of ${n}'`),
  ]);
}

/** Sequence `n` under `seed`: a pure function of its arguments. */
export function postgresSequence(seed: number, n: number, lane: SequenceLane): PostgresSequence {
  const random = createRandom(seed + n * 7919);
  const kind = random();
  if (kind < 0.02) return startUpSequence(lane, random);
  if (kind < 0.025) return cancelSequence(n, lane, random);
  const messages = Array.from({ length: 1 + Math.floor(8 * random() ** 2) }, () => oneMessage(lane, random));
  const ends = kind > 0.99;
  if (ends) messages.push(OUT_OF_COPY, random() < 0.7 ? TERMINATE : message('?', 'no such message'));
  const bytes = Buffer.concat([...messages, ...(ends ? [] : [reset(n, lane)])]);
  return { kind: 'session', negotiation: [], bytes, cuts: cutsOf(bytes, random), ends };
}

function startUpSequence(lane: SequenceLane, random: Random): PostgresSequence {
  const { user, database } = lane;
  const then = random() < 0.5 ? [query('SELECT 1'), TERMINATE] : [TERMINATE];
  // After a start-up that is refused nothing is sent: the server would not read it, and reset the connection.
  const packets = pick(random, [
    [startup({ user, database }), ...then],
    [startup({ user, database, application_name: 'sequence', options: '-c work_mem=1MB' }), ...then],
    [startup({ user, database, client_encoding: 'LATIN1' }, 196_610), ...then],
    [startup({ user, database, '_pq_.no_such_option': '1' }, 196_609), ...then],
    [startup({ user, database: 'no_such_database' })],
    [startup({ database })],
    [startup({ user, database, no_such_setting: '1' })],
    [startup({ user, database }, 0x20000)],
    [startup({ user, database }, 0x50000)],
  ]);
  const bytes = Buffer.concat(packets);
  const negotiation = pick(random, [
    [],
    [],
    [SSL_REQUEST],
    [GSS_REQUEST],
    [SSL_REQUEST, GSS_REQUEST],
    [GSS_REQUEST, SSL_REQUEST],
  ]);
  return { kind: 'startup', negotiation, bytes, cuts: cutsOf(bytes, random), ends: true };
}

function cancelSequence(n: number, lane: SequenceLane, random: Random): PostgresSequence {
  const sleep = 'SELECT pg_sleep(60)';
  const slow = random() < 0.5 ? [query(sleep)] : [parse('', sleep), bind('', ''), execute(''), SYNC];
  const bytes = Buffer.concat([query('BEGIN'), ...slow, reset(n, lane)]);
  return { kind: 'cancel', negotiation: [], bytes, cuts: cutsOf(bytes, random), ends: false };
}

function oneMessage(lane: SequenceLane, random: Random): Buffer {
  const kind = random();
  if (kind < 0.4) return query(simpleSql(lane, random));
  if (kind < 0.55) return copy(lane, random);
  if (kind < 0.75) return pipeline(lane, random);
  return extended(lane, random);
}

const name = (random: Random) => pick(random, ['', '', 'st1', 'st2']);
const portal = (random: Random) => pick(random, ['', '', 'p1']);

/** A message of the extended protocol by itself, which may well make no sense where it stands. */
function extended(lane: SequenceLane, random: Random): Buffer {
  switch (below(random, 9)) {
    case 0:
      return parse(name(random), preparable(lane, random));
    case 1:
      return bind(portal(random), name(random), parameters(random), random() < 0.3);
    case 2:
      return describe(random() < 0.5 ? 'S' : 'P', name(random));
    case 3:
      // Not the unnamed portal: after a simple query that failed, PostgreSQL 18.4 crashes on it.
      return execute('p1', below(random, 3));
    case 4:
      return close(random() < 0.5 ? 'S' : 'P', name(random));
    case 5:
      return FLUSH;
    case 6:
      // FunctionCall of int4pl
      return message(
        'F',
        ...[int32(177), int16(1), int16(1), int16(2), int32(4), int32(20), int32(4), int32(below(random, 9))],
        int16(1),
      );
    default:
      return SYNC;
  }
}

/** What a driver sends for one statement, with a Sync or more of the same before it. */
function pipeline(lane: SequenceLane, random: Random): Buffer {
  const statement = name(random);
  const to = portal(random);
  const sql = preparable(lane, random);
  const given = [...sql.matchAll(/\$\d/g)].map(() => String(below(random, 20)));
  const rows = random() < 0.3 ? 1 + below(random, 3) : 0;
  return Buffer.concat([
    ...(statement !== '' && random() < 0.7 ? [close('S', statement)] : []),
    parse(statement, sql, random() < 0.2 ? given.map(() => 23) : []),
    ...(random() < 0.3 ? [describe('S', statement)] : []),
    bind(to, statement, given, random() < 0.3),
    ...(random() < 0.7 ? [describe('P', to)] : []),
    execute(to, rows),
    ...(rows > 0 ? [execute(to, 2), FLUSH, execute(to)] : []),
    ...(random() < 0.8 ? [SYNC] : []),
  ]);
}

function copy({ table }: SequenceLane, random: Random): Buffer {
  const out = pick(random, ['', ' WITH (FORMAT csv, HEADER)', ' WITH (FORMAT binary)']);
  if (random() < 0.4) return query(`COPY (SELECT * FROM ${table} ORDER BY id) TO STDOUT${out}`);
  const sql = `COPY ${random() < 0.9 ? table : 'no_such_table'} (id, name) FROM STDIN`;
  const asked = random() < 0.8;
  const begin = asked ? query(sql) : Buffer.concat([parse('', sql), bind('', ''), execute('')]);
  const rows = Array.from({ length: below(random, 5) }, () => {
    const row = random() < 0.9 ? `${below(random, 1000)}\tcopied\n` : 'not a number\tx\n';
    const at = below(random, row.length);
    return Buffer.concat([message('d', row.slice(0, at)), message('d', row.slice(at))]);
  });
  const end = random() < 0.8 ? message('c') : message('f', 'changed my mind\0');
  return Buffer.concat([begin, ...rows, end, ...(asked ? [] : [SYNC])]);
}

function parameters(random: Random): (string | Buffer | null)[] {
  return Array.from({ length: below(random, 3) }, () =>
    pick<() => string | Buffer | null>(random, [
      () => String(below(random, 100)),
      () => null,
      () => int32(below(random, 100)),
      () => 'x'.repeat(below(random, 20_000)),
    ])(),
  );
}

function preparable({ table }: SequenceLane, random: Random): string {
  const id = below(random, 50);
  return pick(random, [
    'SELECT $1::int AS a, $2::text AS b',
    'SELECT $1::int',
    `SELECT id, name FROM ${table} WHERE id > $1 ORDER BY id`,
    'SELECT n, n * 2.5, n::text FROM generate_series(1, 7) AS n',
    `INSERT INTO ${table} VALUES ($1, $2) RETURNING id`,
    `INSERT INTO ${table} VALUES (${id}, 'prepared', '\\x00ff')`,
    `UPDATE ${table} SET name = $2 WHERE id = $1`,
    `DELETE FROM ${table} WHERE id = $1`,
    'SELECT 1 / $1::int',
    'SELECT no_such_column',
    'SELEC 1',
    '',
    'BEGIN',
    'COMMIT',
    'ROLLBACK',
    'SAVEPOINT a',
    'ROLLBACK TO a',
    `SELECT repeat('y', ${below(random, 30_000)}), '${'z'.repeat(below(random, 12_000))}'`,
  ]);
}

function simpleSql(lane: SequenceLane, random: Random): string {
  const { table } = lane;
  const id = below(random, 50);
  const padding = random() < 0.02 ? `/*${'*'.repeat(below(random, 40_000))} */ ` : '';
  return (
    padding +
    pick(random, [
      ...['', ';', 'SELECT 1', "SELECT 1 AS a, 'two' AS b, NULL, true", 'SELEC', 'SELECT 1/0'],
      ...['BEGIN', 'BEGIN', 'BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY', 'COMMIT', 'END', 'ROLLBACK'],
      ...['COMMIT AND CHAIN', 'SAVEPOINT a', 'SAVEPOINT a', 'ROLLBACK TO a', 'RELEASE a', 'RELEASE nowhere'],
      ...['SELECT 1; SELECT 2; ;', 'SELECT 1; SELECT 1/0; SELECT 3', 'BEGIN; SELECT 4; COMMIT; SELECT 5'],
      `BEGIN; INSERT INTO ${table} VALUES (${id}, 'in one'); SELECT 1/0; COMMIT`,
      `INSERT INTO ${table} VALUES (${id}, 'simple')`,
      `INSERT INTO ${table} SELECT n, repeat('r', n) FROM generate_series(1, 20) n RETURNING id`,
      `INSERT INTO ${table} VALUES (${id}, NULL, '\\xdeadbeef') ON CONFLICT DO NOTHING`,
      `UPDATE ${table} SET name = 'changed' WHERE id = ${id}`,
      `DELETE FROM ${table} WHERE id = ${id} RETURNING *`,
      `SELECT * FROM ${table} ORDER BY id`,
      'DECLARE c CURSOR FOR SELECT generate_series(1, 9)',
      'DECLARE c CURSOR WITH HOLD FOR SELECT generate_series(1, 9)',
      ...['FETCH 3 FROM c', 'FETCH ALL FROM c', 'MOVE 2 IN c', 'CLOSE c'],
      ...["SET application_name = 'sequences'", "SET DateStyle = 'German, DMY'", 'SET LOCAL work_mem = 1'],
      ...["SET TimeZone = 'UTC'", 'SHOW search_path', 'RESET ALL', "SET client_encoding = 'LATIN1'"],
      ...[`LISTEN ${table}`, `NOTIFY ${table}, 'news'`, `UNLISTEN ${table}`],
      // EXECUTE has statements of its own: of a SAVEPOINT that was prepared by Parse, PostgreSQL 18.4 crashes.
      ...['PREPARE sql1 AS SELECT $1::int', 'EXECUTE sql1(3)', 'DEALLOCATE st1', 'DISCARD ALL'],
      "DO $$ BEGIN RAISE WARNING 'careful'; RAISE NOTICE 'noted' USING DETAIL = 'more'; END $$",
      "DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = 'BR001'; END $$",
      `SELECT repeat('x', ${below(random, random() < 0.05 ? 300_000 : 5_000)})`,
      `SELECT n, md5(n::text) FROM generate_series(1, ${below(random, 40)}) n`,
    ])
  );
}

/** Mostly a few cuts; now and then between all bytes of the beginning. */
function cutsOf(bytes: Buffer, random: Random): number[] {
  if (random() < 0.01) return Array.from({ length: Math.min(60, bytes.length - 1) }, (_, index) => index + 1);
  const cuts = Array.from({ length: below(random, 4) }, () => below(random, bytes.length));
  return cuts.sort((a, b) => a - b);
}

function below(random: Random, limit: number): number {
  return Math.floor(random() * limit);
}

function pick<T>(random: Random, from: readonly T[]): T {
  return from[below(random, from.length)] as T;
}
