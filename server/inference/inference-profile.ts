import { GAME_DAY_THERMAL, THERMAL_DEFAULTS, type ThermalOptions } from '#lib/chaos/gpu/thermal-model.ts';
import type { Settings } from '../config.ts';

/** Durations and sizes of the inference services. */
export interface InferenceProfile {
  readonly thermal: ThermalOptions;
  /** Told to callers in Retry-After while inference is paused by heat, ms. */
  readonly pauseRetryAfterMs: number;
  /** From the cause's end to a service's restart, ms; doubled for each restart of the last minute. */
  readonly restartDelayMs: number;
  /** Longest such delay, ms. With `loadMs` it must stay below 5 s. */
  readonly restartMaxDelayMs: number;
  /** From a restart to the first answer: context and weights, ms. */
  readonly loadMs: number;
}

/** Heats and cools four times as fast as in a game day. */
const TEST_THERMAL: ThermalOptions = {
  ...GAME_DAY_THERMAL,
  sinkCapacityJPerK: GAME_DAY_THERMAL.sinkCapacityJPerK / 4,
  dieTimeConstantMs: GAME_DAY_THERMAL.dieTimeConstantMs / 4,
  governorMhzPerSecond: 4 * GAME_DAY_THERMAL.governorMhzPerSecond,
  softwareMhzPerSecond: 4 * GAME_DAY_THERMAL.softwareMhzPerSecond,
};

const PROFILES: Readonly<Record<Settings['PROFILE'], InferenceProfile>> = {
  production: {
    thermal: THERMAL_DEFAULTS,
    pauseRetryAfterMs: 60_000,
    restartDelayMs: 1000,
    restartMaxDelayMs: 2500,
    loadMs: 2000,
  },
  'game-day': {
    thermal: GAME_DAY_THERMAL,
    pauseRetryAfterMs: 5000,
    restartDelayMs: 1000,
    restartMaxDelayMs: 3000,
    loadMs: 500,
  },
  test: {
    thermal: TEST_THERMAL,
    pauseRetryAfterMs: 1000,
    restartDelayMs: 200,
    restartMaxDelayMs: 800,
    loadMs: 200,
  },
};

export function inferenceProfile(name: Settings['PROFILE']): InferenceProfile {
  return PROFILES[name];
}

/** MiB and ms at full clock; sizes and times of a YOLO26 medium and a Nemotron of about 30 billion parameters in 4 bit. */
export const MODELS = {
  yolo26: {
    weightsMib: 650,
    imageMib: 180,
    maxBatchSize: 8,
    baseMs: 30,
    imageMs: 10,
    version: 'yolo26m-2026.1',
  },
  nemotron: {
    weightsMib: 17_900,
    tokenMib: 0.11,
    slots: 4,
    baseMs: 150,
    tokenMs: 10,
    version: 'nemotron-nano-q4-2026.1',
  },
} as const;
export type ModelName = keyof typeof MODELS;

/** Memory that the models keep for later is given back this often, ms: the card is shared with others. */
export const CACHE_TRIM_MS = 2000;

/** How much longer everything takes without a GPU. */
export const CPU_FACTOR = 12;
