import { createConnection, type Socket } from 'node:net';
import type { Clock, Timer } from '../clock.ts';
import type { FaultSpec } from '../faults/fault.ts';
import { DelayLine } from './delay-line.ts';
import { JoinedWrites } from './joined-writes.ts';
import { PlainSession } from './plain-session.ts';
import type { ServiceFaults } from './service-faults.ts';
import type { LinkPort, Session, SessionFactory } from './session.ts';
import { SlowEnds } from './slow-ends.ts';
import { Throttle } from './throttle.ts';
import type { Traffic } from './traffic.ts';
import { Valve } from './valve.ts';

export interface LinkOptions {
  client: Socket;
  upstream: { host: string; port: number };
  faults: ServiceFaults;
  traffic: Traffic;
  clock: Clock;
  createSession: SessionFactory;
  /** Called once, when both connections are gone. */
  onClosed: () => void;
}

/** Bytes that latency may keep for one connection before its client is slowed down, `ITEM_BYTES` for each piece included. */
export const MAX_DELAYED_BYTES = 8 * 1024 * 1024;
/** What keeping one piece costs beside its bytes. */
const ITEM_BYTES = 256;
/** Bytes that may wait for a client that does not read; beyond it the client is not read either, for our answers feed on what it sends. */
export const MAX_UNREAD_BYTES = 1024 * 1024;
/** Bytes that a held connection takes from each side before it stops reading. */
export const MAX_HELD_BYTES = 1024 * 1024;
/** How long a connection that is to be closed at a message boundary may take to reach one, ms. */
const DRAIN_LIMIT_MS = 5000;
/** How long after our FIN a peer may keep its side open, ms. */
const LINGER_MS = 1000;

/**
 * One client's connection and the one to the server behind it.
 *
 *     client ──bytes──► session ──► delay line ──► throttle ──► server
 *            ◄──────── throttle ◄── session  ◄─────────────────
 *
 * A link that has held a byte never passes one again: it is closed when its time is over or reset when its fault
 * ends. So no answer can be shifted, and held bytes need no memory.
 */
export class Link implements LinkPort {
  readonly faults: ServiceFaults;
  readonly #options: LinkOptions;
  readonly #client: Socket;
  readonly #line: DelayLine;
  readonly #clientValve: Valve;
  readonly #up: Throttle;
  readonly #down: Throttle;
  readonly #upWrites: JoinedWrites;
  readonly #downWrites: JoinedWrites;
  readonly #ends: SlowEnds;
  /** The bandwidth fault that was drawn for, and whether this connection is one that it slows. */
  #rated: { faultId: string; slowed: boolean } | undefined;
  #upstream: Socket | undefined;
  #upstreamValve: Valve | undefined;
  #session: Session;
  #held: { faultId: string; sinceMs: number; timer: Timer } | undefined;
  readonly #heldBytes = { client: 0, server: 0 };
  /** The changes of delays that what waits has seen. */
  #delayChanges: number;
  #drain: Timer | undefined;
  #closing = false;
  #finished = false;
  #closed = false;

