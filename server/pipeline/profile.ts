import type { Settings } from '../config.ts';

/** Every duration and threshold of the pipeline's work that depends on `PROFILE`. Durations in ms. */
export interface PipelineProfile {
  readonly name: Settings['PROFILE'];
  readonly timeouts: {
    readonly connectMs: number;
    readonly detectorMs: number;
    readonly llmMs: number;
    /** A query, as the client waits for it; the server's statement_timeout is a little smaller. */
    readonly databaseMs: number;
    readonly redisMs: number;
  };
  readonly pool: {
    readonly checkoutMs: number;
    readonly statementMs: number;
    readonly idleInTransactionMs: number;
    readonly leakAfterMs: number;
    readonly slowQueryMs: number;
    readonly maxLifetimeSeconds: number;
  };
  readonly batch: {
    readonly windowMs: number;
    readonly idleMs: number;
    readonly maxDetections: number;
  };
  readonly llmRetry: { readonly attempts: number; readonly baseMs: number };
  /** Life of a job's lock in BullMQ and the rhythm in which jobs of dead workers are found. */
  readonly queue: { readonly lockMs: number; readonly stalledMs: number; readonly parkMs: number };
  /** Owed detections and analyses: pause after a round that found some, after one that did not, and before the same again. */
  readonly owed: { readonly busyMs: number; readonly idleMs: number; readonly deferMs: number };
  readonly ledger: { readonly roundMs: number; readonly soonMs: number };
}

const PRODUCTION: PipelineProfile = {
  name: 'production',
  timeouts: { connectMs: 2000, detectorMs: 30_000, llmMs: 60_000, databaseMs: 31_000, redisMs: 5000 },
  pool: {
    checkoutMs: 30_000,
    statementMs: 30_000,
    idleInTransactionMs: 60_000,
    leakAfterMs: 10_000,
    slowQueryMs: 1000,
    maxLifetimeSeconds: 1800,
  },
  batch: { windowMs: 90_000, idleMs: 30_000, maxDetections: 50 },
  llmRetry: { attempts: 3, baseMs: 1000 },
  queue: { lockMs: 30_000, stalledMs: 15_000, parkMs: 2000 },
  owed: { busyMs: 250, idleMs: 2000, deferMs: 5000 },
  ledger: { roundMs: 10_000, soonMs: 4000 },
};

const GAME_DAY: PipelineProfile = {
  name: 'game-day',
  timeouts: { connectMs: 1000, detectorMs: 3000, llmMs: 5000, databaseMs: 3000, redisMs: 1000 },
  pool: {
    checkoutMs: 2000,
    statementMs: 2000,
    idleInTransactionMs: 5000,
    leakAfterMs: 3000,
    slowQueryMs: 500,
    maxLifetimeSeconds: 1800,
  },
  batch: { windowMs: 6000, idleMs: 2000, maxDetections: 20 },
  llmRetry: { attempts: 3, baseMs: 250 },
  queue: { lockMs: 6000, stalledMs: 3000, parkMs: 500 },
  owed: { busyMs: 250, idleMs: 2000, deferMs: 5000 },
  ledger: { roundMs: 10_000, soonMs: 4000 },
};

/** The same behaviour with waits as short as a loaded machine of two cores bears. */
const TEST: PipelineProfile = {
  name: 'test',
  timeouts: { connectMs: 500, detectorMs: 1000, llmMs: 2500, databaseMs: 1000, redisMs: 500 },
  pool: {
    checkoutMs: 700,
    statementMs: 700,
    idleInTransactionMs: 1000,
    leakAfterMs: 800,
    slowQueryMs: 200,
    maxLifetimeSeconds: 1800,
  },
  batch: { windowMs: 1500, idleMs: 500, maxDetections: 20 },
  llmRetry: { attempts: 3, baseMs: 100 },
  queue: { lockMs: 3000, stalledMs: 1000, parkMs: 150 },
  owed: { busyMs: 100, idleMs: 300, deferMs: 600 },
  ledger: { roundMs: 1500, soonMs: 1000 },
};

const PROFILES: Readonly<Record<Settings['PROFILE'], PipelineProfile>> = {
  production: PRODUCTION,
  'game-day': GAME_DAY,
  test: TEST,
};

export function pipelineProfile(name: Settings['PROFILE']): PipelineProfile {
  return PROFILES[name];
}
