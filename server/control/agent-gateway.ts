import type { Namespace, Server, Socket } from 'socket.io';
import { z } from 'zod';
import { type FaultActivity, INJECTOR_NAMES, type InjectorName } from '../../lib/chaos/faults/fault.ts';
import { ERROR_CODES, type ErrorCode } from '../../lib/protocol/errors.ts';
import type {
  AgentAnswer,
  AgentClientEvents,
  AgentCommandName,
  AgentCommands,
  AgentServerEvents,
} from '../../lib/protocol/events.ts';
import type { AgentStatus } from '../../lib/protocol/state.ts';
import type { Logger } from '../logging.ts';
import { sameText } from './access.ts';
import type { FactLog } from './fact-log.ts';
import type { FaultDesk } from './fault-desk.ts';
import type { Hub } from './hub.ts';
import type { InjectorLink } from './injector-link.ts';
import { Refusal } from './problem.ts';

export interface AgentGatewayOptions {
  secret: string;
  runId: string;
  hub: Hub;
  log: FactLog;
  logger: Logger;
  /** How long an injector has to acknowledge, ms. @default 1000 */
  ackTimeoutMs?: number;
  /** How long a command to a process may take, ms. @default 5000 */
  commandTimeoutMs?: number;
  /** @default 1000 */
  keepaliveMs?: number;
}

type NoData = Record<never, never>;
type AgentSocket = Socket<AgentClientEvents, AgentServerEvents, NoData, NoData>;

interface Connected {
  socket: AgentSocket;
  instanceId: string;
}

const authSchema = z.object({
  secret: z.string(),
  name: z.enum(INJECTOR_NAMES),
  pid: z.number(),
  instanceId: z.string().min(1).max(100),
});
const metricSchema = z.object({ name: z.string().min(1), unit: z.string(), help: z.string() });
const helloSchema = z.object({ metrics: z.array(metricSchema).max(2000), faults: z.array(z.string()) });
const frameSchema = z.object({
  values: z.array(z.number().nullable()),
  loopLagMs: z.number(),
});
const draftSchema = z.object({
  key: z.string().min(1),
  type: z.string().min(1),
  subject: z.string(),
  data: z.record(z.string(), z.unknown()),
});

/**
 * The /agent namespace: processes that are observed and broken.
 *
 * One process a name. It counts as connected once it has said hello, so that nothing is armed before the desk knows
 * what it already holds.
 */
export class AgentGateway implements InjectorLink {
  readonly #options: Required<AgentGatewayOptions>;
  readonly #namespace: Namespace<AgentClientEvents, AgentServerEvents, NoData, NoData>;
  readonly #connected = new Map<InjectorName, Connected>();
  readonly #keepalive: NodeJS.Timeout;
  #desk: FaultDesk | undefined;

