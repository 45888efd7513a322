import type { Clock } from '../../clock.ts';
import { faultMark } from '../../faults/fault.ts';
import type { LinkPort, Session } from '../session.ts';
import { DataProxy } from './data-proxy.ts';
import {
  beginsCommand,
  beginsReplyLine,
  finalCode,
  longReplyCode,
  passivePort,
  plainCode,
  withPassiveAddress,
} from './replies.ts';

const EMPTY = Buffer.alloc(0);
/** Longest line that is waited for and kept meanwhile; what is longer is not FTP. */
export const MAX_LINE_BYTES = 8 * 1024;
/** Commands without their reply beyond which the client is not read. */
const MAX_OWED = 1000;
const UPLOADS = new Set(['STOR', 'APPE', 'STOU']);

/** A reply that is owed to the client: the server's, or ours once its command has come through the delay. */
interface Owed {
  ours: string | undefined;
  ready: boolean;
}

/** One object for them all, for it never changes. */
const THEIRS: Owed = { ours: undefined, ready: false };

/**
 * FTP between a client and its server: the control connection, and a data proxy for each passive transfer.
 *
 * `PASV` and `EPSV` replies are rewritten, or data would go past the proxy. Faults hit connecting and uploading; a
 * refused upload never reaches the server.
 */
export class FtpSession implements Session {
  readonly holdsBytes = true;
  readonly #link: LinkPort;
  readonly #clock: Clock;
  readonly #transfers = new Set<DataProxy>();
  #fromClient: Buffer = EMPTY;
  #fromServer: Buffer = EMPTY;
  /** The greeting is owed first. */
  readonly #owed: Owed[] = [THEIRS];
  #data: DataProxy | undefined;
  /** Code of the reply of several lines that has begun. */
  #longReply: number | undefined;
  #opening = false;
  #waits = false;
  #gone = false;

  constructor(link: LinkPort, clock: Clock) {
    this.#link = link;
    this.#clock = clock;
    const refused = link.faults.quiet
      ? undefined
      : link.faults.outcome({ kind: 'connect', command: 'connect' }, 'server_error');
    if (refused) {
      link.countHit();
      link.toClient(Buffer.from(`421 Service not available ${faultMark(refused.fault.id)}\r\n`));
      link.finish();
    } else {
      link.connect();
    }
  }

  fromClient(chunk: Buffer): void {
    let bytes = this.#fromClient.length > 0 ? Buffer.concat([this.#fromClient, chunk]) : chunk;
    this.#fromClient = EMPTY;
    while (bytes.length > 0 && !this.#gone) {
      const end = bytes.indexOf(10);
      if (!beginsCommand(bytes[0] ?? 0) || (end < 0 && bytes.length > MAX_LINE_BYTES)) {
        this.#fromClient = bytes;
        this.#degrade(bytes[0] === 0x16 ? 'encrypted bytes' : 'not FTP');
        return;
      }
      if (end < 0) break;
      this.#command(bytes.subarray(0, end + 1));
      bytes = bytes.subarray(end + 1);
    }
    this.#fromClient = bytes;
  }

  fromServer(chunk: Buffer): void {
    this.#fromServer = this.#fromServer.length > 0 ? Buffer.concat([this.#fromServer, chunk]) : chunk;
    this.#replies();
  }

