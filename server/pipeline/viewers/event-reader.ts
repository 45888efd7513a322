import { abortable, isDeadlineError } from '#lib/chaos/abort.ts';
import { type Clock, sleep } from '#lib/chaos/clock.ts';
import type { EventAnswer, EventPage, ReviewedEvent } from '#lib/protocol/viewers.ts';
import type { Logger } from '#server/logging.ts';
import type { Queryable } from '../database/database.ts';
import type { Profile, ReadStats, ViewerCache } from './contracts.ts';
import {
  EVENT_PAGE_SQL,
  EVENT_SQL,
  type EventRow,
  eventOfRow,
  REVIEW_SQL,
  type ReviewRow,
} from './event-rows.ts';
import { LatencyWindow } from './latency-window.ts';
import type { RecentEvents } from './recent-events.ts';
import { ViewerProblem } from './viewer-problem.ts';

export interface EventReaderOptions {
  database: Queryable;
  hasSchema: () => boolean;
  cache: ViewerCache;
  recent: RecentEvents;
  profile: Profile;
  clock: Clock;
  logger: Logger;
  /** A call timed out. */
  onTimeout: (retryAfterMs: number) => void;
}

/** Longest wait for one call, and the p95 above which reads come from the cache, ms. */
const READ_LIMITS: Record<Profile, { timeoutMs: number; slowMs: number }> = {
  'game-day': { timeoutMs: 3000, slowMs: 500 },
  production: { timeoutMs: 30_000, slowMs: 1000 },
  test: { timeoutMs: 1000, slowMs: 200 },
};

export const EVENT_READER_DEFAULTS = {
  /** Reads that p95 is taken over. */
  window: 20,
  /** Events on a page. */
  pageSize: 20,
  /** When to come again, unless the error knows better, ms. */
  retryAfterMs: 5000,
  /** While reads come from the cache: wait between the reads that find out whether the database is fast again, ms. */
  probeMs: 150,
  /** Nobody asked for this long: the database is left alone, ms. */
  idleMs: 30_000,
};

interface Known<T> {
  value: T;
  /** Epoch ms at which it was true. */
  at: number;
}

/** A page without its freshness. */
type Page = Pick<EventPage, 'events' | 'next'>;

/**
 * Events for viewers: from the database while it answers in time, else what was known, marked `stale` with its age.
 *
 *     page, event ─► p95 of the last 20 reads fine? ─► database ─► fresh, and remembered
 *                         └─ too slow, failed, timed out ─► cache, then this process's memory ─► stale
 *                                                              └─ nothing known ─► 503 with Retry-After
 */
export class EventReader {
  readonly #options: EventReaderOptions;
  readonly #latency = new LatencyWindow(EVENT_READER_DEFAULTS.window);
  readonly #closing = new AbortController();
  readonly #counts = { fresh: 0, stale: 0, unavailable: 0 };
  /** When the newest events were last read from the database. */
  #newestReadAt: number;
  #askedAt = 0;
  #probing = false;

  constructor(options: EventReaderOptions) {
    this.#options = options;
    this.#newestReadAt = options.clock.now();
  }

  stats(): ReadStats {
    return { ...this.#counts, p95Ms: this.#latency.p95() };
  }

  close(): void {
    this.#closing.abort(new DOMException('The reader is closing', 'AbortError'));
  }

  /**
   * Events newest first, `before` a seq.
   * @throws {ViewerProblem} STORAGE_UNAVAILABLE
   */
  async page(before: number | undefined, limit: number): Promise<EventPage> {
    const { value, freshness } = await this.#read(
      `events:${before ?? 'newest'}:${limit}`,
      () => this.#readPage(before, limit),
      () => (before === undefined ? this.#rememberedPage(limit) : undefined),
    );
    return { ...freshness, ...value };
  }

  /** @throws {ViewerProblem} EVENT_NOT_FOUND, STORAGE_UNAVAILABLE */
  async event(id: string): Promise<EventAnswer> {
    const { value, freshness } = await this.#read(
      `event:${id}`,
      () => this.#readEvent(id),
      () => this.#rememberedEvent(id),
    );
    return { ...freshness, event: value };
  }

  /**
   * Stores that somebody has looked at an event. Harmless when repeated.
   * @throws {ViewerProblem} EVENT_NOT_FOUND, STORAGE_UNAVAILABLE (it may have been stored: say it again)
   */
  async review(
    id: string,
    note: string | null,
  ): Promise<{ id: string; reviewedAt: number; reviewNote: string | null }> {
    const { database } = this.#options;
    let rows: ReviewRow[];
    try {
      rows = await this.#timed(() => database.query<ReviewRow>(REVIEW_SQL, [id, note]));
    } catch (error) {
      throw this.#unavailable(error);
    }
    const row = rows[0];
    if (!row) throw notFound(id);
    // What is cached of it does not know the review yet.
    this.event(id).catch((error: unknown) =>
      this.#options.logger.debug({ err: error }, 'review not re-read'),
    );
    return { id: row.event_id, reviewedAt: row.reviewed_at.getTime(), reviewNote: row.review_note };
  }

