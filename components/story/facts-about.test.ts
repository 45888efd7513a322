import { expect, it } from 'vitest';
import type { LetterTask } from '#lib/protocol/dead-letters.ts';
import type { Fact, FactData, FactType } from '#lib/protocol/facts.ts';
import type { Fault, ServiceName } from '#lib/protocol/faults.ts';
import { factsAbout } from './facts-about.ts';

let seq = 0;
function makeFact<T extends FactType>(type: T, data: FactData[T]): Fact {
  seq++;
  return { seq, at: seq * 1000, type, subject: 'x', data } as Fact;
}
const started = (id: string, service: ServiceName, params = {}) =>
  makeFact('faultStarted', { fault: { id, service, params } as Fault });
const ended = (faultId: string, service: ServiceName) =>
  makeFact('faultEnded', {
    faultId,
    service,
    faultType: 'timeout',
    reason: 'stopped',
    hits: 1,
    by: 'Ana',
    receipt: null,
  });
const moved = (breaker: string) =>
  makeFact('breakerChanged', {
    breaker,
    from: 'CLOSED',
    to: 'OPEN',
    reason: 'failure_threshold',
    failures: 3,
    origin: 'injected',
  });

it('tells the faults that reach a service from start to end, network and upstream ones too', () => {
  const mine = [
    started('n', 'network', { services: ['yolo26'] }),
    started('g', 'gpu'),
    started('own', 'yolo26'),
    ended('n', 'network'),
    ended('g', 'gpu'),
  ];
  const others = [
    started('m', 'network', { services: ['redis'] }),
    started('r', 'redis'),
    ended('m', 'network'),
    ended('r', 'redis'),
  ];
  expect(factsAbout('yolo26', [...mine, ...others])).toEqual(mine);
});

it('tells breaker, health, process, dead letters and halts, each of its own', () => {
  const letter = (queue: string, faultIds: string[] = []) =>
    makeFact('deadLettered', { id: 'd', queue, error: 'no', uploadId: null, faultIds });
  const health = (service: ServiceName) =>
    makeFact('serviceChanged', { service, healthy: false, error: 'no', origin: null });
  const process = (name: string) =>
    makeFact('processChanged', { process: name, state: 'down', reason: null });
  const halted = makeFact('resumed', { by: 'Ana', reason: 'seen' });
  const mine = [
    started('p', 'pubsub'),
    moved('broadcaster'),
    health('pubsub'),
    process('redis'),
    letter('anything', ['p']),
    halted,
  ];
  const others = [
    moved('redis'),
    health('redis'),
    process('pipeline'),
    letter('detection'),
    makeFact('deadLetterTask', { task: { queue: 'detection' } as LetterTask }),
    makeFact('note', { by: 'Ana', text: 'hello' }),
  ];
  expect(factsAbout('pubsub', [...mine, ...others])).toEqual(mine);
  expect(factsAbout('redis', others)).toEqual([others[0], others[1], others[3], others[4]]);
});
