import type { IncomingHttpHeaders } from 'node:http';
import type { Namespace, Server, Socket } from 'socket.io';
import { z } from 'zod';
import type { Ack } from '../../lib/protocol/errors.ts';
import type { ConsoleClientEvents, ConsoleServerEvents } from '../../lib/protocol/events.ts';
import type { Fact } from '../../lib/protocol/facts.ts';
import {
  changeFaultSchema,
  haltSchema,
  type Owner,
  resumeSchema,
  startPresetSchema,
} from '../../lib/protocol/faults.ts';
import type { State } from '../../lib/protocol/state.ts';
import type { Logger } from '../logging.ts';
import type { AgentGateway } from './agent-gateway.ts';
import type { FactLog } from './fact-log.ts';
import type { FaultDesk } from './fault-desk.ts';
import type { Leases } from './leases.ts';
import { noteData, noteSchema } from './note.ts';
import { makeProblem, parseInput, Refusal, refuseZod, toProblem } from './problem.ts';

export interface ConsoleGatewayOptions {
  desk: FaultDesk;
  log: FactLog;
  leases: Leases;
  agents: AgentGateway;
  state: () => State;
  logger: Logger;
  /** @throws when this browser may not command */
  admit: (handshake: { headers: IncomingHttpHeaders; auth: Record<string, unknown> }) => void;
  /** Told of each command and how it went. */
  onCommand: (command: string, outcome: string) => void;
  /**
   * How long a page has to answer a lease question, ms. A late answer is a sign of life as well: a laptop that
   * draws slowly must not look gone. @default 12 000
   */
  leaseAnswerMs?: number;
  /** Unsent bytes at which a consumer is cut. @default 1 MiB */
  maxBufferedBytes?: number;
  /** Unsent packets at which a consumer is cut. @default 1000 */
  maxBufferedPackets?: number;
}

type NoData = Record<never, never>;
type ConsoleSocket = Socket<ConsoleClientEvents, ConsoleServerEvents, NoData, NoData>;

const authSchema = z.object({
  name: z.string().trim().min(1).max(40),
  tabId: z.string().min(1).max(100),
  lastSeq: z.number().int().min(0).nullish(),
});
const id = z.string().min(1).max(100);
const idSchema = z.strictObject({ id });
const changeSchema = changeFaultSchema.extend({ id, version: z.number().int().min(1).optional() });
const breakerSchema = z.strictObject({
  name: z.string().min(1).max(100),
  command: z.enum(['open', 'close', 'reset']),
});

/** Facts sent to a tab that comes for the first time, and at most to one that returns. */
const FIRST_FACTS = 500;
const MOST_FACTS = 5000;
/** Commands a second that one socket may send, and how many at once. */
const RATE_PER_SECOND = 20;
const BURST = 60;
const CUT_AFTER_MS = 1000;

/**
 * The /console namespace: commands with acknowledgements, and the ordered facts.
 *
 * A socket gets one snapshot, then every fact after it, in order, exactly once; or it is cut and starts over.
 */
