import { randomUUID } from 'node:crypto';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { io, type Socket } from 'socket.io-client';
import type { InjectorName } from '../chaos/faults/fault.ts';
import { FAULT_INJECTOR_DEFAULTS, type FaultInjector } from '../chaos/faults/injector.ts';
import type {
  ActiveFault,
  AgentAuth,
  AgentClientEvents,
  AgentCommandName,
  AgentCommands,
  AgentReport,
  AgentServerEvents,
} from '../protocol/events.ts';
import type { FactData, FactDraft, FactType } from '../protocol/facts.ts';
import type { MetricDeclaration } from '../protocol/metrics.ts';

/** A metric and how to read it now; null is "no value", never zero. */
export interface Metric extends MetricDeclaration {
  read(): number | null;
}

export type CommandHandlers = {
  [K in AgentCommandName]?: (request: AgentCommands[K]['request']) => Promise<AgentCommands[K]['answer']>;
};

export interface AgentOptions {
  /** For example http://127.0.0.1:3000 */
  controlUrl: string;
  /** Made at each start of the whole and passed by environment. */
  secret: string;
  name: InjectorName;
  injector: FaultInjector;
  /** @default [] */
  metrics?: readonly Metric[];
  /** State of this process, sent every 500 ms. @default none */
  report?: () => AgentReport | null;
  /** @default {} */
  commands?: CommandHandlers;
  /** Told what went wrong with the link; never throws into the caller. @default nothing */
  onWarning?: (text: string, error?: unknown) => void;
}

type Outgoing =
  | { kind: 'fact'; draft: FactDraft }
  | { kind: 'ended'; ended: Parameters<AgentClientEvents['ended']>[0] };

const FRAME_MS = 250;
const REPORT_MS = 500;
const ACK_TIMEOUT_MS = 2000;
/** All processes start together, and the control process may come last, ms. */
const START_PATIENCE_MS = 20_000;
/** Without the control process for this long, every injector has ended its faults, ms. */
const SILENCE_MS = FAULT_INJECTOR_DEFAULTS.silenceMs;
/** Facts kept while the control process is away; beyond it the oldest is dropped and that is warned about. */
const MAX_KEPT = 10_000;

/**
 * What a process embeds to be observed and broken.
 *
 *     control process ──arm/change/end, keepalive──► Agent ──► FaultInjector
 *                     ◄──frames, reports, facts────
 *
 * The link is outbound and may break at any time: the injector then ends its faults after 3 s by itself, facts are
 * kept and repeated, telemetry is simply missing.
 */
export class Agent {
  readonly instanceId = randomUUID();
  readonly #options: AgentOptions;
  readonly #socket: Socket<AgentServerEvents, AgentClientEvents>;
  readonly #metrics: readonly Metric[];
  readonly #outbox: Outgoing[] = [];
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #loop = monitorEventLoopDelay({ resolution: 20 });
  #activeFaults: readonly ActiveFault[] = [];
  /** Since the last keepalive, ms; counted in turns of our own, so that being paused is no silence. */
  #silentMs = 0;
  #missing: NodeJS.Timeout | undefined;
  #why = '';
  #sending = false;
  #factCount = 0;

