import type { FaultSpec } from '../../faults/fault.ts';
import type { LinkPort, Session } from '../session.ts';
import { Cycle } from './cycle.ts';
import { MessageFramer } from './message-framer.ts';
import {
  closeStatement,
  extendedStatement,
  fatalResponse,
  queryMessage,
  raisingSql,
  readBind,
  readClosedStatement,
  readParse,
  readQuery,
  syncMessage,
} from './messages.ts';
import { isCommit, isHealthCheck, isNeverFailed, verbOf } from './sql.ts';
import { sqlErrorOf } from './sql-errors.ts';
import { readStartupPacket } from './startup-packet.ts';
import { MAX_SQL_BYTES, StatementTexts } from './statement-texts.ts';

const EMPTY = Buffer.alloc(0);
const CONNECT = { kind: 'connect' } as const;
/** Bytes that may come while the server has not answered about encryption, before the client is not read. */
export const MAX_EARLY_BYTES = 64 * 1024;
/** Cycles without ReadyForQuery beyond which the client is not read. */
const MAX_CYCLES = 10_000;
/** First byte of a TLS handshake. */
const TLS = 0x16;

/** Messages whose head must be read to judge them. */
const JUDGED = new Set(['Q', 'P', 'B', 'C']);
/** What the proxy puts in has names of its own: the client's unnamed statement and portal stay what they are. */
const FAULT = '_brownout_fault';
const ROLLBACK = '_brownout_rollback';
/** After the client's Sync: takes away what was put in, and asks for the ReadyForQuery that the client gets. */
const TIDY = Buffer.concat([closeStatement(FAULT), closeStatement(ROLLBACK), syncMessage()]);

type Phase = 'startup' | 'negotiating' | 'running';

/**
 * PostgreSQL between a client and its server.
 *
 * A query hit by a fault really fails in the server: a statement that raises SQLSTATE 58000 is executed in its place
 * (simple protocol) or in front of it (extended protocol, where the server then skips to Sync), so a transaction is
 * aborted on both sides. The completions of what was put in are taken out of the answers. A COMMIT becomes a ROLLBACK
 * and the error. Nothing is put into an aborted transaction, nor while the state is not known.
 */
export class PostgresSession implements Session {
  readonly holdsBytes = true;
  readonly #link: LinkPort;
  readonly #fromClient: MessageFramer;
  readonly #fromServer: MessageFramer;
  readonly #statements = new StatementTexts();
  #phase: Phase = 'startup';
  #startup: Buffer = EMPTY;
  /** Cycles without ReadyForQuery, oldest first. The first one is the start-up. */
  readonly #cycles: Cycle[] = [];
  /** The cycle that the client has begun and not ended by Sync. */
  #open: Cycle | undefined;
  /** Transaction status of the last ReadyForQuery: I, T or E. */
  #status = '';
  #delayMs = 0;
  #degraded = false;
  /** The client is not read until more cycles are over. */
  #waits = false;

