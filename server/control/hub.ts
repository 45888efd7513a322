import { type Clock, systemClock } from '../../lib/chaos/clock.ts';
import type { InjectorName } from '../../lib/chaos/faults/fault.ts';
import type { AgentReport } from '../../lib/protocol/events.ts';
import type { MetricDeclaration } from '../../lib/protocol/metrics.ts';
import type { Aged } from '../../lib/protocol/state.ts';

/** 4 Hz for 15 minutes. */
export const SLOT_MS = 250;
const SLOTS = 15 * 60 * 4;
const HUB_RANGE_MS = SLOTS * SLOT_MS;

/** Silence after which a series is a gap and a value is nobody's, ms. */
export const STALE_MS = 2000;
const STALE_SLOTS = STALE_MS / SLOT_MS;

interface Ring {
  declaration: MetricDeclaration;
  source: string;
  /** NaN is a gap. Indexed by slot modulo its length. */
  values: Float64Array;
  /** Slot of the newest write; −1: none. */
  lastSlot: number;
}

interface Source {
  names: string[];
  /** Monotonic ms. */
  seenAtMs: number;
  loopLagMs: number | null;
}

type ReportKind = AgentReport['kind'];
type ReportOf<K extends ReportKind> = Extract<AgentReport, { kind: K }>['report'];

/**
 * Where telemetry meets: newest values, 15 minutes of history, newest report of each process.
 *
 * Arrival is stamped here, on the monotonic clock; senders' clocks are not believed. A missing sample is filled with
 * the one before it only across less than 2 s (frames jitter); beyond that it is a gap.
 */
export class Hub {
  /** Epoch ms; nothing is known from before. */
  readonly createdAt: number;
  readonly #clock: Clock;
  readonly #rings = new Map<string, Ring>();
  readonly #sources = new Map<string, Source>();
  readonly #reports = new Map<ReportKind, { report: AgentReport['report']; atMs: number }>();
  readonly #layoutListeners = new Set<() => void>();
  #layout = 0;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
    this.createdAt = clock.now();
  }

  /** Grows with each change of `metrics()`. */
  get layout(): number {
    return this.#layout;
  }

  /** Every declared series, in the order of `values()`. */
  metrics(): MetricDeclaration[] {
    return [...this.#rings.values()].map((ring) => ring.declaration);
  }

  onLayout(listener: () => void): () => void {
    this.#layoutListeners.add(listener);
    return () => this.#layoutListeners.delete(listener);
  }

  /** A source says which series its frames carry, in order. A name that another source had moves to this one. */
  declare(source: string, metrics: readonly MetricDeclaration[]): void {
    this.#sources.set(source, {
      names: metrics.map((metric) => metric.name),
      seenAtMs: this.#clock.monotonicMs(),
      loopLagMs: null,
    });
    let changed = false;
    for (const declaration of metrics) {
      const ring = this.#rings.get(declaration.name);
      if (ring) {
        ring.source = source;
        if (ring.declaration.unit === declaration.unit && ring.declaration.help === declaration.help)
          continue;
        ring.declaration = declaration;
      } else {
        const values = new Float64Array(SLOTS).fill(Number.NaN);
        this.#rings.set(declaration.name, { declaration, source, values, lastSlot: -1 });
      }
      changed = true;
    }
    if (!changed) return;
    this.#layout++;
    for (const listener of this.#layoutListeners) listener();
  }

  /** A frame of a source that has declared its series; others are ignored. */
  frame(source: string, values: readonly (number | null)[], loopLagMs: number): void {
    const known = this.#sources.get(source);
    if (!known) return;
    known.seenAtMs = this.#clock.monotonicMs();
    known.loopLagMs = loopLagMs;
    const slot = Math.floor(known.seenAtMs / SLOT_MS);
    for (const [index, name] of known.names.entries()) {
      const ring = this.#rings.get(name);
      if (ring?.source === source) write(ring, slot, values[index] ?? null);
    }
  }

  seen(source: string): { ageMs: number; loopLagMs: number | null } | null {
    const known = this.#sources.get(source);
    if (!known) return null;
    return { ageMs: this.#clock.monotonicMs() - known.seenAtMs, loopLagMs: known.loopLagMs };
  }

  /** Newest value of every series, in the order of `metrics()`; null where its source is silent for 2 s. */
  values(): (number | null)[] {
    const now = this.#clock.monotonicMs();
    return [...this.#rings.values()].map((ring) => {
      const source = this.#sources.get(ring.source);
      if (!source || now - source.seenAtMs > STALE_MS || ring.lastSlot < 0) return null;
      return valueAt(ring, ring.lastSlot);
    });
  }

  report(_source: InjectorName, { kind, report }: AgentReport): void {
    this.#reports.set(kind, { report, atMs: this.#clock.monotonicMs() });
  }

  /** The newest report of a kind with its age; null when there never was one. */
  aged<K extends ReportKind>(kind: K): Aged<ReportOf<K>> {
    const kept = this.#reports.get(kind);
    if (!kept) return null;
    const ageMs = Math.round(this.#clock.monotonicMs() - kept.atMs);
    return { ...kept.report, ageMs } as unknown as Aged<ReportOf<K>>; // it was kept under its kind
  }

  /** Epoch ms of the oldest moment that the rings can tell about. */
  get oldestAt(): number {
    return this.#clock.now() - HUB_RANGE_MS + SLOT_MS;
  }

  /**
   * Last sample within each step from `startAt` (epoch ms); null is a gap.
   * @returns undefined for a series that nobody declared
   */
  series(name: string, startAt: number, stepMs: number, points: number): (number | null)[] | undefined {
    const ring = this.#rings.get(name);
    if (!ring) return undefined;
    const toMonotonicMs = this.#clock.monotonicMs() - this.#clock.now();
    const result: (number | null)[] = [];
    for (let index = 0; index < points; index++) {
      const fromSlot = Math.ceil((startAt + index * stepMs + toMonotonicMs) / SLOT_MS);
      const untilSlot = Math.max(
        fromSlot + 1,
        Math.ceil((startAt + (index + 1) * stepMs + toMonotonicMs) / SLOT_MS),
      );
      let value: number | null = null;
      for (let slot = untilSlot - 1; slot >= fromSlot && value === null; slot--) value = valueAt(ring, slot);
      result.push(value);
    }
    return result;
  }

  declaration(name: string): MetricDeclaration | undefined {
    return this.#rings.get(name)?.declaration;
  }
}

function write(ring: Ring, slot: number, value: number | null): void {
  const { values, lastSlot } = ring;
  const stored = value !== null && Number.isFinite(value) ? value : Number.NaN;
  if (lastSlot >= 0 && slot > lastSlot + 1) {
    const missing = slot - lastSlot - 1;
    const held = missing < STALE_SLOTS ? (values[lastSlot % SLOTS] ?? Number.NaN) : Number.NaN;
    for (let index = Math.max(lastSlot + 1, slot - SLOTS + 1); index < slot; index++)
      values[index % SLOTS] = held;
  }
  values[slot % SLOTS] = stored;
  ring.lastSlot = Math.max(lastSlot, slot);
}

function valueAt(ring: Ring, slot: number): number | null {
  if (slot < 0 || slot > ring.lastSlot || slot <= ring.lastSlot - SLOTS) return null;
  const value = ring.values[slot % SLOTS];
  return value === undefined || Number.isNaN(value) ? null : value;
}
