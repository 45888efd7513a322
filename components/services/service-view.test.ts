import { describe, expect, it } from 'vitest';
import { faultsOn, holdOrder } from './service-view.ts';

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

describe('holdOrder', () => {
  it('keeps what is shown in place and appends what is new', () => {
    expect(holdOrder(['a', 'b', 'c'], ['d', 'c', 'a'])).toEqual(['a', 'c', 'd']);
  });
});
