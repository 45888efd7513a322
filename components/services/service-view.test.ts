import { describe, expect, it } from 'vitest';
import { faultsOn, faultsReaching, holdOrder } from './service-view.ts';

describe('faultsOn', () => {
  it('finds a network fault on the services it names, or on all when it names none', () => {
    const chosen = { service: 'network' as const, params: { services: ['redis'] } };
    const all = { service: 'network' as const, params: {} };
    expect(faultsOn('redis', [chosen, all])).toEqual([chosen, all]);
    expect(faultsOn('yolo26', [chosen, all])).toEqual([all]);
  });

  it('counts a redis fault as acting on pub/sub, not the other way round', () => {
    const redis = { service: 'redis' as const, params: {} };
    const pubsub = { service: 'pubsub' as const, params: {} };
    expect(faultsOn('pubsub', [redis, pubsub])).toEqual([redis, pubsub]);
    expect(faultsOn('redis', [redis, pubsub])).toEqual([redis]);
  });
});

describe('faults on what is no dependency', () => {
  it('leaves network faults to what stands behind a proxy, and finds a service by its breaker', () => {
    const all = { service: 'network' as const, params: {} };
    const redis = { service: 'redis' as const, params: {} };
    expect(faultsOn('gpu', [all])).toEqual([]);
    expect(faultsOn('broadcaster', [all, redis])).toEqual([all, redis]);
  });
});

describe('faultsReaching', () => {
  it('puts what acts here before what acts upstream, and leaves out the rest', () => {
    const gpu = { service: 'gpu' as const, params: {} };
    const own = { service: 'yolo26' as const, params: {} };
    const other = { service: 'database' as const, params: {} };
    const caller = { service: 'pipeline' as const, params: {} };
    expect(faultsReaching('yolo26', [gpu, other, own, caller])).toEqual([own, gpu, caller]);
    expect(faultsReaching('gpu', [gpu, caller])).toEqual([gpu]);
  });
});

describe('holdOrder', () => {
  it('keeps what is shown in place and appends what is new', () => {
    expect(holdOrder(['a', 'b', 'c'], ['d', 'c', 'a'])).toEqual(['a', 'c', 'd']);
  });
});
