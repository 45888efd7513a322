import type { Socket } from 'node:net';
import type { Clock, Timer } from '../clock.ts';
import type { FaultSpec } from '../faults/fault.ts';
import { ClientSide } from './client-side.ts';
import { DrawnRate } from './drawn-rate.ts';
import { Hold, type Side } from './hold.ts';
import { PlainSession } from './plain-session.ts';
import { ServerSide } from './server-side.ts';
import type { ServiceFaults } from './service-faults.ts';
import type { LinkPort, Session, SessionFactory } from './session.ts';
import { SlowEnds } from './slow-ends.ts';
import type { Traffic } from './traffic.ts';

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
  readonly #client: ClientSide;
  readonly #server: ServerSide;
  readonly #ends: SlowEnds;
  readonly #rate: DrawnRate;
  #session: Session;
  #held: Hold | undefined;
  /** The changes of delays that what waits has seen. */
  #delayChanges: number;
  #drain: Timer | undefined;
  #closing = false;
  #finished = false;
  #closed = false;

  constructor(options: LinkOptions) {
    const { client, faults, clock } = options;
    this.#options = options;
    this.faults = faults;
    this.#ends = new SlowEnds(clock);
    this.#delayChanges = faults.delayChanges;
    this.#client = new ClientSide({
      socket: client,
      clock,
      serverValve: () => this.#server.valve,
      onData: (chunk) => this.#fromClient(chunk),
      onEnd: () => this.#clientEnded(),
      onClosed: () => this.#close(),
      onRoom: () => this.settled(),
    });
    this.#server = new ServerSide({
      upstream: options.upstream,
      clock,
      clientValve: this.#client.valve,
      onData: (chunk) => this.#fromServer(chunk),
      onEnd: () => this.#serverEnded(),
      onClosed: (failed) => this.#serverClosed(failed),
      onSent: () => {
        if (this.#closing) queueMicrotask(() => this.settled());
      },
    });
    this.#rate = new DrawnRate(faults, () => this.countHit());
    this.#followRate();
    this.#session = options.createSession(this);
  }

  get closing(): boolean {
    return this.#closing;
  }

  get localAddress(): string {
    return this.#client.socket.localAddress ?? '127.0.0.1';
  }

  get upstreamHost(): string {
    return this.#options.upstream.host;
  }

  connect(): void {
    this.#server.connect();
  }

  toServer(bytes: Buffer, delayMs: number): void {
    if (!this.#mute) this.#server.send(bytes, delayMs);
  }

  inOrder(delayMs: number, run: () => void): void {
    if (!this.#mute) this.#server.inOrder(delayMs, run);
  }

  toClient(bytes: Buffer): void {
    if (this.#mute || bytes.length === 0) return;
    this.#options.traffic.totals.bytes += bytes.length;
    this.#client.send(bytes);
  }

  hold(fault: FaultSpec): void {
    if (this.#held || this.#finished || this.#closed) return;
    this.#server.clear();
    this.#client.lane.clear();
    this.#held = new Hold(fault, this.#options.clock, () => this.#destroy());
    this.#client.valve.release(); // read on, so that a peer that gives up is noticed
    this.#server.valve?.release();
  }

  reset(): void {
    if (this.#closed) return;
    this.#passJoined();
    this.#client.socket.resetAndDestroy();
    this.#close();
  }

  finish(): void {
    if (this.#finished || this.#closed) return;
    this.#server.flush();
    this.#client.lane.flush();
    this.#passJoined();
    this.#finished = true;
    // Counted from the last byte that a slow reader takes, so that nothing of an answer is cut off.
    this.#client.socket.end(() => this.#options.clock.after(LINGER_MS, () => this.#destroy()));
    this.#server.end();
    this.#client.valve.release();
    this.#server.valve?.release();
  }

  degrade(reason: string, clientRest: Buffer, serverRest: Buffer): void {
    this.#session.closed?.();
    this.#session = new PlainSession(this, reason);
    this.#client.valve.open('session');
    this.#server.valve?.open('session');
    if (clientRest.length > 0) this.toServer(clientRest, 0);
    this.toClient(serverRest);
  }

  pauseClient(paused: boolean): void {
    if (paused) this.#client.valve.shut('session');
    else this.#client.valve.open('session');
  }

  pauseServer(paused: boolean): void {
    if (paused) this.#server.valve?.shut('session');
    else this.#server.valve?.open('session');
  }

  settled(): void {
    if (
      this.#closing &&
      !this.#held &&
      this.#server.idle &&
      this.#client.lane.idle &&
      this.#session.atBoundary()
    )
      this.finish();
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
      if (fault) this.#held.follow(fault);
      else this.reset();
      return;
    }
    // What waits for a delay that is gone or another now has waited enough.
    if (this.#delayChanges !== this.faults.delayChanges) {
      this.#delayChanges = this.faults.delayChanges;
      this.#session.delaysChanged?.();
      this.#server.line.flush();
    }
    this.#followRate();
    this.#ends.follow(Number(this.faults.first('linger')?.params['delayMs'] ?? 0));
    this.#session.faultsChanged?.();
  }

  #followRate(): void {
    const bytesPerSecond = this.#rate.bytesPerSecond();
    this.#server.lane.setRate(bytesPerSecond);
    this.#client.lane.setRate(bytesPerSecond);
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
  #swallows(from: Side, chunk: Buffer): boolean {
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

  #keepOut(from: Side, chunk: Buffer): void {
    if (this.#held?.takes(from, chunk.length) !== false) return;
    if (from === 'client') this.#client.valve.shut('held');
    else this.#server.valve?.shut('held');
  }

  /** What a session passes on of one chunk is written together. */
  #beginJoined(): void {
    this.#server.lane.beginChunk();
    this.#client.lane.beginChunk();
  }

  #passJoined(): void {
    this.#server.lane.endChunk();
    this.#client.lane.endChunk();
  }

  #clientEnded(): void {
    if (this.#held || this.#finished) {
      this.#destroy();
      return;
    }
    const pass = () => this.inOrder(0, () => this.#server.lane.afterwards(() => this.#endServer()));
    this.#linger(() => {
      if (this.#session.clientEnded) this.#session.clientEnded(pass);
      else pass();
    });
  }

  #endServer(): void {
    this.#passJoined(); // what the client sent comes before its end
    if (!this.#server.end()) this.finish();
  }

  #serverEnded(): void {
    if (this.#held || this.#finished) return;
    if (this.#session.outlivesServer?.()) {
      this.#server.letGo();
      return;
    }
    this.#session.serverEnded?.();
    const end = () => {
      // What the session has the client wait for will not come any more.
      if (this.#client.valve.isShutBy('session')) this.finish();
      else this.#client.socket.end();
    };
    this.#linger(() => this.#client.lane.afterwards(end));
  }

  #serverClosed(failed: boolean): void {
    if (this.#held || this.#finished) return;
    if (failed) this.reset();
    else if (this.#ends.idle) this.#client.lane.afterwards(() => this.#client.socket.end());
  }

  #destroy(): void {
    this.#client.socket.destroy();
    this.#close();
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#held?.clear();
    this.#drain?.cancel();
    this.#server.clear();
    this.#client.lane.clear();
    this.#ends.clear();
    this.#server.destroy();
    this.#session.closed?.();
    this.#options.onClosed();
  }
}
