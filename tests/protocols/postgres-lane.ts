import type pg from 'pg';
import { until } from '#tests/support/until.ts';
import { lastAnswers, type PostgresSequence, type SequenceLane } from './postgres-sequences.ts';
import { int32, packet, readAnswers, startup } from './postgres-wire.ts';
import { RawPostgres } from './raw-postgres.ts';

const CANCEL = 80877102;

/** One client that runs sequence after sequence against one port, and connects anew when it has to. */
export class PostgresLane {
  readonly connections: RawPostgres[] = [];
  readonly #port: number;
  readonly #lane: SequenceLane;
  readonly #observer: pg.Client;
  #current: RawPostgres | undefined;
  /** Process id and key of the current connection. */
  #key: Buffer = Buffer.alloc(0);

  constructor(port: number, lane: SequenceLane, observer: pg.Client) {
    this.#port = port;
    this.#lane = lane;
    this.#observer = observer;
  }

  /** Every byte that came back. `cut` false sends all bytes of the sequence at once. */
  async run(sequence: PostgresSequence, n: number, cut: boolean): Promise<Buffer> {
    const cuts = cut ? sequence.cuts : [];
    if (sequence.kind === 'startup') return this.#startUp(sequence, cuts);
    this.#current ??= await this.#connect();
    const connection = this.#current;
    const last = lastAnswers(n);
    const cancelled = sequence.kind === 'cancel' ? this.#cancel() : undefined;
    const answers = await connection.exchange(sequence.bytes, cuts, (tail) =>
      tail.subarray(-last.length).equals(last),
    );
    await cancelled;
    if (connection.closed) {
      this.#current = undefined;
      await this.#observer.query(`TRUNCATE ${this.#lane.table}`); // what a sequence that goes on does at its end
    }
    if (connection.closed !== sequence.ends)
      throw new Error(`The connection is closed: ${connection.closed}`);
    return answers;
  }

  end(): void {
    for (const connection of this.connections) connection.end();
  }

  #open(): RawPostgres {
    const connection = new RawPostgres(this.#port);
    this.connections.push(connection);
    return connection;
  }

  async #connect(): Promise<RawPostgres> {
    const { user, database } = this.#lane;
    const connection = this.#open();
    const answers = await connection.exchange(startup({ user, database }), [], (tail) =>
      tail.subarray(-6, -1).equals(Buffer.from([0x5a, 0, 0, 0, 5])),
    );
    this.#key = readAnswers(answers).find(({ type }) => type === 'K')?.body ?? Buffer.alloc(0);
    return connection;
  }

  async #startUp({ negotiation, bytes }: PostgresSequence, cuts: readonly number[]): Promise<Buffer> {
    const connection = this.#open();
    for (const request of negotiation) {
      const declined = await connection.exchange(request, cuts, (tail) => tail.length > 0);
      if (declined.toString() !== 'N')
        throw new Error(`Not declined: ${JSON.stringify(declined.toString())}`);
    }
    return connection.exchange(bytes, cuts, () => false);
  }

  /** Cancels the query once it sleeps: one request, so that none can hit what comes after it. */
  async #cancel(): Promise<void> {
    const pid = this.#key.readInt32BE(0);
    const sleeping = "SELECT 1 FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'PgSleep'";
    await until(
      'the query sleeps',
      10_000,
      async () => (await this.#observer.query(sleeping, [pid])).rowCount === 1,
      5,
    );
    await this.#open().exchange(packet(CANCEL, int32(pid), this.#key.subarray(4)), [3, 9], () => false);
  }
}
