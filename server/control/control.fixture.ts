import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { io, type Socket } from 'socket.io-client';
import { Agent, type AgentOptions } from '#lib/agent/agent.ts';
import type { InjectorName } from '#lib/chaos/faults/fault.ts';
import { type FaultEffect, FaultInjector } from '#lib/chaos/faults/injector.ts';
import type { ConsoleClientEvents, ConsoleServerEvents } from '#lib/protocol/events.ts';
import type { Fact } from '#lib/protocol/facts.ts';
import type { State } from '#lib/protocol/state.ts';
import { type Control, type ControlOptions, createControl } from './control.ts';

const SECRET = 'a-secret-made-for-the-tests';

export interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  body: any;
  headers: Headers;
}

type ConsoleSocket = Socket<ConsoleServerEvents, ConsoleClientEvents>;

/** A browser tab as the tests see it. */
export interface TestConsole {
  socket: ConsoleSocket;
  /** Every fact it was given, in the order of arrival. */
  facts: Fact[];
  snapshots: { state: State; facts: Fact[]; gap: boolean }[];
  /** Answers lease questions while true. */
  answers: boolean;
}

export interface TestAgent {
  agent: Agent;
  injector: FaultInjector;
}

/** A control process in this process, on a free port, with real agents and real sockets around it. */
export class TestControl {
  readonly dataDir: string;
  control: Control;
  readonly #options: Partial<ControlOptions>;
  readonly #agents = new Set<Agent>();
  readonly #sockets = new Set<{ close(): unknown }>();

  private constructor(control: Control, options: Partial<ControlOptions>, dataDir: string) {
    this.control = control;
    this.#options = options;
    this.dataDir = dataDir;
  }

  static async start(
    options: Partial<ControlOptions> = {},
    dataDir = mkdtempSync(join(tmpdir(), 'brownout-control-')),
  ): Promise<TestControl> {
    return new TestControl(await createControl(complete(options, dataDir)), options, dataDir);
  }

  /** A second control process on the same data, as after a crash or a restart. */
  async startAgain(): Promise<void> {
    this.control = await createControl(complete(this.#options, this.dataDir));
  }

  async call(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const sent = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
    const response = await fetch(`${this.control.url}${path}`, {
      method,
      redirect: 'manual',
      headers: { ...(sent === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(sent === undefined ? {} : { body: sent }),
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.includes('json');
    return { status: response.status, body: isJson ? JSON.parse(text) : text, headers: response.headers };
  }

  /** A process with an injector; resolves once it is connected. */
  async agent(
    name: InjectorName,
    options: { effect?: Partial<FaultEffect>; injector?: FaultInjector } & Partial<AgentOptions> = {},
  ): Promise<TestAgent> {
    const { effect, ...rest } = options;
    const injector =
      options.injector ??
      new FaultInjector({ effect: { arm: () => {}, change: () => {}, end: () => {}, ...effect } });
    const agent = new Agent({ controlUrl: this.control.url, secret: SECRET, name, injector, ...rest });
    this.#agents.add(agent);
    agent.start();
    await until(() => this.control.state().agents.some((each) => each.name === name && each.connected));
    return { agent, injector };
  }

  console(tab: { name?: string; tabId?: string; lastSeq?: number; answers?: boolean } = {}): TestConsole {
    const { name = 'Ana', tabId = 'tab-1', lastSeq, answers = true } = tab;
    const socket: ConsoleSocket = io(`${this.control.url}/console`, {
      auth: { name, tabId, ...(lastSeq === undefined ? {} : { lastSeq }) },
      transports: ['websocket'],
      forceNew: true,
      reconnection: false,
    });
    const seen: TestConsole = { socket, facts: [], snapshots: [], answers };
    socket.on('snapshot', (snapshot) => {
      seen.snapshots.push(snapshot);
      seen.facts.push(...snapshot.facts);
    });
    socket.on('fact', (fact) => seen.facts.push(fact));
    socket.on('lease', ({ n }, ack) => {
      if (seen.answers) ack({ n });
    });
    this.#sockets.add(socket);
    return seen;
  }

  /** Any client socket, closed at the end. */
  socket(namespace: string, options: Parameters<typeof io>[1] = {}): Socket {
    const socket = io(`${this.control.url}${namespace}`, {
      transports: ['websocket'],
      forceNew: true,
      reconnection: false,
      ...options,
    });
    this.#sockets.add(socket);
    return socket;
  }

  async facts(): Promise<Fact[]> {
    return (await this.call('GET', '/api/v1/timeline?limit=1000')).body.facts;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.close();
    for (const agent of this.#agents) await agent.close();
    await this.control.close();
    rmSync(this.dataDir, { recursive: true, force: true });
  }
}

function complete(options: Partial<ControlOptions>, dataDir: string): ControlOptions {
  return {
    agentSecret: SECRET,
    logger: pino({ level: 'silent' }),
    next: false,
    ...options,
    settings: {
      HOST: '127.0.0.1',
      PORT: 0,
      BACKEND_PORT: 8000,
      BROWNOUT_TOKEN: undefined,
      FAULT_SERVICES_MAX: 10,
      FAULT_SEED: undefined,
      ...options.settings,
      DATA_DIR: dataDir,
    },
  };
}

/** The arguments of the next event of this name. */
export function eventOf(socket: Socket, name: string): Promise<unknown[]> {
  return new Promise((resolve) => socket.once(name, (...sent: unknown[]) => resolve(sent)));
}

/** Code and field of the problem that refused a connection. */
export async function refusalOf(socket: Socket): Promise<{ code?: string; field?: string }> {
  const [error] = await eventOf(socket, 'connect_error');
  return (error as { data?: { code?: string; field?: string } }).data ?? {};
}

/** Polls until `condition` holds. @throws when it does not within `withinMs` */
export async function until(condition: () => boolean | Promise<boolean>, withinMs = 10_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > deadline)
      throw new Error(`Not so within ${withinMs} ms: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