  async #read<T>(
    key: string,
    fresh: () => Promise<T>,
    remembered: () => Known<T> | undefined,
  ): Promise<{ value: T; freshness: { stale: false } | { stale: true; ageMs: number } }> {
    const { clock, cache, logger } = this.#options;
    this.#askedAt = clock.monotonicMs();
    const known = async () => (await this.#cached<T>(key)) ?? remembered();
    const stale = ({ value, at }: Known<T>) => {
      this.#counts.stale++;
      return { value, freshness: { stale: true as const, ageMs: Math.max(0, clock.now() - at) } };
    };
    if (!this.#options.hasSchema()) {
      const answer = await known();
      if (answer) return stale(answer);
      throw this.#unavailable(new Error('The tables are not there yet'));
    }
    if (this.#isSlow()) {
      void this.#probe();
      const answer = await known();
      if (answer) return stale(answer);
    }
    try {
      const value = await this.#timed(fresh);
      this.#counts.fresh++;
      void cache.remember(key, JSON.stringify({ value, at: clock.now() }));
      return { value, freshness: { stale: false } };
    } catch (error) {
      if (error instanceof ViewerProblem) throw error;
      const answer = await known();
      if (!answer) throw this.#unavailable(error);
      logger.info({ err: error, key }, 'read answered from the cache');
      return stale(answer);
    }
  }

  /** Runs a call within the time-out and measures it. What failed fast says nothing about speed. */
  async #timed<T>(call: () => Promise<T>): Promise<T> {
    const { clock, profile, onTimeout } = this.#options;
    const startedAt = clock.monotonicMs();
    try {
      const value = await abortable(call(), AbortSignal.timeout(READ_LIMITS[profile].timeoutMs));
      this.#latency.add(clock.monotonicMs() - startedAt);
      return value;
    } catch (error) {
      if (isTimeout(error)) {
        this.#latency.add(clock.monotonicMs() - startedAt);
        onTimeout(EVENT_READER_DEFAULTS.retryAfterMs);
      }
      throw error;
    }
  }

  #isSlow(): boolean {
    const p95 = this.#latency.p95();
    return p95 !== null && p95 > READ_LIMITS[this.#options.profile].slowMs;
  }

  /** Reads the newest events until the database is fast again, or nobody asks any more. */
  async #probe(): Promise<void> {
    if (this.#probing) return;
    this.#probing = true;
    const { clock, logger } = this.#options;
    const { probeMs, idleMs } = EVENT_READER_DEFAULTS;
    const { signal } = this.#closing;
    try {
      while (this.#isSlow() && clock.monotonicMs() - this.#askedAt < idleMs) {
        await this.#timed(() => this.#readPage(undefined, EVENT_READER_DEFAULTS.pageSize)).catch(
          (error: unknown) => logger.debug({ err: error }, 'database still slow'),
        );
        await sleep(clock, probeMs, signal);
      }
    } catch {
      // closing
    } finally {
      this.#probing = false;
    }
  }

  async #cached<T>(key: string): Promise<Known<T> | undefined> {
    const text = await this.#options.cache.recall(key);
    if (text === undefined) return undefined;
    try {
      return JSON.parse(text) as Known<T>; // written by `#read` under the same key
    } catch (error) {
      this.#options.logger.warn({ err: error, key }, 'cached answer not readable');
      return undefined;
    }
  }

  async #readPage(before: number | undefined, limit: number): Promise<Page> {
    const { database, recent, clock } = this.#options;
    const rows = await database.query<EventRow>(EVENT_PAGE_SQL, [before ?? null, limit + 1]);
    const events = rows.slice(0, limit).map(eventOfRow);
    if (before === undefined) {
      for (const event of events) recent.remember(event);
      if (limit >= EVENT_READER_DEFAULTS.pageSize) this.#newestReadAt = clock.now();
    }
    return { events, next: rows.length > limit ? (events.at(-1)?.seq ?? null) : null };
  }

  async #readEvent(id: string): Promise<ReviewedEvent> {
    const [row] = await this.#options.database.query<EventRow>(EVENT_SQL, [id]);
    if (!row) throw notFound(id);
    return eventOfRow(row);
  }

  #rememberedPage(limit: number): Known<Page> | undefined {
    const events = this.#options.recent.list(limit);
    if (events.length === 0) return undefined;
    return { value: { events, next: events.at(-1)?.seq ?? null }, at: this.#newestReadAt };
  }

  #rememberedEvent(id: string): Known<ReviewedEvent> | undefined {
    const event = this.#options.recent.find(id);
    return event && { value: event, at: this.#newestReadAt };
  }

  #unavailable(cause: unknown): ViewerProblem {
    this.#counts.unavailable++;
    const asked = (cause as { retryAfterMs?: unknown } | null)?.retryAfterMs;
    const retryAfterMs = typeof asked === 'number' ? asked : EVENT_READER_DEFAULTS.retryAfterMs;
    return new ViewerProblem('STORAGE_UNAVAILABLE', 'The database does not answer', { retryAfterMs, cause });
  }
}

function notFound(id: string): ViewerProblem {
  return new ViewerProblem('EVENT_NOT_FOUND', `There is no event ${id}`);
}

/** No answer in time: ours, the pool's, pg's, or the server's statement_timeout (57014). */
function isTimeout(error: unknown): boolean {
  if (isDeadlineError(error)) return true;
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  if (code === '57014' || code === 'CHECKOUT_TIMEOUT' || code === 'ETIMEDOUT') return true;
  return typeof message === 'string' && /time(d )?[ -]?out/i.test(message);
}
