import { connect, type Socket } from 'node:net';
import { percentile } from '../measure.ts';
import { answerCalls } from '../measure-child.ts';
import { type BenchProtocol, BULK_BYTES, DIALOGUES, type Exchange } from './wire.ts';

/** One connection with one exchange under way. */
class Caller {
  readonly #socket: Socket;
  #expectedBytes = 0;
  #done: () => void = () => {};

  constructor(port: number) {
    this.#socket = connect({ host: '127.0.0.1', port, noDelay: true });
    this.#socket.on('data', (chunk) => {
      this.#expectedBytes -= chunk.length;
      if (this.#expectedBytes === 0) this.#done();
    });
    this.#socket.on('error', (error) => {
      throw error;
    });
  }

  /** Connected, greeted and opened. */
  async open(protocol: BenchProtocol): Promise<void> {
    const { greetingBytes, opening, small } = DIALOGUES[protocol];
    if (greetingBytes > 0) await this.#expect(greetingBytes);
    if (opening) await this.ask(opening);
    await this.ask(small);
  }

  ask(exchange: Exchange): Promise<void> {
    const answered = this.#expect(exchange.replyBytes);
    this.#socket.write(exchange.request);
    return answered;
  }

  /** Asks again as soon as it is answered, for as long as `again` says so. */
  keepAsking({ request, replyBytes }: Exchange, again: () => boolean): void {
    const once = () => {
      this.#expectedBytes = replyBytes;
      this.#socket.write(request);
    };
    this.#done = () => {
      if (again()) once();
    };
    once();
  }

  close(): void {
    this.#socket.destroy();
  }

  #expect(bytes: number): Promise<void> {
    this.#expectedBytes = bytes;
    return new Promise((resolve) => {
      this.#done = resolve;
    });
  }
}

export interface Load {
  port: number;
  protocol: BenchProtocol;
  connections: number;
}

async function openAll({ port, protocol, connections }: Load): Promise<Caller[]> {
  const callers: Caller[] = [];
  while (callers.length < connections) {
    const some = Array.from({ length: Math.min(100, connections - callers.length) }, () => new Caller(port));
    await Promise.all(some.map((caller) => caller.open(protocol)));
    callers.push(...some);
  }
  return callers;
}

/** Keeps every caller busy for a time, and until one has been answered; gives the seconds it took. */
async function drive(callers: Caller[], exchange: Exchange, forMs: number, tell: (tookMs: number) => void) {
  let running = true;
  let answered: () => void = () => {};
  const once = new Promise<void>((resolve) => {
    answered = resolve;
  });
  const startedMs = performance.now();
  for (const caller of callers) {
    let askedMs = performance.now();
    caller.keepAsking(exchange, () => {
      answered();
      const nowMs = performance.now();
      tell(nowMs - askedMs);
      askedMs = nowMs;
      return running;
    });
  }
  await Promise.all([once, new Promise((resolve) => setTimeout(resolve, forMs))]);
  running = false;
  return (performance.now() - startedMs) / 1000;
}

let held: Caller[] = [];
let background: { stop: () => void } | undefined;

const handlers = {
  /** Small calls, one under way on each connection. */
  async requests({ forMs, ...load }: Load & { forMs: number }) {
    const callers = await openAll(load);
    const tookMs: number[] = [];
    const seconds = await drive(callers, DIALOGUES[load.protocol].small, forMs, (ms) => tookMs.push(ms));
    for (const caller of callers) caller.close();
    return {
      perSecond: tookMs.length / seconds,
      count: tookMs.length,
      p50Ms: percentile(tookMs, 0.5),
      p99Ms: percentile(tookMs, 0.99),
    };
  },
  /** Large values in one direction; MB (10⁶ bytes) a second. */
  async bulk({ forMs, direction, ...load }: Load & { forMs: number; direction: 'down' | 'up' }) {
    const exchange = DIALOGUES[load.protocol][direction];
    if (!exchange) throw new Error(`${load.protocol} has no large value`);
    const callers = await openAll(load);
    let count = 0;
    const seconds = await drive(callers, exchange, forMs, () => count++);
    for (const caller of callers) caller.close();
    return { mbPerSecond: (count * BULK_BYTES) / 1e6 / seconds, count };
  },
  /** Connections that stay and say nothing more. */
  async hold(load: Load) {
    held = await openAll(load);
  },
  release() {
    for (const caller of held) caller.close();
    held = [];
  },
  /** Small calls until `rest`, as a background. */
  async busy(load: Load) {
    const callers = await openAll(load);
    let running = true;
    for (const caller of callers) caller.keepAsking(DIALOGUES[load.protocol].small, () => running);
    background = {
      stop: () => {
        running = false;
        for (const caller of callers) caller.close();
      },
    };
  },
  rest() {
    background?.stop();
    background = undefined;
  },
};
export type LoadCalls = typeof handlers;

answerCalls(handlers);
