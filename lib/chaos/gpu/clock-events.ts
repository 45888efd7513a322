/** NVML's clocksEventReasons, the part that the simulated card can set. */
export const CLOCK_EVENTS = {
  idle: 0x1,
  softwarePowerCap: 0x4,
  hardwareSlowdown: 0x8,
  softwareThermal: 0x20,
  hardwareThermal: 0x40,
} as const;

const WORDS: readonly [bit: number, word: string][] = [
  [CLOCK_EVENTS.hardwareSlowdown, 'HW slowdown'],
  [CLOCK_EVENTS.hardwareThermal, 'HW thermal slowdown'],
  [CLOCK_EVENTS.softwareThermal, 'SW thermal slowdown'],
];

/** The bits that mean "slower than it could be because of heat", worst first, in NVML's words. */
export function throttleWords(bits: number): string[] {
  return WORDS.filter(([bit]) => (bits & bit) !== 0).map(([, word]) => word);
}