  atBoundary(): boolean {
    const transferring = [...this.#transfers].some((transfer) => transfer.active);
    return this.#owed.length === 0 && !transferring && (this.#link.closing || this.#fromClient.length === 0);
  }

  faultsChanged(): void {
    for (const transfer of [...this.#transfers]) transfer.faultsChanged();
  }

  closed(): void {
    this.#gone = true;
    for (const transfer of [...this.#transfers]) transfer.close();
  }

  #command(line: Buffer): void {
    if (this.#link.closing) return;
    if (line.length <= 2 && line.toString('latin1').trim() === '') {
      this.#link.toServer(line, 0); // nobody answers an empty line
      return;
    }
    const { faults } = this.#link;
    this.#link.countRequest();
    if (faults.quiet) {
      this.#owe(THEIRS);
      this.#link.toServer(line, 0);
      return;
    }
    const [, word = '', argument = ''] = /^(\S*)\s*(.*?)\r?\n$/s.exec(line.toString('utf8')) ?? [];
    const name = word.toUpperCase();
    const call = { kind: name, command: name, file: argument, healthCheck: name === 'NOOP' };
    const delayMs = faults.delayMs(call);
    if (UPLOADS.has(name) && this.#disturbUpload(call, delayMs)) return;
    if (name === 'PORT' || name === 'EPRT') {
      faults.warn('active mode: the data connection goes past the proxy', 'hold', 'delay', 'cut');
    }
    this.#owe(THEIRS);
    this.#link.toServer(line, delayMs);
  }

  #owe(owed: Owed): void {
    this.#owed.push(owed);
    if (this.#waits || this.#owed.length < MAX_OWED) return;
    this.#waits = true;
    this.#link.pauseClient(true);
  }

  #paid(): void {
    this.#owed.shift();
    if (!this.#waits || this.#owed.length >= MAX_OWED / 2) return;
    this.#waits = false;
    this.#link.pauseClient(false);
  }

  /** Hands over everything that was kept on either side. */
  #degrade(reason: string): void {
    const [client, server] = [this.#fromClient, this.#fromServer];
    this.#fromClient = EMPTY;
    this.#fromServer = EMPTY;
    this.#link.degrade(reason, client, server);
  }

  /** @returns whether the command is dealt with */
  #disturbUpload(call: { kind: string; command: string; file: string }, delayMs: number): boolean {
    const outcome = this.#link.faults.outcome(call);
    if (!outcome) return false;
    const { fault, action } = outcome;
    if (action === 'hold' && fault.params['channel'] !== 'control') {
      this.#data?.hold(fault);
      return false;
    }
    this.#link.countHit();
    if (action === 'hold') {
      this.#link.hold(fault);
    } else if (action === 'answer') {
      const owed: Owed = {
        ours: `451 Injected by fault ${fault.type} ${faultMark(fault.id)}\r\n`,
        ready: false,
      };
      this.#owe(owed);
      const data = this.#data;
      this.#link.inOrder(delayMs, () => {
        owed.ready = true;
        this.#sendOurs();
        data?.refuse();
      });
    } else {
      this.#data?.close();
      this.#link.reset();
    }
    return true;
  }

  #replies(): void {
    while (!this.#opening && !this.#gone) {
      if (this.#fromServer.length === 0) break;
      const end = this.#fromServer.indexOf(10);
      if (
        !beginsReplyLine(this.#fromServer[0] ?? 0) ||
        (end < 0 && this.#fromServer.length > MAX_LINE_BYTES)
      ) {
        this.#degrade('answers are not FTP');
        break;
      }
      if (end < 0) break;
      const raw = this.#fromServer.subarray(0, end + 1);
      this.#fromServer = this.#fromServer.subarray(end + 1);
      const code = this.#longReply === undefined ? plainCode(raw) : undefined;
      if (code !== undefined) {
        this.#reply(raw, code);
        continue;
      }
      const line = raw.toString('utf8').trimEnd();
      if (this.#isInsideReply(line)) {
        this.#link.toClient(raw);
        continue;
      }
      const port = passivePort(line);
      if (port === undefined) this.#reply(raw, finalCode(line));
      else this.#openTransfer(line, port);
    }
  }

  /** Whether this line is not the last of its reply. A longer reply ends with a line of its own code, no other. */
  #isInsideReply(line: string): boolean {
    if (this.#longReply === undefined) {
      this.#longReply = longReplyCode(line);
      return this.#longReply !== undefined;
    }
    if (finalCode(line) !== this.#longReply) return true;
    this.#longReply = undefined;
    return false;
  }

  #reply(raw: Buffer, code: number | undefined): void {
    this.#link.toClient(raw);
    if (code === undefined || code < 200) return;
    this.#paid();
    this.#sendOurs();
    this.#link.settled();
    if (code === 234) this.#degrade('encrypted bytes');
  }

  #sendOurs(): void {
    for (let head = this.#owed[0]; head?.ours && head.ready; head = this.#owed[0]) {
      this.#paid();
      this.#link.toClient(Buffer.from(head.ours));
    }
    this.#link.settled();
  }

  /** Opens a port for the transfer, then tells the client about it instead of about the server's. */
  #openTransfer(line: string, port: number): void {
    for (const transfer of [...this.#transfers]) transfer.supersede();
    const host = this.#link.localAddress.replace(/^::ffff:/, '');
    const transfer = new DataProxy({
      host,
      upstream: { host: this.#link.upstreamHost, port },
      faults: this.#link.faults,
      clock: this.#clock,
      onBytes: (count) => this.#link.countBytes(count),
      onHit: () => this.#link.countHit(),
      onClosed: () => {
        this.#transfers.delete(transfer);
        this.#link.settled();
      },
    });
    this.#transfers.add(transfer);
    this.#data = transfer;
    this.#opening = true;
    this.#link.pauseServer(true);
    transfer
      .listen()
      .then(
        (ours) => withPassiveAddress(line, host, ours),
        () => "425 Can't open a data connection through the proxy",
      )
      .then((reply) => {
        this.#opening = false;
        if (this.#gone) {
          transfer.close();
          return;
        }
        this.#link.pauseServer(false);
        this.#reply(Buffer.from(`${reply}\r\n`), Number(reply.slice(0, 3)));
        this.#replies();
      })
      .catch(() => this.#link.reset()); // an error of ours: end it, rather than leave a client waiting
  }
}