  constructor(options: AgentOptions) {
    this.#options = options;
    this.#metrics = options.metrics ?? [];
    const auth: AgentAuth = {
      secret: options.secret,
      name: options.name,
      pid: process.pid,
      instanceId: this.instanceId,
    };
    this.#socket = io(`${options.controlUrl}/agent`, {
      auth,
      transports: ['websocket'],
      autoConnect: false,
      reconnectionDelay: 100,
      reconnectionDelayMax: 1000,
    });
    this.#listen();
  }

  /** Faults in force anywhere, and those that ended a moment ago; to tell injected failures from organic ones. */
  get activeFaults(): readonly ActiveFault[] {
    if (this.#silentMs <= SILENCE_MS) return this.#activeFaults;
    // Nobody has kept them alive: the injectors have ended them all.
    const endedAt = Date.now() - this.#silentMs + SILENCE_MS;
    return this.#activeFaults.map((fault) => (fault.endedAt === undefined ? { ...fault, endedAt } : fault));
  }

  get connected(): boolean {
    return this.#socket.connected;
  }

  start(): void {
    this.#loop.enable();
    this.#socket.connect();
    this.#miss('not reached yet', START_PATIENCE_MS);
    this.#timers.push(
      setInterval(() => this.#sendFrame(), FRAME_MS),
      setInterval(() => this.#sendReport(), REPORT_MS),
    );
  }

  /** Tells a fact; it is repeated until the control process has it. */
  fact<T extends FactType>(type: T, subject: string, data: FactData[T]): void {
    const draft = {
      key: `${this.instanceId}:${this.#factCount++}`,
      at: Date.now(),
      type,
      subject,
      data,
    } as FactDraft;
    this.#enqueue({ kind: 'fact', draft });
  }

  /** Ends every fault held here, then the link. */
  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    clearTimeout(this.#missing);
    this.#loop.disable();
    await this.#options.injector.close();
    this.#socket.close();
  }

  #listen(): void {
    const { injector } = this.#options;
    const socket = this.#socket;
    socket.on('connect', () => {
      clearTimeout(this.#missing);
      this.#missing = undefined;
      socket.emit('hello', {
        metrics: this.#metrics.map(({ name, unit, help }) => ({ name, unit, help })),
        faults: injector.all().map((fault) => fault.id),
      });
      void this.#flush();
    });
    socket.on('disconnect', (reason) => this.#miss(reason));
    socket.on('connect_error', (error) => this.#miss(error.message));
    socket.on('keepalive', ({ runId, faults }) => {
      this.#activeFaults = faults;
      this.#silentMs = 0;
      injector.heartbeat(runId);
    });
    socket.on('fault:arm', (fault, ack) => {
      const startedAt = performance.now();
      this.#answer(ack, () =>
        injector
          .arm(fault)
          .then(() => ({ armedInMs: Math.round((performance.now() - startedAt) * 10) / 10 })),
      );
    });
    socket.on('fault:change', (fault, ack) =>
      this.#answer(ack, () => injector.change(fault).then(() => ({}))),
    );
    socket.on('fault:end', ({ id, reason }, ack) =>
      this.#answer(ack, () => injector.end(id, reason).then((activity) => ({ activity: activity ?? null }))),
    );
    socket.on('command', ({ name, request }, ack) => {
      const handler = this.#options.commands?.[name] as ((request: unknown) => Promise<unknown>) | undefined;
      this.#answer(ack, () => {
        if (!handler) throw new Error(`${this.#options.name} has no command ${name}`);
        return handler(request);
      });
    });
    injector.on('ended', ({ fault, reason, activity }) => {
      if (reason === 'expired' || reason === 'control_lost') {
        this.#enqueue({ kind: 'ended', ended: { id: fault.id, reason, activity } });
      }
    });
    injector.on('effectFailed', ({ fault, error }) =>
      this.#options.onWarning?.(`fault ${fault.type} on ${fault.service} could not be ended`, error),
    );
  }

  /** Warns once an outage, and only of one that is no start, stop or restart in good order. */
  #miss(why: string, patienceMs = SILENCE_MS): void {
    this.#why = why;
    if (this.#socket.disconnected && !this.#socket.active) return; // closed by us
    this.#missing ??= setTimeout(
      () => this.#options.onWarning?.(`control process gone for ${patienceMs} ms: ${this.#why}`),
      patienceMs,
    ).unref();
  }

  #answer<T>(
    ack: (answer: { ok: true; data: T } | { ok: false; code: string; message: string }) => void,
    work: () => Promise<T>,
  ): void {
    Promise.resolve()
      .then(work)
      .then(
        (data) => ack({ ok: true, data }),
        (error: unknown) => {
          this.#options.onWarning?.('command refused', error);
          const code = (error as { code?: unknown }).code;
          ack({
            ok: false,
            code: typeof code === 'string' ? code : 'INTERNAL',
            message: error instanceof Error ? error.message : String(error),
          });
        },
      );
  }

  #sendFrame(): void {
    this.#silentMs += FRAME_MS;
    if (!this.#socket.connected) return;
    const loopLagMs = Math.max(0, this.#loop.max / 1e6 - 20);
    this.#loop.reset();
    this.#socket.volatile.emit('frame', {
      at: Date.now(),
      values: this.#metrics.map((metric) => metric.read()),
      loopLagMs: Number.isFinite(loopLagMs) ? Math.round(loopLagMs * 10) / 10 : 0,
    });
  }

  #sendReport(): void {
    if (!this.#socket.connected) return;
    const report = this.#options.report?.();
    if (report) this.#socket.volatile.emit('report', report);
    // In a turn of its own: a volatile packet is dropped while the one before it is still being written.
    setImmediate(() => this.#sendActivity());
  }

  #sendActivity(): void {
    const activity = this.#options.injector.activity();
    if (activity.length > 0 && this.#socket.connected) this.#socket.volatile.emit('activity', { activity });
  }

  #enqueue(message: Outgoing): void {
    this.#outbox.push(message);
    if (this.#outbox.length > MAX_KEPT) {
      this.#outbox.shift();
      this.#options.onWarning?.('too many facts waiting for the control process: the oldest was dropped');
    }
    void this.#flush();
  }

  async #flush(): Promise<void> {
    if (this.#sending) return;
    this.#sending = true;
    try {
      for (;;) {
        const message = this.#outbox[0];
        if (!message || !this.#socket.connected) return;
        const socket = this.#socket.timeout(ACK_TIMEOUT_MS);
        if (message.kind === 'fact') await socket.emitWithAck('fact', message.draft);
        else await socket.emitWithAck('ended', message.ended);
        this.#outbox.shift();
      }
    } catch {
      setTimeout(() => void this.#flush(), 250).unref(); // not acknowledged in time: sent again, its key makes that harmless
    } finally {
      this.#sending = false;
    }
  }
}
