/** Kinds of completion by which the server answers one message of the extended protocol each. */
export type Completion = 'parse' | 'bind' | 'execute' | 'close' | 'describe';

const COMPLETION_OF: Readonly<Record<string, Completion>> = {
  '1': 'parse',
  '2': 'bind',
  '3': 'close',
  C: 'execute',
  I: 'execute',
  s: 'execute',
  T: 'describe',
  n: 'describe',
};

function counts(): Record<Completion, number> {
  return { parse: 0, bind: 0, execute: 0, close: 0, describe: 0 };
}

/** How many of each kind the proxy has put into a cycle. */
export type PutIn = Readonly<Partial<Record<Completion, number>>>;

/**
 * One cycle of the protocol: from its first message to the server's ReadyForQuery.
 *
 * It counts messages and completions, so that the completions of what the proxy put in can be told from the client's.
 */
export class Cycle {
  readonly #sent = counts();
  readonly #seen = counts();
  /** Ordinals of the completions that are ours, from the first to before the last. */
  readonly #own: Partial<Record<Completion, { from: number; to: number }>> = {};
  #disturbed = false;
  #tidying = false;
  /** Extended messages of the client that have not been answered. */
  #owed = 0;
  /** By what the client has ended it: a Sync, or a simple query (or function call) that brings its own end. */
  end: 'sync' | 'query' | undefined;
  /** The client has ended COPY data in it. */
  copied = false;

  /** A fault has been put into this cycle; the server skips the rest of it. */
  get disturbed(): boolean {
    return this.#disturbed;
  }

  /** Whether the client has executed something in it, which may have begun a transaction. */
  get executed(): boolean {
    return this.#sent.execute > 0;
  }

  /** Whether an error now is that of an extended message, after which the server skips everything to the next Sync. */
  get owesExtended(): boolean {
    return this.#owed > 0;
  }

  sent(kind: Completion): void {
    this.#sent[kind]++;
    this.#owed++;
  }

  /** The proxy has put in so many messages; the last Execute fails and has no completion. */
  putIn(put: PutIn): void {
    this.#disturbed = true;
    for (const [kind, count] of Object.entries(put) as [Completion, number][]) {
      this.#own[kind] = { from: this.#sent[kind], to: this.#sent[kind] + count };
    }
  }

  /** The client's simple query was replaced by one whose first `results` results are ours. */
  replaced(results: number): void {
    this.#own.execute = { from: 0, to: results };
  }

  /** Whether this answer is ours, to be taken out. To be called with every answer but ReadyForQuery. */
  takesOut(type: string): boolean {
    const kind = COMPLETION_OF[type];
    if (!kind) return false;
    if (this.#tidying) return true;
    const ordinal = this.#seen[kind]++;
    const own = this.#own[kind];
    if (own && ordinal >= own.from && ordinal < own.to) return true;
    this.#owed = Math.max(0, this.#owed - 1);
    return false;
  }

  /**
   * ReadyForQuery has come. A disturbed cycle has two: between them the proxy tidies up what it has put in.
   * @returns whether it is over
   */
  ready(): boolean {
    if (!this.#disturbed || this.#tidying) return true;
    this.#tidying = true;
    return false;
  }
}
