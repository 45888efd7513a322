import { createConnection, createServer, type Server, type Socket } from 'node:net';
import type { Clock, Timer } from '../../clock.ts';
import type { FaultSpec } from '../../faults/fault.ts';
import type { ServiceFaults } from '../service-faults.ts';
import { SlowEnds } from '../slow-ends.ts';
import { Throttle } from '../throttle.ts';
import { Valve } from '../valve.ts';

export interface DataProxyOptions {
  /** Address on which the client is to connect. */
  host: string;
  /** Where the server waits for this transfer. */
  upstream: { host: string; port: number };
  faults: ServiceFaults;
  clock: Clock;
  onBytes: (count: number) => void;
  onHit: () => void;
  onClosed: () => void;
}

/** How long a client may take to connect, ms. */
const CONNECT_LIMIT_MS = 30_000;
/** What gets through before a transfer is held, so that the server has a part of a file. */
const FIRST_BYTES = 1024;
/** How long after a refusal the client may keep its side open, ms. */
const LINGER_MS = 1000;

/** The data connection of one FTP transfer: a port of its own, one client, one connection to the server. */
export class DataProxy {
  readonly #options: DataProxyOptions;
  readonly #server: Server;
  readonly #unused: Timer;
  #client: Socket | undefined;
  #upstream: Socket | undefined;
  /** The fault that holds this transfer from now on. */
  #held: { fault: FaultSpec; sinceMs: number; timer: Timer } | undefined;
  readonly #throttles: Throttle[] = [];
  readonly #ends: SlowEnds;
  #passedBytes = 0;
  #refused = false;
  #closed = false;

  constructor(options: DataProxyOptions) {
    this.#options = options;
    this.#ends = new SlowEnds(options.clock);
    this.#server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) =>
      this.#accept(client),
    );
    this.#server.maxConnections = 1;
    this.#unused = options.clock.after(CONNECT_LIMIT_MS, () => {
      if (!this.#client) this.close();
    });
  }

  /** A transfer is going on. */
  get active(): boolean {
    return this.#client !== undefined && !this.#closed && !this.#refused;
  }

  /** @returns the port for the client */
  listen(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host: this.#options.host, port: 0 }, () => {
        this.#server.off('error', reject);
        this.#server.on('error', () => this.close());
        const address = this.#server.address();
        if (address && typeof address === 'object') resolve(address.port);
        else reject(new Error('The data port has no address'));
      });
    });
  }

  /** Lets the first bytes through and holds the rest until the fault's delay is over or it ends. */
  hold(fault: FaultSpec): void {
    if (this.#held || this.#closed) return;
    this.#options.onHit();
    this.#held = { fault, sinceMs: this.#options.clock.monotonicMs(), timer: { cancel: () => {} } };
    this.#schedule(fault);
  }

  /** A held transfer whose fault is over is reset: what it holds never goes on. */
  faultsChanged(): void {
    if (!this.#held) {
      this.#followRate();
      this.#ends.follow(Number(this.#options.faults.first('linger')?.params['delayMs'] ?? 0));
      return;
    }
    const fault = this.#options.faults.find(this.#held.fault.id);
    if (fault) this.#schedule(fault);
    else this.close();
  }

  /** Takes back the transfer before it began: FIN for the client, who reads the reason on the control connection. */
  refuse(): void {
    if (!this.#client) {
      this.close();
      return;
    }
    this.#refused = true;
    this.#upstream?.resetAndDestroy();
    this.#client.end();
    this.#client.resume();
    this.#options.clock.after(LINGER_MS, () => this.close());
  }

  /** Another transfer has been asked for: who has not connected to this one will not. */
  supersede(): void {
    if (!this.#client) this.close();
  }

  /** Resets both sides, so that neither takes a part of a file for the whole. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#unused.cancel();
    this.#held?.timer.cancel();
    for (const throttle of this.#throttles) throttle.clear();
    this.#ends.clear();
    this.#server.close();
    this.#client?.resetAndDestroy();
    this.#upstream?.resetAndDestroy();
    this.#options.onClosed();
  }

  #accept(client: Socket): void {
    if (this.#client || this.#closed) {
      client.destroy();
      return;
    }
    this.#client = client;
    this.#unused.cancel();
    this.#server.close();
    const upstream = createConnection({ ...this.#options.upstream, allowHalfOpen: true, noDelay: true });
    this.#upstream = upstream;
    client.setNoDelay(true);
    this.#pass(client, upstream);
    this.#pass(upstream, client);
    this.#followRate();
    client.resume();
  }

  /** A transfer is short: the whole of it is slowed, or not at all. */
  #followRate(): void {
    const { faults } = this.#options;
    const fault = faults.first('throttle') && faults.throttle();
    const bytesPerSecond = fault ? Number(fault.params['rateKibPerSecond']) * 1024 : undefined;
    for (const throttle of this.#throttles) throttle.setRate(bytesPerSecond);
  }

  #linger(run: () => void): void {
    const { faults, onHit } = this.#options;
    const delayMs = faults.first('linger') ? faults.lingerMs() : 0;
    if (delayMs <= 0) {
      run();
      return;
    }
    onHit();
    this.#ends.push(delayMs, run);
  }

  #pass(from: Socket, to: Socket): void {
    const valve = new Valve(from);
    const throttle = new Throttle({
      clock: this.#options.clock,
      write: (bytes) => {
        if (!to.write(bytes)) valve.shut('peer');
      },
      onRoom: () => valve.open('rate'),
    });
    this.#throttles.push(throttle);
    from.on('data', (chunk) => this.#chunk(valve, throttle, chunk));
    from.on('end', () => {
      const end = () => {
        if (!this.#held && !this.#refused) to.end();
      };
      this.#linger(() => throttle.afterwards(end));
    });
    to.on('drain', () => valve.open('peer'));
    from.on('error', () => this.close());
    from.on('close', () => {
      if (this.#client?.destroyed && this.#upstream?.destroyed) this.close();
    });
  }

  #chunk(valve: Valve, throttle: Throttle, chunk: Buffer): void {
    if (this.#refused) return;
    const { faults } = this.#options;
    if (!this.#held && !faults.quiet) {
      const hole = faults.hole('data');
      if (hole) {
        faults.recordHit(hole.id, 'data');
        this.hold(hole);
      }
    }
    let bytes = chunk;
    if (this.#held) {
      const firstBytes = this.#held.fault.params['delayMs'] === undefined ? 0 : FIRST_BYTES;
      bytes = chunk.subarray(
        0,
        Math.max(0, Math.min(firstBytes - this.#passedBytes, Math.ceil(chunk.length / 2))),
      );
      if (this.#passedBytes >= firstBytes) bytes = chunk.subarray(0, 0);
      valve.shut('session');
    }
    if (bytes.length === 0) return;
    this.#passedBytes += bytes.length;
    this.#options.onBytes(bytes.length);
    throttle.push(bytes);
    if (throttle.full) valve.shut('rate');
  }

  #schedule(fault: FaultSpec): void {
    const held = this.#held;
    if (!held) return;
    const { clock } = this.#options;
    held.timer.cancel();
    if (fault.params['delayMs'] === undefined) return; // held as long as the fault lasts
    const dueMs = held.sinceMs + Number(fault.params['delayMs']);
    held.timer = clock.after(dueMs - clock.monotonicMs(), () => this.close());
  }
}
