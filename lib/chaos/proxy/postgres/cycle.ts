/** Kinds of completion by which the server answers one message of the extended protocol each. */
export type Completion = 'parse' | 'bind' | 'execute';

/** What of a cycle's answers is ours: completions by kind and ordinal. */
interface Own {
  parse: readonly number[];
  bind: readonly number[];
  execute: readonly number[];
}

/**
 * One cycle of the protocol: from its first message to the server's ReadyForQuery.
 *
 * It counts messages and completions, so that the completions of what the proxy put in can be told from the client's.
 */
export class Cycle {
  #sent = { parse: 0, bind: 0, execute: 0 };
  #seen = { parse: 0, bind: 0, execute: 0 };
  #own: Own | undefined;

  /** A fault has been put into this cycle; the server skips the rest of it. */
  get disturbed(): boolean {
    return this.#own !== undefined;
  }

  sent(kind: Completion): void {
    this.#sent[kind]++;
  }

  /** The proxy put in `statements` times Parse, Bind and Execute; the last one fails when executed. */
  putIn(statements: number): void {
    const from = (count: number, length: number) => Array.from({ length }, (_, index) => count + index);
    this.#own = {
      parse: from(this.#sent.parse, statements),
      bind: from(this.#sent.bind, statements),
      execute: from(this.#sent.execute, statements - 1),
    };
  }

  /** The client's simple query was replaced by one whose first `results` results are ours. */
  replaced(results: number): void {
    this.#own = { parse: [], bind: [], execute: Array.from({ length: results }, (_, index) => index) };
  }

  /** Whether this completion is ours, to be taken out. */
  completes(kind: Completion): boolean {
    return this.#own?.[kind].includes(this.#seen[kind]++) ?? false;
  }
}
