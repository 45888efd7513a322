import { describe, expect, it } from 'vitest';
import { type FailureKind, faultMark } from '../chaos/faults/fault.ts';
import type { ActiveFault } from '../protocol/events.ts';
import { judge, symptomOf } from './origin.ts';

const NOW = 1_000_000;

function makeFault(overrides: Partial<ActiveFault>): ActiveFault {
  return { id: 'f1', service: 'yolo26', type: 'timeout', params: {}, ...overrides };
}

function originOf(service: ActiveFault['service'], kind: FailureKind, fault: ActiveFault) {
  return judge({ service, kind }, [fault], { now: NOW }).origin;
}

describe('judge', () => {
  it('believes a fault that the reply names, whatever is in force', () => {
    expect(judge({ service: 'redis', kind: 'error_reply', faultId: 'f9' }, [], { now: NOW })).toEqual({
      origin: 'injected',
      faultId: 'f9',
    });
  });

  it('blames a fault on the service that makes failures of this kind, and no other kind', () => {
    const timeout = makeFault({});
    expect(originOf('yolo26', 'timeout', timeout)).toBe('injected');
    expect(originOf('yolo26', 'malformed', timeout)).toBe('organic');
    expect(originOf('nemotron', 'timeout', timeout)).toBe('organic');
  });

  it('is organic without a fault', () => {
    expect(judge({ service: 'database', kind: 'refused' }, [], { now: NOW })).toEqual({
      origin: 'organic',
      faultId: null,
    });
  });

  it.each([
    ['pubsub', 'redis', 'unavailable', 'reset'],
    ['yolo26', 'gpu', 'vram_exhaustion', 'error_reply'],
    ['nemotron', 'gpu', 'timeout', 'timeout'],
    ['nemotron', 'inference', 'process_killed', 'refused'],
    ['gpu', 'inference', 'process_paused', 'timeout'],
    ['database', 'database', 'process_killed', 'reset'],
    ['gpu', 'gpu', 'connection_error', 'error_reply'],
    ['nemotron', 'pipeline', 'process_paused', 'timeout'],
    ['redis', 'redis', 'latency', 'reset'],
    ['pubsub', 'redis', 'intermittent', 'reset'],
  ] as const)('sees %s suffer from %s %s', (service, upstream, type, kind) => {
    expect(originOf(service, kind, makeFault({ service: upstream, type }))).toBe('injected');
  });

  it('lets a fault on the network reach the services it names, or all when it names none', () => {
    const network = (services: string[]) =>
      makeFault({ service: 'network', type: 'packet_loss', params: { services } });
    expect(originOf('database', 'reset', network([]))).toBe('injected');
    expect(originOf('database', 'reset', network(['database']))).toBe('injected');
    expect(originOf('database', 'reset', network(['redis']))).toBe('organic');
    expect(originOf('pubsub', 'reset', network(['redis']))).toBe('injected');
  });

  it.each([
    ['nemotron', 'rate_limited', 'error_reply', 'refused'],
    ['yolo26', 'partial_batch', 'error_reply', 'timeout'],
    ['redis', 'error_reply', 'error_reply', 'timeout'],
    ['redis', 'connection_reset', 'reset', 'error_reply'],
    ['database', 'query_error', 'error_reply', 'refused'],
    ['database', 'deadlock', 'error_reply', 'reset'],
    ['database', 'slow_query', 'timeout', 'error_reply'],
    ['database', 'connection_lost', 'reset', 'timeout'],
    ['network', 'bandwidth', 'timeout', 'refused'],
    ['network', 'flapping', 'refused', 'error_reply'],
    ['network', 'partition', 'timeout', 'refused'],
    ['network', 'slow_close', 'timeout', 'refused'],
    ['pubsub', 'disconnect', 'reset', 'error_reply'],
    ['pubsub', 'publish_failure', 'error_reply', 'timeout'],
    ['pubsub', 'publish_timeout', 'timeout', 'error_reply'],
    ['pubsub', 'subscription_failure', 'error_reply', 'reset'],
    ['database', 'too_many_connections', 'error_reply', 'refused'],
  ] as const)('on %s, blames %s for %s and not for %s', (service, type, made, notMade) => {
    expect(originOf(service, made, makeFault({ service, type }))).toBe('injected');
    expect(originOf(service, notMade, makeFault({ service, type }))).toBe('organic');
  });

  it('still blames a fault that has ended a moment ago, and not one that ended long ago', () => {
    expect(originOf('yolo26', 'timeout', makeFault({ endedAt: NOW - 5000 }))).toBe('injected');
    expect(originOf('yolo26', 'timeout', makeFault({ endedAt: NOW - 17_000 }))).toBe('organic');
  });

  it('prefers a fault in force to one that has ended', () => {
    const faults = [makeFault({ id: 'old', endedAt: NOW - 1 }), makeFault({ id: 'now' })];
    expect(judge({ service: 'yolo26', kind: 'timeout' }, faults, { now: NOW }).faultId).toBe('now');
  });
});

describe('symptomOf', () => {
  const failure = (message: string, code?: string) => Object.assign(new Error(message), code ? { code } : {});

  it.each([
    [failure('connect ECONNREFUSED 127.0.0.1:1', 'ECONNREFUSED'), 'refused'],
    [failure('getaddrinfo EAI_AGAIN redis.brownout.internal', 'EAI_AGAIN'), 'unresolved'],
    [failure('getaddrinfo ENOTFOUND redis.brownout.internal', 'ENOTFOUND'), 'unresolved'],
    [failure('socket hang up', 'ECONNRESET'), 'reset'],
    [failure('terminating connection', '57P01'), 'reset'],
    [failure('Connection terminated unexpectedly'), 'reset'],
    [failure("Stream isn't writeable and enableOfflineQueue options is false"), 'reset'],
    [failure('Reached the max retries per request limit (which is 0).'), 'reset'],
    [failure('Not subscribed to brownout:events'), 'reset'],
    [failure('Publish reached no subscriber'), 'reset'],
    [failure('FTP: connection closed'), 'reset'],
    [failure('Query read timeout'), 'timeout'],
    [failure('Command timed out'), 'timeout'],
    [failure('canceling statement due to statement timeout', '57014'), 'timeout'],
    [failure('late', 'DEADLINE_EXCEEDED'), 'timeout'],
    [failure('POST /completion gave an answer that cannot be used', 'MALFORMED'), 'malformed'],
    [failure('POST /detect answered 500', 'HTTP_STATUS'), 'error_reply'],
    [failure('disk I/O', '58000'), 'error_reply'],
  ])('reads %s as %s', (error, kind) => {
    expect(symptomOf('database', error)).toMatchObject({ service: 'database', kind });
  });

  it('finds the mark of a fault in message and detail', () => {
    expect(symptomOf('redis', new Error(`OOM ${faultMark('f7')}`)).faultId).toBe('f7');
    expect(symptomOf('database', Object.assign(new Error('x'), { detail: faultMark('f8') })).faultId).toBe(
      'f8',
    );
  });
});
