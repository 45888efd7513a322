import { LRUCache } from 'lru-cache';
import type { Server, Socket } from 'socket.io';
import { z } from 'zod';
import type { Clock } from '#lib/chaos/clock.ts';
import type { Ack } from '#lib/protocol/errors.ts';
import {
  VIEWER_CHANNELS,
  type ViewerChannel,
  type ViewerClientEvents,
  type ViewerEventChange,
  type ViewerNotice,
  type ViewerResume,
  type ViewerServerEvents,
} from '#lib/protocol/viewers.ts';
import type { Logger } from '#server/logging.ts';
import { MessageRing } from './message-ring.ts';
import { invalidInput } from './viewer-problem.ts';

export interface AudienceOptions {
  clock: Clock;
  logger: Logger;
  /** Messages of each channel that a viewer can resume from. @default 1000 */
  ringSize: number;
  /** What may wait for one viewer before it is cut, bytes. @default 1 MiB */
  maxBufferedBytes: number;
  /** A viewer for whom something waits and who takes nothing of it for longer is cut, ms. */
  sendTimeoutMs: number;
  /** Time that a cut viewer has to read its close frame, ms. @default 2000 */
  closeGraceMs: number;
}

const AUDIENCE_DEFAULTS = { ringSize: 1000, maxBufferedBytes: 1024 ** 2, closeGraceMs: 2000 };

/** Events whose newest version is remembered, so that none reaches a viewer twice. */
const MAX_REMEMBERED = 5000;
/** "Going away", as the origin's viewers expect it. */
const CLOSE_GOING_AWAY = 1001;

type ViewerIo = Server<ViewerClientEvents, ViewerServerEvents>;
type Viewer = Socket<ViewerClientEvents, ViewerServerEvents>;
type Version = Pick<ViewerEventChange, 'change' | 'event'>;

const channelSchema = z.enum(VIEWER_CHANNELS, { error: `one of ${VIEWER_CHANNELS.join(', ')}` });
const seqSchema = z
  .number({ error: 'a whole number from 0' })
  .int({ error: 'a whole number from 0' })
  .min(0, { error: 'a whole number from 0' });
const authSchema = z.object({
  channels: z
    .array(channelSchema, { error: 'a list of channels' })
    .max(16, { error: 'at most 16 channels' })
    .optional(),
  lastSeq: z
    .union([seqSchema, z.partialRecord(channelSchema, seqSchema)], {
      error: 'a whole number from 0, or one for each channel',
    })
    .optional(),
});
const subscribeSchema = z.object({ channel: channelSchema, lastSeq: seqSchema.optional() });
const unsubscribeSchema = z.object({ channel: channelSchema });

/**
 * The viewers of this process: numbers what it delivers, lets them resume, shows no version of an event twice or after
 * a newer one, and cuts who cannot keep up.
 */
export class Audience {
  readonly #options: AudienceOptions;
  readonly #events: MessageRing<ViewerEventChange>;
  readonly #notices: Record<'service_status' | 'alerts', MessageRing<Record<string, unknown>>>;
  readonly #newest = new LRUCache<string, Version>({ max: MAX_REMEMBERED });
  readonly #cut = new WeakSet<Viewer>();
  /** Viewers for whom something waits, with what they had taken at that time (monotonic, ms). */
  readonly #behind = new WeakMap<Viewer, { takenBytes: number; since: number }>();
  #io: ViewerIo | undefined;
  #slowConsumers = 0;