  constructor(io: Server, options: AgentGatewayOptions) {
    this.#options = { ackTimeoutMs: 1000, commandTimeoutMs: 5000, keepaliveMs: 1000, ...options };
    this.#namespace = io.of('/agent');
    this.#namespace.use((socket, next) => {
      const auth = authSchema.safeParse(socket.handshake.auth);
      const admitted = auth.success && sameText(auth.data.secret, this.#options.secret);
      next(admitted ? undefined : new Error('not admitted'));
    });
    this.#namespace.on('connection', (socket) => this.#welcome(socket));
    this.#keepalive = setInterval(() => this.push(), this.#options.keepaliveMs);
    this.#keepalive.unref();
  }

  /** The desk needs this gateway to act, and this gateway tells the desk what it hears. */
  attach(desk: FaultDesk): void {
    this.#desk = desk;
    desk.on('changed', () => this.push());
  }

  instanceOf(name: InjectorName): string | undefined {
    return this.#connected.get(name)?.instanceId;
  }

  arm(...[name, spec]: Parameters<InjectorLink['arm']>): ReturnType<InjectorLink['arm']> {
    return this.#ask(name, (socket) => socket.emitWithAck('fault:arm', spec));
  }

  change(...[name, spec]: Parameters<InjectorLink['change']>): ReturnType<InjectorLink['change']> {
    return this.#ask(name, (socket) => socket.emitWithAck('fault:change', spec));
  }

  end(...[name, id, reason]: Parameters<InjectorLink['end']>): ReturnType<InjectorLink['end']> {
    return this.#ask(name, (socket) => socket.emitWithAck('fault:end', { id, reason }));
  }

  /**
   * Passes a command on to the process that owns the thing.
   * @throws {Refusal} PROCESS_UNAVAILABLE when it is away, silent or cannot do it; else the code it gave
   */
  async command<K extends AgentCommandName>(
    agent: InjectorName,
    name: K,
    request: AgentCommands[K]['request'],
  ): Promise<AgentCommands[K]['answer']> {
    if (!this.#connected.has(agent)) {
      throw new Refusal('PROCESS_UNAVAILABLE', `The ${agent} process is not connected`);
    }
    let answer: AgentAnswer<unknown>;
    try {
      const { commandTimeoutMs } = this.#options;
      answer = await this.#ask(
        agent,
        (socket) => socket.emitWithAck('command', { name, request }),
        commandTimeoutMs,
      );
    } catch {
      throw new Refusal('PROCESS_UNAVAILABLE', `The ${agent} process did not answer in time`);
    }
    if (answer.ok) return answer.data as AgentCommands[K]['answer'];
    this.#options.logger.warn({ agent, name, code: answer.code, message: answer.message }, 'command refused');
    throw new Refusal(
      isErrorCode(answer.code) ? answer.code : 'PROCESS_UNAVAILABLE',
      `The ${agent} process could not do ${name}: ${answer.message.slice(0, 200)}`,
    );
  }

  statuses(): AgentStatus[] {
    return INJECTOR_NAMES.map((name) => {
      const seen = this.#options.hub.seen(name);
      return {
        name,
        connected: this.#connected.has(name),
        lastSeenMs: seen ? Math.round(seen.ageMs) : null,
        loopLagMs: seen?.loopLagMs ?? null,
      };
    });
  }

  /** Tells every agent who is alive and what is in force. */
  push(): void {
    const faults = this.#desk?.activeFaults() ?? [];
    for (const { socket } of this.#connected.values()) {
      socket.emit('keepalive', { runId: this.#options.runId, faults });
    }
  }

  close(): void {
    clearInterval(this.#keepalive);
  }

  /** Rejects when the answer does not come in time, and at once when the process goes. */
  async #ask<T>(
    name: InjectorName,
    ask: (socket: ReturnType<AgentSocket['timeout']>) => Promise<T>,
    timeoutMs = this.#options.ackTimeoutMs,
  ): Promise<T> {
    const socket = this.#connected.get(name)?.socket;
    if (!socket) throw new Error(`${name} is not connected`);
    let onGone = () => {};
    const gone = new Promise<never>((_resolve, reject) => {
      onGone = () => reject(new Error(`${name} has gone`));
      socket.once('disconnect', onGone);
    });
    try {
      return await Promise.race([ask(socket.timeout(timeoutMs)), gone]);
    } finally {
      socket.off('disconnect', onGone);
    }
  }

  #welcome(socket: AgentSocket): void {
    const { name, instanceId, pid } = authSchema.parse(socket.handshake.auth);
    const { hub, log, logger } = this.#options;
    // What an agent sends is checked, not trusted: a bug there must not end the control process.
    const guarded = <A extends unknown[]>(what: string, handle: (...args: A) => void) => {
      return (...args: A) => {
        try {
          handle(...args);
        } catch (error) {
          logger.warn({ err: error, agent: name, what }, 'an agent sent something unusable');
        }
      };
    };
    socket.on(
      'hello',
      guarded('hello', (sent) => {
        const hello = helloSchema.parse(sent);
        const before = this.#connected.get(name);
        this.#connected.set(name, { socket, instanceId });
        if (before && before.socket !== socket) before.socket.disconnect(true);
        hub.declare(name, hello.metrics);
        logger.info({ agent: name, pid, instanceId, faults: hello.faults }, 'agent connected');
        if (!before) log.tell('agentChanged', name, { agent: name, connected: true });
        socket.emit('keepalive', { runId: this.#options.runId, faults: this.#desk?.activeFaults() ?? [] });
        this.#desk?.agentArrived(name, instanceId, hello.faults);
      }),
    );
    socket.on(
      'frame',
      guarded('frame', (sent) => {
        const frame = frameSchema.parse(sent);
        hub.frame(name, frame.values, frame.loopLagMs);
      }),
    );
    socket.on(
      'report',
      guarded('report', (report) => hub.report(name, report)),
    );
    socket.on(
      'activity',
      guarded('activity', ({ activity }: { activity: FaultActivity[] }) => this.#desk?.observe(activity)),
    );
    socket.on(
      'fact',
      guarded('fact', (draft, ack) => {
        try {
          draftSchema.parse(draft);
          log.receive(draft);
        } finally {
          ack(); // also when unusable: it would be repeated for ever
        }
      }),
    );
    socket.on(
      'ended',
      guarded('ended', ({ id, reason, activity }, ack) => {
        try {
          this.#desk?.endedByInjector(id, reason, activity);
        } finally {
          ack();
        }
      }),
    );
    socket.on('disconnect', (why) => {
      if (this.#connected.get(name)?.socket !== socket) return;
      this.#connected.delete(name);
      logger.info({ agent: name, pid, why }, 'agent disconnected');
      log.tell('agentChanged', name, { agent: name, connected: false });
      this.#desk?.agentLeft(name);
    });
  }
}

function isErrorCode(code: string): code is ErrorCode {
  return (ERROR_CODES as readonly string[]).includes(code);
}
