import { afterEach, beforeEach, expect, it } from 'vitest';
import type { BreakerStatus, PipelineReport } from '../../lib/protocol/state.ts';
import { TestControl, until } from './control.fixture.ts';

const redis: BreakerStatus = {
  name: 'redis',
  state: 'OPEN',
  since: 0,
  failures: 3,
  failureThreshold: 3,
  trials: 0,
  halfOpenMaxCalls: 2,
  successes: 0,
  successThreshold: 2,
  retryAfterMs: 1000,
  calls: { succeeded: 40, failed: 5, rejected: 7, injected: 3, organic: 2 },
  transitions: 1,
  spentMs: { CLOSED: 61_000, OPEN: 8000, HALF_OPEN: 500, FORCED_OPEN: 0 },
  lastError: null,
};

const report: PipelineReport = {
  mode: { mode: 'MINIMAL', since: 0, previous: 'NORMAL', causes: [], features: [] },
  services: [],
  breakers: [redis],
  queues: [],
  dlq: { count: 0, byQueue: {}, newestAt: null, newest: [], tasks: [], blocked: {} },
  pools: [],
  ledger: {
    accepted: 0,
    stored: 0,
    duplicate: 0,
    quarantined: 0,
    dropped: 0,
    dlq: 0,
    queued: 0,
    parked: 0,
    inFlight: 0,
    inbox: 0,
    moving: 0,
    lost: 0,
    lostIds: [],
    doubled: 0,
    doubledIds: [],
    owed: 0,
    verdict: 'BALANCED',
    reconciledAt: null,
    unreadable: [],
  },
  dependencies: [],
  viewers: { connected: 0, direct: 0, published: 0, unheard: 0 },
  recentEvents: [],
};

let system: TestControl;
beforeEach(async () => {
  system = await TestControl.start();
});
afterEach(() => system.close());

async function metrics(): Promise<string> {
  return (await system.call('GET', '/metrics')).body as string;
}

it('tells the failed calls through each breaker apart, and nothing of a pipeline that is gone', async () => {
  const { agent } = await system.agent('pipeline', { report: () => ({ kind: 'pipeline', report }) });
  await until(async () =>
    (await metrics()).includes('brownout_breaker_state{breaker="redis",state="OPEN"} 1'),
  );
  const text = await metrics();
  for (const [outcome, calls] of Object.entries({ succeeded: 40, rejected: 7, injected: 3, organic: 2 })) {
    expect(text).toContain(`brownout_calls_total{breaker="redis",outcome="${outcome}"} ${calls}`);
  }
  expect(text).toContain('brownout_breaker_transitions_total{breaker="redis"} 1');
  expect(text).toContain('brownout_breaker_state_seconds_total{breaker="redis",state="CLOSED"} 61');
  const open = /state_seconds_total\{breaker="redis",state="OPEN"\} (\d+)/.exec(text)?.[1];
  expect(Number(open), 'the present phase, since 1970, is added').toBeGreaterThan(1_000_000);
  await agent.close();
  await until(async () => !(await metrics()).includes('breaker="redis"'));
});

it('counts alerts by code and service', async () => {
  const { agent } = await system.agent('pipeline');
  const text = 'uploads in a row timed out';
  agent.fact('alert', 'UPLOAD_TIMEOUTS', { code: 'UPLOAD_TIMEOUTS', service: 'ftp', count: 5, text });
  agent.fact('alert', 'DISK_LOW', { code: 'DISK_LOW', service: null, count: 1, text: 'disk space is low' });
  await until(async () => (await metrics()).includes('{code="DISK_LOW",service="none"} 1'));
  expect(await metrics()).toContain('brownout_alerts_total{code="UPLOAD_TIMEOUTS",service="ftp"} 1');
});