  constructor(link: LinkPort) {
    this.#link = link;
    this.#fromClient = new MessageFramer({
      headBytes: (type, bytes) => (JUDGED.has(type) ? Math.min(bytes, MAX_SQL_BYTES) : 5),
      message: (type, head, flush) => this.#request(type, head, flush),
      pass: (bytes) => this.#link.toServer(bytes, this.#delayMs),
      ended: () => {},
    });
    this.#fromServer = new MessageFramer({
      headBytes: (type) => (type === 'Z' ? 6 : 5),
      message: (type, head) => this.#answer(type, head),
      pass: (bytes) => this.#link.toClient(bytes),
      ended: () => {},
    });
    link.connect();
  }

  fromClient(chunk: Buffer): void {
    if (this.#phase !== 'running') {
      this.#startUp(chunk);
      return;
    }
    const rest = this.#fromClient.feed(chunk);
    if (rest) this.#degrade('not PostgreSQL', rest, EMPTY);
    if (this.#waits || this.#cycles.length < MAX_CYCLES) return;
    this.#waits = true;
    this.#link.pauseClient(true);
  }

  fromServer(chunk: Buffer): void {
    if (this.#phase === 'negotiating') {
      this.#negotiated(chunk);
      return;
    }
    const rest = this.#fromServer.feed(chunk);
    if (rest) this.#degrade('answers are not PostgreSQL', EMPTY, rest);
    else this.#link.settled();
    if (!this.#waits || this.#cycles.length >= MAX_CYCLES / 2) return;
    this.#waits = false;
    this.#link.pauseClient(false);
  }

  atBoundary(): boolean {
    if (this.#phase !== 'running') return this.#phase === 'startup' && this.#startup.length === 0;
    const complete = this.#link.closing || this.#fromClient.atBoundary;
    return complete && this.#cycles.length === 0 && this.#fromServer.atBoundary;
  }

  delaysChanged(): void {
    this.#delayMs = 0;
  }

  /** Packets before the first typed message: TLS and GSS requests, Cancel, and the start-up itself. */
  #startUp(chunk: Buffer): void {
    const bytes = this.#startup.length > 0 ? Buffer.concat([this.#startup, chunk]) : chunk;
    this.#startup = EMPTY;
    if (this.#link.closing) return;
    if (this.#phase === 'negotiating') {
      this.#startup = bytes;
      if (bytes.length > MAX_EARLY_BYTES) this.#link.pauseClient(true);
      return;
    }
    const read = readStartupPacket(bytes);
    if (read === 'short') {
      this.#startup = bytes;
      return;
    }
    if (read === 'foreign') {
      this.#degrade(bytes[0] === TLS ? 'encrypted bytes' : 'not PostgreSQL', bytes, EMPTY);
      return;
    }
    const { kind, packet, rest } = read;
    const { faults } = this.#link;
    const delayMs = faults.quiet ? 0 : faults.delayMs(CONNECT);
    const refused =
      kind === 'open' && !faults.quiet ? faults.outcome(CONNECT, 'too_many_connections') : undefined;
    if (refused) {
      this.#link.countHit();
      this.#link.inOrder(delayMs, () => {
        this.#link.toClient(fatalResponse(sqlErrorOf(refused.fault)));
        this.#link.finish();
      });
      return;
    }
    if (kind === 'encryption') {
      this.#phase = 'negotiating';
      this.#startup = rest;
    } else if (kind === 'open') {
      this.#phase = 'running';
      this.#cycles.push(new Cycle());
    }
    this.#delayMs = delayMs;
    this.#link.toServer(packet, delayMs);
    if (this.#phase === 'running' && rest.length > 0) this.fromClient(rest);
  }

  /** The server's one byte about encryption: N goes on in clear, S is the last thing that is understood. */
  #negotiated(chunk: Buffer): void {
    if (String.fromCharCode(chunk[0] ?? 0) !== 'N') {
      const rest = this.#startup;
      this.#startup = EMPTY;
      this.#degrade('encrypted bytes', rest, chunk);
      return;
    }
    this.#phase = 'startup';
    this.#link.pauseClient(false);
    this.#link.toClient(chunk);
    const rest = this.#startup;
    this.#startup = EMPTY;
    if (rest.length > 0) this.#startUp(rest);
    this.#link.settled();
  }

  #request(type: string, head: Buffer, flush: () => void): 'pass' | 'drop' {
    if (this.#link.closing && !this.#open && this.#cycles.length === 0) return 'drop';
    switch (type) {
      case 'Q':
        return this.#simpleQuery(this.#link.faults.quiet ? '' : readQuery(head), flush);
      case 'P': {
        const { statement, sql } = readParse(head);
        const cycle = this.#openCycle();
        this.#disturb(cycle, sql, flush, statement === '');
        if (!cycle.disturbed) this.#statements.set(statement, sql);
        else if (statement === '') this.#statements.delete('');
        this.#parsed = statement;
        cycle.sent('parse');
        return 'pass';
      }
      case 'B': {
        const { statement } = readBind(head);
        const cycle = this.#openCycle();
        // A statement that this cycle has just parsed was judged there.
        if (this.#parsed !== statement) this.#disturb(cycle, this.#statements.of(statement), flush);
        this.#parsed = undefined;
        cycle.sent('bind');
        return 'pass';
      }
      case 'E':
        this.#openCycle().sent('execute');
        return 'pass';
      case 'C': {
        const closed = readClosedStatement(head);
        if (closed !== undefined) this.#statements.delete(closed);
        this.#openCycle().sent('close');
        return 'pass';
      }
      case 'D':
        this.#openCycle().sent('describe');
        return 'pass';
      case 'S':
        return this.#sync(head, flush);
      case 'F':
        if (!this.#open?.disturbed) this.#endCycle('query');
        return 'pass';
      case 'c':
      case 'f': {
        const cycle = this.#cycles.at(-1);
        if (cycle) cycle.copied = true;
        return 'pass';
      }
      default:
        return 'pass';
    }
  }

  /** The statement parsed last in the open cycle and not bound yet. */
  #parsed: string | undefined;

  #simpleQuery(sql: string, flush: () => void): 'pass' | 'drop' {
    if (this.#open?.disturbed) return 'pass'; // the server skips it
    const hit = this.#judge(sql, flush, this.#cycles.length === 0);
    const cycle = this.#endCycle('query');
    if (!hit) return 'pass';
    if (hit.verb === 'gone') return 'drop';
    flush();
    const commits = isCommit(hit.verb) && this.#status === 'T';
    cycle.replaced(commits ? 1 : 0);
    this.#link.toServer(queryMessage(commits ? `ROLLBACK; ${hit.raising}` : hit.raising), this.#delayMs);
    return 'drop';
  }

  #sync(head: Buffer, flush: () => void): 'pass' | 'drop' {
    const cycle = this.#endCycle('sync');
    if (!cycle.disturbed) return 'pass';
    flush();
    this.#link.toServer(Buffer.concat([head, TIDY]), this.#delayMs);
    return 'drop';
  }

  /**
   * Puts the failing statement in front of the message that is about to pass, when a fault hits it. A Parse that
   * fails leaves no unnamed statement behind if that is what it was to make.
   */
  #disturb(cycle: Cycle, sql: string, flush: () => void, parsesUnnamed = false): void {
    const known = this.#cycles.length === 1 && !cycle.disturbed;
    const hit = this.#judge(sql, flush, known);
    if (!hit || hit.verb === 'gone') return;
    flush();
    // What was executed in this cycle may have begun a transaction; outside of one ROLLBACK is a warning.
    const commits = isCommit(hit.verb) && (this.#status === 'T' || cycle.executed);
    const statements = commits ? 2 : 1;
    const putIn = [extendedStatement(FAULT, hit.raising)];
    if (commits) putIn.unshift(extendedStatement(ROLLBACK, 'ROLLBACK'));
    if (parsesUnnamed) putIn.unshift(closeStatement(''));
    cycle.putIn({
      parse: statements,
      bind: statements,
      execute: statements - 1,
      close: parsesUnnamed ? 1 : 0,
    });
    this.#link.toServer(Buffer.concat(putIn), this.#delayMs);
  }

  /**
   * Counts and delays a query, and decides whether it fails. `known` says that the transaction status is the one the
   * query will meet. "gone": the connection was held or reset instead.
   */
  #judge(sql: string, flush: () => void, known: boolean): { verb: string; raising: string } | undefined {
    this.#link.countRequest();
    const { faults } = this.#link;
    if (faults.quiet) {
      if (this.#delayMs > 0) flush();
      this.#delayMs = 0;
      return undefined;
    }
    flush();
    const verb = verbOf(sql);
    const call = {
      kind: verb || 'other',
      command: verb,
      sql,
      healthCheck: isHealthCheck(sql),
      inTransaction: this.#status === 'T',
    };
    this.#delayMs = faults.delayMs(call);
    if (!known || this.#status === 'E' || this.#status === '' || isNeverFailed(verb)) return undefined;
    const outcome = faults.outcome(call);
    if (!outcome) return undefined;
    const { fault, action } = outcome;
    this.#link.countHit();
    if (action === 'answer') return { verb, raising: raisingSql(sqlErrorOf(fault)) };
    if (action === 'hold') this.#link.hold(fault);
    else if (fault.params['how'] === 'terminated') this.#terminate(fault);
    else this.#link.reset();
    return { verb: 'gone', raising: '' };
  }

  /** Ends the connection as an administrator would. The server sees its client leave and rolls back. */
  #terminate(fault: FaultSpec): void {
    this.#link.toClient(fatalResponse(sqlErrorOf(fault)));
    this.#link.finish();
  }

  #answer(type: string, head: Buffer): 'pass' | 'drop' {
    const cycle = this.#cycles[0];
    switch (type) {
      case 'Z':
        if (cycle?.ready() === false) return 'drop';
        this.#status = String.fromCharCode(head[5] ?? 0);
        this.#cycles.shift();
        return 'pass';
      case 'E':
        if (cycle?.owesExtended) this.#skipToSync();
        return 'pass';
      case 'G':
        // While the server takes COPY data it ignores Sync: the one that the client has sent ends nothing.
        if (cycle?.end === 'sync' && !cycle.copied && this.#cycles.length === 1) {
          cycle.end = undefined;
          this.#open = cycle;
        }
        return 'pass';
      default:
        return cycle?.takesOut(type) ? 'drop' : 'pass';
    }
  }

  /** After an error in an extended message the server answers nothing up to the next Sync, queries included. */
  #skipToSync(): void {
    while (this.#cycles[0]?.end === 'query') this.#cycles.shift();
    if (this.#cycles.length === 0) this.#openCycle();
  }

  #endCycle(end: 'sync' | 'query'): Cycle {
    const cycle = this.#openCycle();
    cycle.end = end;
    this.#open = undefined;
    this.#parsed = undefined;
    return cycle;
  }

  #openCycle(): Cycle {
    if (!this.#open) {
      this.#open = new Cycle();
      this.#cycles.push(this.#open);
    }
    return this.#open;
  }

  #degrade(reason: string, clientRest: Buffer, serverRest: Buffer): void {
    if (this.#degraded) return;
    this.#degraded = true;
    const kept = this.#phase === 'running' ? this.#fromClient.rest : this.#startup;
    const client = clientRest.length > 0 ? clientRest : kept;
    const server = serverRest.length > 0 ? serverRest : this.#fromServer.rest;
    // A message taken out in part, or answers of ours still to be taken out: the streams no longer fit together.
    const mixed = client === undefined || server === undefined || this.#cycles.some((each) => each.disturbed);
    if (mixed) this.#link.reset();
    else this.#link.degrade(reason, client, server);
  }
}