  constructor(
    options: Pick<AudienceOptions, 'clock' | 'logger' | 'sendTimeoutMs'> & Partial<AudienceOptions>,
  ) {
    this.#options = { ...AUDIENCE_DEFAULTS, ...options };
    const { ringSize, clock } = this.#options;
    this.#events = new MessageRing(ringSize, clock.now());
    this.#notices = {
      service_status: new MessageRing(ringSize, clock.now()),
      alerts: new MessageRing(ringSize, clock.now()),
    };
  }

  get connected(): number {
    return this.#io?.of('/').sockets.size ?? 0;
  }

  /** Viewers cut so far because they could not keep up. */
  get slowConsumers(): number {
    return this.#slowConsumers;
  }

  /** Whether `deliver` would show it: no viewer has had this version of the event or a newer one. */
  isNews(version: Version): boolean {
    const shown = this.#newest.get(version.event.id);
    return shown === undefined || isNewer(version, shown);
  }

  /** Shows an event to the viewers; false when they have had this version of it or a newer one. */
  deliver(change: ViewerEventChange): boolean {
    if (!this.isNews(change)) return false;
    this.#newest.set(change.event.id, change);
    const message = this.#events.add(this.#options.clock.now(), change);
    this.#cutSlow('events');
    this.#io?.to('events').emit('events', message);
    return true;
  }

  tell(channel: 'service_status' | 'alerts', data: Record<string, unknown>): void {
    const message = this.#notices[channel].add(this.#options.clock.now(), data);
    this.#cutSlow(channel);
    this.#io?.to(channel).emit(channel, message);
  }

  notice(notice: ViewerNotice): void {
    this.#io?.emit('notice', notice);
  }

  /** Serves the viewers of this server. */
  attach(io: ViewerIo): void {
    this.#io = io;
    io.use((socket, next) => {
      const auth: unknown = socket.handshake.auth;
      const parsed = authSchema.safeParse(auth);
      if (parsed.success) {
        next();
        return;
      }
      const problem = invalidInput(parsed.error, auth).toProblem();
      next(Object.assign(new Error(problem.detail), { data: problem }));
    });
    io.on('connection', (socket) => this.#serve(socket));
  }

  #serve(socket: Viewer): void {
    const { channels, lastSeq } = authSchema.parse(socket.handshake.auth);
    socket.on('subscribe', (request: unknown, ack: unknown) =>
      answer(ack, subscribeSchema, request, ({ channel, lastSeq: seq }) => this.#join(socket, channel, seq)),
    );
    socket.on('unsubscribe', (request: unknown, ack: unknown) =>
      answer(ack, unsubscribeSchema, request, ({ channel }) => {
        void socket.leave(channel); // in-memory adapter: done when it returns
        return { channel };
      }),
    );
    for (const channel of new Set(channels ?? VIEWER_CHANNELS)) {
      const seq =
        typeof lastSeq === 'number' ? (channel === 'events' ? lastSeq : undefined) : lastSeq?.[channel];
      this.#join(socket, channel, seq);
    }
  }

  /** What was missed, then the room, in one go: nothing can come between. */
  #join(socket: Viewer, channel: ViewerChannel, lastSeq: number | undefined): ViewerResume {
    const ring = channel === 'events' ? this.#events : this.#notices[channel];
    const missed = lastSeq !== undefined && ring.after(lastSeq).missed;
    const resume = { channel, seq: ring.seq, missed };
    socket.emit('resumed', resume);
    if (lastSeq !== undefined) {
      if (channel === 'events') {
        for (const message of this.#events.after(lastSeq).messages) socket.emit('events', message);
      } else {
        for (const message of this.#notices[channel].after(lastSeq).messages) socket.emit(channel, message);
      }
    }
    void socket.join(channel); // in-memory adapter: done when it returns
    return resume;
  }

  #cutSlow(channel: ViewerChannel): void {
    const io = this.#io;
    if (!io) return;
    for (const id of io.of('/').adapter.rooms.get(channel) ?? []) {
      const socket = io.of('/').sockets.get(id);
      if (!socket || this.#cut.has(socket)) continue;
      const why = this.#whySlow(socket);
      if (why) this.#cutOff(socket, why);
    }
  }

  #whySlow(socket: Viewer): 'buffer_full' | 'send_timeout' | undefined {
    const { clock, maxBufferedBytes, sendTimeoutMs } = this.#options;
    const waitingBytes = bufferedBytes(socket);
    if (waitingBytes > maxBufferedBytes) return 'buffer_full';
    const now = clock.monotonicMs();
    const takenBytes = bytesTaken(socket);
    const behind = this.#behind.get(socket);
    if (waitingBytes === 0) this.#behind.delete(socket);
    else if (behind?.takenBytes !== takenBytes) this.#behind.set(socket, { takenBytes, since: now });
    else if (now - behind.since > sendTimeoutMs) return 'send_timeout';
    return undefined;
  }

  #cutOff(socket: Viewer, why: 'buffer_full' | 'send_timeout'): void {
    this.#cut.add(socket);
    this.#slowConsumers++;
    const waitingBytes = bufferedBytes(socket);
    this.#options.logger.warn({ viewer: socket.id, why, bufferedBytes: waitingBytes }, 'slow viewer cut');
    for (const channel of VIEWER_CHANNELS) void socket.leave(channel);
    const connection = webSocketOf(socket);
    waitingPackets(socket).length = 0; // what it will not read any more
    connection?.close(CLOSE_GOING_AWAY, 'slow_consumer');
    const timer = this.#options.clock.after(this.#options.closeGraceMs, () => connection?.terminate());
    socket.once('disconnect', () => timer.cancel());
  }
}

function isNewer(version: Version, shown: Version): boolean {
  if (version.event.updatedAt !== shown.event.updatedAt)
    return version.event.updatedAt > shown.event.updatedAt;
  return version.change === 'updated' && shown.change === 'created';
}

/** The part of ws that Engine.IO keeps to itself. */
interface RawWebSocket {
  readonly bufferedAmount: number;
  /** Absent once it is closed. */
  readonly _socket?: { readonly bytesWritten: number; readonly writableLength: number };
  close(code: number, reason: string): void;
  terminate(): void;
}

function webSocketOf(socket: Viewer): RawWebSocket | undefined {
  return (socket.conn.transport as { socket?: RawWebSocket }).socket;
}

/** What Engine.IO has not handed to ws yet; private there, and the only way to see how far behind a viewer is. */
function waitingPackets(socket: Viewer): { data?: unknown }[] {
  return (socket.conn as unknown as { writeBuffer: { data?: unknown }[] }).writeBuffer;
}

/** Bytes that wait for this viewer: in ws, and in Engine.IO, which stops handing on while ws has some. */
function bufferedBytes(socket: Viewer): number {
  let bytes = webSocketOf(socket)?.bufferedAmount ?? 0;
  for (const packet of waitingPackets(socket)) bytes += String(packet.data ?? '').length;
  return bytes;
}

/** Bytes that have left this process for the viewer. */
function bytesTaken(socket: Viewer): number {
  const connection = webSocketOf(socket)?._socket;
  return connection ? connection.bytesWritten - connection.writableLength : 0;
}

/** Answers a request of a viewer; rubbish is refused, and a request without acknowledgement gets no answer. */
function answer<S extends z.ZodType, T>(
  ack: unknown,
  schema: S,
  request: unknown,
  work: (request: z.infer<S>) => T,
): void {
  const reply = typeof ack === 'function' ? (ack as (answer: Ack<T>) => void) : () => {};
  const parsed = schema.safeParse(request);
  if (parsed.success) reply({ ok: true, data: work(parsed.data) });
  else reply({ ok: false, error: invalidInput(parsed.error, request).toProblem() });
}
