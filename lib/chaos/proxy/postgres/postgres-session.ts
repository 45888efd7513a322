import type { FaultSpec } from '../../faults/fault.ts';
import type { LinkPort, Session } from '../session.ts';
import { type Completion, Cycle } from './cycle.ts';
import { MessageFramer } from './message-framer.ts';
import {
  extendedStatement,
  fatalResponse,
  queryMessage,
  raisingSql,
  readBind,
  readClosedStatement,
  readParse,
  readQuery,
} from './messages.ts';
import { isCommit, isHealthCheck, isNeverFailed, verbOf } from './sql.ts';
import { sqlErrorOf } from './sql-errors.ts';

const EMPTY = Buffer.alloc(0);
const SSL_REQUEST = 80877103;
const GSS_REQUEST = 80877104;
const CANCEL_REQUEST = 80877102;
const CONNECT = { kind: 'connect' } as const;
/** SQL beyond this is not looked at. */
const MAX_SQL_BYTES = 8 * 1024;
/** Named statements that are remembered for matching; beyond it the oldest is forgotten. */
const MAX_STATEMENTS = 1000;

/** Messages whose head must be read to judge them. */
const JUDGED = new Set(['Q', 'P', 'B', 'C']);
const COMPLETION_OF: Readonly<Record<string, Completion>> = {
  '1': 'parse',
  '2': 'bind',
  C: 'execute',
  I: 'execute',
  s: 'execute',
};

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
  readonly #statements = new Map<string, string>();
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
  }

  fromServer(chunk: Buffer): void {
    if (this.#phase === 'negotiating') {
      this.#negotiated(chunk);
      return;
    }
    const rest = this.#fromServer.feed(chunk);
    if (rest) this.#degrade('answers are not PostgreSQL', EMPTY, rest);
    else this.#link.settled();
  }

  atBoundary(): boolean {
    if (this.#phase !== 'running') return this.#phase === 'startup' && this.#startup.length === 0;
    const complete = this.#link.closing || this.#fromClient.atBoundary;
    return complete && this.#cycles.length === 0 && this.#fromServer.atBoundary;
  }

  /** Packets before the first typed message: TLS and GSS requests, Cancel, and the start-up itself. */
  #startUp(chunk: Buffer): void {
    const bytes = this.#startup.length > 0 ? Buffer.concat([this.#startup, chunk]) : chunk;
    this.#startup = EMPTY;
    if (this.#link.closing) return;
    if (this.#phase === 'negotiating' || bytes.length < 8) {
      this.#startup = bytes;
      return;
    }
    const packetBytes = bytes.readUInt32BE(0);
    const code = bytes.readUInt32BE(4);
    if (packetBytes < 8 || packetBytes > 10_000 || (code < 0x30000 && code !== 0x20000)) {
      this.#degrade('not PostgreSQL', bytes, EMPTY);
      return;
    }
    if (bytes.length < packetBytes) {
      this.#startup = bytes;
      return;
    }
    const packet = bytes.subarray(0, packetBytes);
    const rest = bytes.subarray(packetBytes);
    const { faults } = this.#link;
    const delayMs = faults.quiet ? 0 : faults.delayMs(CONNECT);
    const opens = code !== SSL_REQUEST && code !== GSS_REQUEST && code !== CANCEL_REQUEST;
    const refused = opens && !faults.quiet ? faults.outcome(CONNECT, 'too_many_connections') : undefined;
    if (refused) {
      this.#link.countHit();
      this.#link.inOrder(delayMs, () => {
        this.#link.toClient(fatalResponse(sqlErrorOf(refused.fault)));
        this.#link.finish();
      });
      return;
    }
    if (code === SSL_REQUEST || code === GSS_REQUEST) {
      this.#phase = 'negotiating';
      this.#startup = rest;
    } else if (opens) {
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
        return this.#simpleQuery(readQuery(head), flush);
      case 'P': {
        const { statement, sql } = readParse(head);
        const cycle = this.#openCycle();
        this.#disturb(cycle, sql, flush);
        if (!cycle.disturbed && statement !== '') this.#remember(statement, sql);
        if (statement === '') this.#statements.set('', sql);
        this.#parsed = statement;
        cycle.sent('parse');
        return 'pass';
      }
      case 'B': {
        const { statement } = readBind(head);
        const cycle = this.#openCycle();
        // A statement that this cycle has just parsed was judged there.
        if (this.#parsed !== statement) this.#disturb(cycle, this.#statements.get(statement) ?? '', flush);
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
        this.#openCycle();
        return 'pass';
      }
      case 'D':
        this.#openCycle();
        return 'pass';
      case 'S':
        this.#openCycle();
        this.#open = undefined;
        this.#parsed = undefined;
        return 'pass';
      case 'F':
        this.#cycles.push(new Cycle());
        return 'pass';
      default:
        return 'pass';
    }
  }

  /** The statement parsed last in the open cycle and not bound yet. */
  #parsed: string | undefined;

  #simpleQuery(sql: string, flush: () => void): 'pass' | 'drop' {
    const cycle = new Cycle();
    const hit = this.#judge(sql, flush, this.#cycles.length === 0);
    this.#cycles.push(cycle);
    if (!hit) return 'pass';
    if (hit.verb === 'gone') return 'drop';
    flush();
    const commits = isCommit(hit.verb) && this.#status === 'T';
    cycle.replaced(commits ? 1 : 0);
    this.#link.toServer(queryMessage(commits ? `ROLLBACK; ${hit.raising}` : hit.raising), this.#delayMs);
    return 'drop';
  }

  /** Puts the failing statement in front of the message that is about to pass, when a fault hits it. */
  #disturb(cycle: Cycle, sql: string, flush: () => void): void {
    const known = this.#cycles.length === 1 && !cycle.disturbed;
    const hit = this.#judge(sql, flush, known);
    if (!hit || hit.verb === 'gone') return;
    flush();
    const commits = isCommit(hit.verb) && this.#status === 'T';
    cycle.putIn(commits ? 2 : 1);
    if (commits) this.#link.toServer(extendedStatement('ROLLBACK'), this.#delayMs);
    this.#link.toServer(extendedStatement(hit.raising), this.#delayMs);
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
    if (type === 'Z') {
      this.#status = String.fromCharCode(head[5] ?? 0);
      this.#cycles.shift();
      return 'pass';
    }
    const kind = COMPLETION_OF[type];
    return kind && this.#cycles[0]?.completes(kind) ? 'drop' : 'pass';
  }

  #openCycle(): Cycle {
    if (!this.#open) {
      this.#open = new Cycle();
      this.#cycles.push(this.#open);
    }
    return this.#open;
  }

  #remember(statement: string, sql: string): void {
    if (this.#statements.size >= MAX_STATEMENTS) {
      const oldest = this.#statements.keys().next().value;
      if (oldest !== undefined) this.#statements.delete(oldest);
    }
    this.#statements.set(statement, sql.slice(0, MAX_SQL_BYTES));
  }

  #degrade(reason: string, clientRest: Buffer, serverRest: Buffer): void {
    if (this.#degraded) return;
    this.#degraded = true;
    this.#link.degrade(reason, clientRest, serverRest);
  }
}