  constructor(options: LinkOptions) {
    const { client, faults, clock } = options;
    this.#options = options;
    this.#client = client;
    this.faults = faults;
    this.#line = new DelayLine(clock);
    this.#ends = new SlowEnds(clock);
    this.#delayChanges = faults.delayChanges;
    this.#clientValve = new Valve(client);
    client.setNoDelay(true);
    client.on('data', (chunk) => this.#fromClient(chunk));
    client.on('end', () => this.#clientEnded());
    client.on('error', () => {}); // 'close' follows
    client.on('close', () => this.#close());
    client.on('drain', () => {
      this.#upstreamValve?.open('peer');
      this.#followUnread();
    });
    this.#upWrites = new JoinedWrites((bytes) => {
      this.connect();
      if (!(this.#upstream?.write(bytes) ?? true)) this.#clientValve.shut('peer');
    });
    this.#downWrites = new JoinedWrites((bytes) => {
      if (!this.#client.write(bytes)) this.#upstreamValve?.shut('peer');
      if (this.#unreadBytes > MAX_UNREAD_BYTES) this.#clientValve.shut('unread');
    });
    this.#up = new Throttle({
      clock,
      write: (bytes) => this.#upWrites.push(bytes),
      onRoom: () => this.#clientValve.open('rate'),
    });
    this.#down = new Throttle({
      clock,
      write: (bytes) => this.#downWrites.push(bytes),
      onRoom: () => {
        this.#upstreamValve?.open('rate');
        this.#followUnread();
        this.settled();
      },
    });
    this.#followRate();
    this.#session = options.createSession(this);
  }

  get closing(): boolean {
    return this.#closing;
  }

  get localAddress(): string {
    return this.#client.localAddress ?? '127.0.0.1';
  }

  get upstreamHost(): string {
    return this.#options.upstream.host;
  }

  connect(): void {
    if (this.#upstream || this.#closed) return;
    const upstream = createConnection({ ...this.#options.upstream, noDelay: true, allowHalfOpen: true });
    this.#upstream = upstream;
    this.#upstreamValve = new Valve(upstream);
    let failed = false;
    upstream.on('data', (chunk) => this.#fromServer(chunk));
    upstream.on('end', () => this.#serverEnded(upstream));
    upstream.on('error', () => {
      failed = true;
    });
    upstream.on('close', () => {
      if (upstream !== this.#upstream || this.#held || this.#finished) return;
      if (failed) this.reset();
      else if (this.#ends.idle) this.#down.afterwards(() => this.#client.end());
    });
    upstream.on('drain', () => this.#clientValve.open('peer'));
  }

  toServer(bytes: Buffer, delayMs: number): void {
    if (this.#mute) return;
    if (delayMs <= 0 && this.#line.idle) {
      this.#writeServer(bytes);
      return;
    }
    this.#delay(delayMs, bytes.length, () => this.#writeServer(bytes));
  }

  inOrder(delayMs: number, run: () => void): void {
    if (this.#mute) return;
    if (delayMs <= 0 && this.#line.idle) run();
    else this.#delay(delayMs, 0, run);
  }

  toClient(bytes: Buffer): void {
    if (this.#mute || bytes.length === 0) return;
    this.#options.traffic.totals.bytes += bytes.length;
    this.#down.push(bytes);
    if (this.#down.full) this.#upstreamValve?.shut('rate');
    if (this.#unreadBytes > MAX_UNREAD_BYTES) this.#clientValve.shut('unread');
  }

  hold(fault: FaultSpec): void {
    if (this.#held || this.#finished || this.#closed) return;
    this.#line.clear();
    this.#up.clear();
    this.#down.clear();
    this.#held = { faultId: fault.id, sinceMs: this.#options.clock.monotonicMs(), timer: NO_TIMER };
    this.#scheduleHeld(fault);
    this.#clientValve.release(); // read on, so that a peer that gives up is noticed
    this.#upstreamValve?.release();
  }

  reset(): void {
    if (this.#closed) return;
    this.#passJoined();
    this.#client.resetAndDestroy();
    this.#upstream?.destroy();
    this.#close();
  }

  finish(): void {
    if (this.#finished || this.#closed) return;
    this.#line.flush();
    this.#up.flush();
    this.#down.flush();
    this.#passJoined();
    this.#finished = true;
    // Counted from the last byte that a slow reader takes, so that nothing of an answer is cut off.
    this.#client.end(() => this.#options.clock.after(LINGER_MS, () => this.#destroy()));
    this.#upstream?.end();
    this.#clientValve.release();
    this.#upstreamValve?.release();
  }

  degrade(reason: string, clientRest: Buffer, serverRest: Buffer): void {
    this.#session.closed?.();
    this.#session = new PlainSession(this, reason);
    this.#clientValve.open('session');
    this.#upstreamValve?.open('session');
    if (clientRest.length > 0) this.toServer(clientRest, 0);
    this.toClient(serverRest);
  }

  pauseClient(paused: boolean): void {
    if (paused) this.#clientValve.shut('session');
    else this.#clientValve.open('session');
  }

  pauseServer(paused: boolean): void {
    if (paused) this.#upstreamValve?.shut('session');
    else this.#upstreamValve?.open('session');
  }

  settled(): void {
    if (this.#closing && !this.#held && this.#idle && this.#session.atBoundary()) this.finish();
  }

  countRequest(): void {
    this.#options.traffic.totals.requests++;
  }

  countBytes(count: number): void {
    this.#options.traffic.totals.bytes += count;
  }

  countHit(): void {
    this.#options.traffic.totals.hits++;
  }

  /** Closes by FIN at the next message boundary, at once when this is one; by reset if none comes within 5 s. */
  closeGently(): void {
    if (this.#closing || this.#closed) return;
    this.#closing = true;
    this.settled();
    if (!this.#finished) this.#drain = this.#options.clock.after(DRAIN_LIMIT_MS, () => this.reset());
  }

  /** To be called when the faults of this proxy have changed. */
  faultsChanged(): void {
    if (this.#held) {
      const fault = this.faults.find(this.#held.faultId);
      if (fault) this.#scheduleHeld(fault);
      else this.reset();
      return;
    }
    // What waits for a delay that is gone or another now has waited enough.
    if (this.#delayChanges !== this.faults.delayChanges) {
      this.#delayChanges = this.faults.delayChanges;
      this.#session.delaysChanged?.();
      this.#line.flush();
    }
    this.#followRate();
    this.#ends.follow(Number(this.faults.first('linger')?.params['delayMs'] ?? 0));
    this.#session.faultsChanged?.();
  }

  /** Bytes on their way to the client that it has not read. */
  get #unreadBytes(): number {
    return this.#client.writableLength + this.#down.sizeBytes;
  }

  #followUnread(): void {
    if (this.#unreadBytes <= MAX_UNREAD_BYTES) this.#clientValve.open('unread');
  }

  #delay(delayMs: number, sizeBytes: number, run: () => void): void {
    this.#line.push(delayMs, sizeBytes + ITEM_BYTES, () => {
      run();
      if (this.#line.sizeBytes <= MAX_DELAYED_BYTES) this.#clientValve.open('line');
    });
    if (this.#line.sizeBytes > MAX_DELAYED_BYTES) this.#clientValve.shut('line');
  }

  get #idle(): boolean {
    return this.#line.idle && this.#up.idle && this.#down.idle;
  }

  /** Takes the rate of the bandwidth fault in force; whether it slows this connection is drawn once. */
  #followRate(): void {
    const acting = this.faults.first('throttle');
    if (!acting) this.#rated = undefined;
    else if (this.#rated?.faultId !== acting.id) {
      const slowed = this.faults.throttle() !== undefined;
      if (slowed) this.countHit();
      this.#rated = { faultId: acting.id, slowed };
    }
    const fault = this.#rated?.slowed ? acting : undefined;
    const bytesPerSecond = fault ? Number(fault.params['rateKibPerSecond']) * 1024 : undefined;
    this.#up.setRate(bytesPerSecond);
    this.#down.setRate(bytesPerSecond);
  }

  /** Runs `run`, which passes an end on, after the time of a slow close. */
  #linger(run: () => void): void {
    const delayMs = this.faults.first('linger') ? this.faults.lingerMs() : 0;
    if (delayMs <= 0) {
      run();
      return;
    }
    this.countHit();
    this.#ends.push(delayMs, run);
  }

  /** Nothing is passed on any more. */
  get #mute(): boolean {
    return this.#held !== undefined || this.#finished || this.#closed;
  }

  #fromClient(chunk: Buffer): void {
    if (this.#swallows('client', chunk)) return;
    this.#options.traffic.totals.bytes += chunk.length;
    this.#beginJoined();
    this.#session.fromClient(chunk);
    this.#passJoined();
  }

  #fromServer(chunk: Buffer): void {
    if (this.#swallows('server', chunk)) return;
    this.#beginJoined();
    this.#session.fromServer(chunk);
    this.#passJoined();
  }

  /** Whether bytes that have just come are held instead of passed on. */
  #swallows(from: 'client' | 'server', chunk: Buffer): boolean {
    if (this.#held) this.#keepOut(from, chunk);
    if (this.#mute) return true;
    if (this.faults.quiet) return false;
    const hole = this.faults.hole('control', this.#session.holdsBytes);
    if (!hole) return false;
    this.faults.recordHit(hole.id, `bytes from ${from}`);
    this.countHit();
    this.hold(hole);
    this.#keepOut(from, chunk);
    return true;
  }

  /** A held connection is read for a while, so that a peer that gives up is noticed, then its peers fill up. */
  #keepOut(from: 'client' | 'server', chunk: Buffer): void {
    this.#heldBytes[from] += chunk.length;
    if (this.#heldBytes[from] <= MAX_HELD_BYTES) return;
    if (from === 'client') this.#clientValve.shut('held');
    else this.#upstreamValve?.shut('held');
  }

  /** What a session passes on of one chunk is written together. */
  #beginJoined(): void {
    this.#upWrites.begin();
    this.#downWrites.begin();
  }

  #passJoined(): void {
    this.#upWrites.flush();
    this.#downWrites.flush();
  }

  #writeServer(bytes: Buffer): void {
    this.#up.push(bytes);
    if (this.#up.full) this.#clientValve.shut('rate');
    if (this.#closing) queueMicrotask(() => this.settled());
  }

  #scheduleHeld(fault: FaultSpec): void {
    const held = this.#held;
    if (!held) return;
    const { clock } = this.#options;
    held.timer.cancel();
    if (fault.params['delayMs'] === undefined) return; // held as long as the fault lasts
    const dueMs = held.sinceMs + Number(fault.params['delayMs']);
    held.timer = clock.after(dueMs - clock.monotonicMs(), () => this.#destroy());
  }

  #clientEnded(): void {
    if (this.#held || this.#finished) {
      this.#destroy();
      return;
    }
    const pass = () => this.inOrder(0, () => this.#up.afterwards(() => this.#endServer()));
    this.#linger(() => {
      if (this.#session.clientEnded) this.#session.clientEnded(pass);
      else pass();
    });
  }

  #endServer(): void {
    this.#passJoined(); // what the client sent comes before its end
    if (this.#upstream) this.#upstream.end();
    else this.finish();
  }

  #serverEnded(upstream: Socket): void {
    if (this.#held || this.#finished) return;
    if (this.#session.outlivesServer?.()) {
      this.#upstream = undefined;
      this.#upstreamValve = undefined;
      upstream.destroy();
      this.#clientValve.open('peer');
      return;
    }
    this.#session.serverEnded?.();
    const end = () => {
      // What the session has the client wait for will not come any more.
      if (this.#clientValve.isShutBy('session')) this.finish();
      else this.#client.end();
    };
    this.#linger(() => this.#down.afterwards(end));
  }

  #destroy(): void {
    this.#client.destroy();
    this.#upstream?.destroy();
    this.#close();
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#held?.timer.cancel();
    this.#drain?.cancel();
    this.#line.clear();
    this.#up.clear();
    this.#down.clear();
    this.#ends.clear();
    this.#upstream?.destroy();
    this.#session.closed?.();
    this.#options.onClosed();
  }
}

const NO_TIMER: Timer = { cancel: () => {} };
