/** NVML's clocksEventReasons, the part that the simulated card can set. */
export const CLOCK_EVENTS = {
  idle: 0x1,
  softwarePowerCap: 0x4,
  hardwareSlowdown: 0x8,
  softwareThermal: 0x20,
  hardwareThermal: 0x40,
} as const;

export interface ClockEvent {
  readonly bit: number;
  readonly word: string;
  readonly severity: 'information' | 'warning' | 'critical';
}

/** Every reason in NVML's words, worst first. */
export const CLOCK_EVENT_REASONS: readonly ClockEvent[] = [
  { bit: CLOCK_EVENTS.hardwareSlowdown, word: 'HW slowdown', severity: 'critical' },
  { bit: CLOCK_EVENTS.hardwareThermal, word: 'HW thermal slowdown', severity: 'critical' },
  { bit: CLOCK_EVENTS.softwareThermal, word: 'SW thermal slowdown', severity: 'warning' },
  { bit: CLOCK_EVENTS.softwarePowerCap, word: 'SW power cap', severity: 'information' },
  { bit: CLOCK_EVENTS.idle, word: 'Idle', severity: 'information' },
];

/** The bits that mean "slower than it could be because of heat". */
export const THROTTLE_BITS =
  CLOCK_EVENTS.hardwareSlowdown | CLOCK_EVENTS.hardwareThermal | CLOCK_EVENTS.softwareThermal;

/** Those of them that are set, worst first, in NVML's words. */
export function throttleWords(bits: number): string[] {
  return CLOCK_EVENT_REASONS.filter(({ bit }) => (bits & THROTTLE_BITS & bit) !== 0).map(({ word }) => word);
}
