import { describe, expect, it } from 'vitest';
import type { Fault } from '#lib/protocol/faults.ts';
import type { BreakerStatus, GpuStatus, ProcessStatus, ServiceHealth, State } from '#lib/protocol/state.ts';
import { gpuStanding, serviceSubject } from './service-subject.ts';

const breaker = (name: string, state: BreakerStatus['state']) =>
  ({ name, state, since: 5, lastError: 'timed out' }) as BreakerStatus;
const health = (name: string, healthy: boolean) =>
  ({ name, healthy, since: 3, checkedAt: 4, error: healthy ? null : 'refused' }) as ServiceHealth;
const process = (name: ProcessStatus['name'], state: ProcessStatus['state']) =>
  ({ name, state, since: 1 }) as ProcessStatus;

/** A state of only what matters here. */
function makeState({
  breakers = [],
  services = [],
  processes = [],
  gpu,
}: {
  breakers?: BreakerStatus[];
  services?: ServiceHealth[];
  processes?: ProcessStatus[];
  gpu?: Partial<GpuStatus>;
}): State {
  const queues = [{ name: 'detection' }, { name: 'analysis' }];
  const pipeline = { breakers, services, queues, dependencies: [], pools: [{ name: 'database' }], ageMs: 0 };
  return {
    pipeline,
    supervisor: { processes, ageMs: 0 },
    proxy: { listeners: [], ageMs: 0 },
    inference: gpu ? { gpu, ageMs: 0 } : null,
  } as unknown as State;
}
const fault = { id: 'f', service: 'redis', params: {} } as unknown as Fault;

describe('serviceSubject', () => {
  it('knows nothing of a service without a report', () => {
    expect(serviceSubject('redis', null, [])).toMatchObject({
      status: 'unknown',
      word: 'UNKNOWN',
      breaker: null,
      queues: [],
      pool: null,
      heard: { pipeline: false, proxy: false },
    });
  });

  it('takes the breaker for the gravest word, then health, then a fault', () => {
    const of = (state: BreakerStatus['state'], healthy: boolean, faults: Fault[] = []) =>
      serviceSubject(
        'redis',
        makeState({ breakers: [breaker('redis', state)], services: [health('redis', healthy)] }),
        faults,
      );
    expect(of('OPEN', false, [fault])).toMatchObject({ status: 'open', word: 'OPEN', error: 'refused' });
    expect(of('FORCED_OPEN', true)).toMatchObject({ word: 'HELD OPEN', error: 'timed out' });
    expect(of('CLOSED', false)).toMatchObject({ status: 'open', word: 'DOWN' });
    expect(of('CLOSED', true, [fault])).toMatchObject({ status: 'injected', word: 'FAULT IN FORCE' });
    expect(of('CLOSED', true)).toMatchObject({ status: 'normal', word: 'HEALTHY', error: null, since: 5 });
  });

  it('finds what belongs to a service under another name', () => {
    const state = makeState({ breakers: [breaker('broadcaster', 'HALF_OPEN')] });
    expect(serviceSubject('pubsub', state, [])).toMatchObject({ word: 'HALF-OPEN', status: 'half' });
    expect(serviceSubject('yolo26', state, []).queues.map(({ name }) => name)).toEqual(['detection']);
    expect(serviceSubject('database', state, []).pool).toMatchObject({ name: 'database' });
  });

  it('says that its process is down before anything else', () => {
    const state = makeState({
      processes: [process('inference', 'held')],
      services: [health('yolo26', true)],
    });
    expect(serviceSubject('yolo26', state, [])).toMatchObject({ status: 'open', word: 'HELD DOWN' });
    expect(
      serviceSubject('inference', makeState({ processes: [process('inference', 'up')] }), []),
    ).toMatchObject({
      word: 'UP',
    });
  });
});

describe('gpuStanding', () => {
  const gpu = { available: true, device: 'cuda', paused: false, throttled: [] as string[] } as GpuStatus;
  it('goes from gone to throttled', () => {
    expect(gpuStanding(null, null).word).toBe('UNKNOWN');
    expect(gpuStanding({ ...gpu, device: 'cpu', available: false }, null).word).toBe('NO GPU: ON THE CPU');
    expect(gpuStanding({ ...gpu, available: false }, null).word).toBe('OFF THE BUS');
    expect(gpuStanding({ ...gpu, paused: true, throttled: ['SW thermal slowdown'] }, null).word).toBe(
      'PAUSED BY HEAT',
    );
    expect(gpuStanding({ ...gpu, throttled: ['HW slowdown'] }, null)).toMatchObject({ status: 'degraded' });
    expect(gpuStanding(gpu, null)).toEqual({ status: 'normal', word: 'WORKING' });
  });
});
