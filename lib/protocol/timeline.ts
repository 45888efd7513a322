import type { Fact } from './facts.ts';
import type { Fault } from './faults.ts';
import type { BreakerState, Mode } from './state.ts';

/** What held at the start of a window, so that its bands can be drawn without the facts before it. */
export interface Standing {
  /** null: not known. */
  mode: Mode | null;
  breakers: { name: string; state: BreakerState }[];
  /** Faults in force then. */
  faults: Fault[];
  halted: boolean;
}

/** `GET /timeline/window?fromMs=&toMs=` */
export interface TimelineWindow {
  /** Epoch ms; both ends belong to it. */
  fromMs: number;
  toMs: number;
  /** Ascending by `seq`. */
  facts: Fact[];
  standing: Standing;
  /** Of the newest fact of all. */
  seq: number;
  /** Some facts of the window are gone. */
  gap: boolean;
  /** The limit was reached; go on with `after` = the last `seq`. */
  more: boolean;
}
