/** How much of each measurement a run makes. */
export interface PipelineSize {
  /** With models that answer at once, and with the simulated ones. */
  rounds: { instant: number; simulated: number };
  /** Counted in each round, ms, after `rampMs` of the same load. */
  forMs: { instant: number; simulated: number };
  rampMs: number;
  /** Frames that are on their way at once at saturation. */
  inFlight: { instant: number; simulated: number };
  /** Frames a second of an ordinary day, and how long they are watched. */
  perSecond: number;
  latencyMs: number;
  outageMs: number;
}