export class ConsoleGateway {
  readonly #options: Required<ConsoleGatewayOptions>;
  readonly #namespace: Namespace<ConsoleClientEvents, ConsoleServerEvents, NoData, NoData>;
  readonly #stopFacts: () => void;
  readonly #untoldFacts: Fact[] = [];
  #areFaultsUntold = false;
  #telling: NodeJS.Immediate | undefined;
  readonly #onChanged = () => {
    this.#areFaultsUntold = true;
    this.#tellSoon();
  };

  constructor(io: Server, options: ConsoleGatewayOptions) {
    this.#options = {
      leaseAnswerMs: 12_000,
      maxBufferedBytes: 1024 * 1024,
      maxBufferedPackets: 1000,
      ...options,
    };
    this.#namespace = io.of('/console');
    this.#namespace.use((socket, next) => {
      try {
        this.#options.admit(socket.handshake);
        const auth = authSchema.safeParse(socket.handshake.auth);
        if (!auth.success) throw refuseZod(auth.error, socket.handshake.auth, 'auth');
        next();
      } catch (error) {
        const problem = toProblem(error, (unknown) =>
          options.logger.error({ err: unknown }, 'admission failed'),
        );
        next(Object.assign(new Error(problem.detail), { data: problem }));
      }
    });
    this.#namespace.on('connection', (socket) => this.#welcome(socket));
    this.#stopFacts = options.log.subscribe((fact) => {
      this.#untoldFacts.push(fact);
      this.#tellSoon();
    });
    options.desk.on('changed', this.#onChanged);
  }

  get viewers(): number {
    return this.#namespace.sockets.size;
  }

  /** What waits for the slowest of them, bytes. */
  get mostUnsentBytes(): number {
    let most = 0;
    for (const socket of this.#namespace.sockets.values()) most = Math.max(most, unsent(socket).bytes);
    return most;
  }

  /** Warns every viewer that the process is about to go. */
  announceShutdown(): void {
    this.#namespace.emit('notice', { code: 'SHUTDOWN', text: 'The control process is stopping' });
  }

  close(): void {
    this.#stopFacts();
    this.#options.desk.off('changed', this.#onChanged);
    this.#tell();
  }

  /** Cuts who does not keep up. */
  cutSlow(): void {
    for (const socket of this.#namespace.sockets.values()) this.#cutIfSlow(socket);
  }

  #welcome(socket: ConsoleSocket): void {
    const { leases, log, state, leaseAnswerMs } = this.#options;
    const { name, tabId, lastSeq } = authSchema.parse(socket.handshake.auth);
    this.#listen(socket, { name, kind: 'browser', tabId });
    this.#tell(socket); // its snapshot has them
    // Taken and sent in one turn of the event loop: every later fact comes after it, none comes twice.
    const { facts, gap } =
      lastSeq === undefined || lastSeq === null
        ? { facts: log.latest(FIRST_FACTS), gap: false }
        : resumed(log, lastSeq);
    socket.emit('snapshot', { state: state(), facts, gap });
    // Only now: joining may itself be a fact.
    const leave = leases.join(tabId, name, async (n) => {
      await socket.timeout(leaseAnswerMs).emitWithAck('lease', { n });
    });
    socket.on('disconnect', leave);
  }

  #listen(socket: ConsoleSocket, owner: Owner): void {
    const { desk, log, agents } = this.#options;
    const by = owner.name;
    const answer = this.#answerer(socket, owner);
    answer('fault:start', (request) => desk.start(request, owner));
    answer('fault:change', (request) => {
      const { id: faultId, version, ...change } = parseInput(changeSchema, request);
      return desk.change(faultId, change, version, owner);
    });
    answer('fault:stop', (request) => desk.stop(parseInput(idSchema, request).id, by));
    answer('preset:start', (request) => desk.startPreset(parseInput(startPresetSchema, request), owner));
    answer('halt:start', (request) => desk.halt(by, parseInput(haltSchema, request ?? {}).reason ?? ''));
    answer('halt:resume', (request) => {
      desk.resume(by, parseInput(resumeSchema, request).reason);
      return {};
    });
    answer('note:add', (request) => {
      log.tell('note', by, noteData(by, parseInput(noteSchema, request)));
      return {};
    });
    answer('breaker:command', async (request) => {
      const command = parseInput(breakerSchema, request);
      const { done } = await agents.command('pipeline', 'breaker:command', command);
      if (!done) throw new Refusal('BREAKER_NOT_FOUND', `There is no circuit breaker ${command.name}`);
      return {};
    });
    const known = new Set<string>(socket.eventNames().map(String));
    socket.onAny((event: unknown, ...args: unknown[]) => {
      if (known.has(String(event))) return;
      const ack = args.at(-1);
      const error = makeProblem('NOT_FOUND', `There is no command ${String(event).slice(0, 100)}`);
      if (typeof ack === 'function') ack({ ok: false, error });
    });
  }

  /**
   * Registers a command: parse, act, acknowledge. Whatever is sent, the answer is an acknowledgement; a command
   * without a way to answer is done all the same, for a stop must not fail on a formality.
   */
  #answerer(socket: ConsoleSocket, owner: Owner) {
    const { logger, onCommand } = this.#options;
    let allowance = BURST;
    let refilledAt = performance.now();
    const spend = () => {
      const now = performance.now();
      allowance = Math.min(BURST, allowance + ((now - refilledAt) / 1000) * RATE_PER_SECOND);
      refilledAt = now;
      if (allowance < 1) throw new Refusal('RATE_LIMITED', `At most ${RATE_PER_SECOND} commands a second`);
      allowance--;
    };
    type Data<E extends keyof ConsoleClientEvents> =
      Parameters<Parameters<ConsoleClientEvents[E]>[1]>[0] extends Ack<infer T> ? T : never;
    return <E extends keyof ConsoleClientEvents>(
      event: E,
      act: (request: unknown) => Promise<Data<E>> | Data<E>,
    ): void => {
      const handler = async (...sent: unknown[]): Promise<void> => {
        const last = sent.at(-1);
        const ack = typeof last === 'function' ? (last as (answer: Ack<Data<E>>) => void) : undefined;
        const request = ack && sent.length === 1 ? undefined : sent[0];
        const startedAt = performance.now();
        let result: Ack<Data<E>>;
        try {
          if (event !== 'halt:start') spend();
          result = { ok: true, data: await act(request) };
        } catch (error) {
          const problem = toProblem(error, (unknown) =>
            logger.error({ err: unknown, event }, 'command failed'),
          );
          result = { ok: false, error: problem };
        }
        const outcome = result.ok ? 'ok' : result.error.code;
        const tookMs = Math.round((performance.now() - startedAt) * 10) / 10;
        logger.info({ command: event, by: owner.name, outcome, tookMs }, 'command');
        onCommand(event, outcome);
        ack?.(result);
      };
      // The typed `on` wants one signature; what really arrives is anything, and is parsed.
      (socket as { on(event: string, listener: (...sent: unknown[]) => void): unknown }).on(
        event,
        (...sent) => {
          void handler(...sent);
        },
      );
    };
  }

  /** In the next turn of the event loop: who started or stopped a fault has the answer before all others are told. */
  #tellSoon(): void {
    this.#telling ??= setImmediate(() => {
      try {
        this.#tell();
      } catch (error) {
        this.#options.logger.error({ err: error }, 'viewers could not be told');
      }
    });
  }

  /** Tells everyone, or everyone else, what is new. Hits between two changes are told by the ticks of /live. */
  #tell(newcomer?: ConsoleSocket): void {
    clearImmediate(this.#telling);
    this.#telling = undefined;
    const to = this.#namespace.except(newcomer ? newcomer.id : []);
    for (const fact of this.#untoldFacts.splice(0)) to.emit('fact', fact);
    if (this.#areFaultsUntold) to.emit('faults', { faults: this.#options.desk.faults() });
    this.#areFaultsUntold = false;
  }

  #cutIfSlow(socket: ConsoleSocket): void {
    const { maxBufferedBytes, maxBufferedPackets, logger } = this.#options;
    const { packets, bytes } = unsent(socket);
    if (packets <= maxBufferedPackets && bytes <= maxBufferedBytes) return;
    logger.warn({ packets, bytes }, 'slow consumer cut');
    socket.emit('notice', { code: 'RESYNC', text: 'Too slow for the facts: start over' });
    const { conn } = socket;
    setTimeout(() => conn.close(true), CUT_AFTER_MS).unref();
  }
}

/** Engine.IO tells nobody how much waits, so its own buffer and that of the WebSocket below it are read. */
function unsent(socket: ConsoleSocket): { packets: number; bytes: number } {
  const conn = socket.conn as unknown as {
    writeBuffer?: { data?: { length?: number } }[];
    transport?: { socket?: { bufferedAmount?: number } };
  };
  const waiting = conn.writeBuffer ?? [];
  let bytes = conn.transport?.socket?.bufferedAmount ?? 0;
  for (const { data } of waiting) bytes += data?.length ?? 0;
  return { packets: waiting.length, bytes };
}

function resumed(log: FactLog, lastSeq: number): { facts: ReturnType<FactLog['latest']>; gap: boolean } {
  if (log.seq - lastSeq > MOST_FACTS) return { facts: log.latest(MOST_FACTS), gap: true };
  return log.since(lastSeq, MOST_FACTS);
}
