import { expect, it } from 'vitest';
import type { Catalogue } from '#lib/protocol/faults.ts';
import { promisesOf } from './promises.ts';

const type = (name: string, title: string, promises: Catalogue['types'][number]['promises']) =>
  ({ type: name, title, promises }) as Catalogue['types'][number];
const types = [
  type('timeout', 'Timeout', [
    { service: 'yolo26', text: 'Empty detections' },
    { service: 'network', text: 'Work waits' },
  ]),
  type('thermal_throttle', 'Thermal throttling', [{ service: 'gpu', text: 'Slower' }]),
  type('latency', 'Latency', [{ service: 'yolo26', text: 'Late' }]),
];

it('puts what is owed now before what could be, each under the service it is aimed at', () => {
  const { owed, others } = promisesOf('yolo26', { types }, [
    { service: 'network', type: 'timeout' },
    { service: 'gpu', type: 'thermal_throttle' },
    { service: 'yolo26', type: 'latency' },
  ]);
  expect(owed.map(({ title, text }) => [title, text])).toEqual([
    ['network timeout', 'Work waits'],
    ['gpu thermal throttling', 'Slower'],
    ['Latency', 'Late'],
  ]);
  expect(others.map(({ text }) => text)).toEqual(['Empty detections']);
});

it('owes nothing for a type that the catalogue does not know', () => {
  expect(promisesOf('yolo26', { types }, [{ service: 'yolo26', type: 'newer' }]).owed).toEqual([]);
});
