import { afterAll, beforeAll, describe, expect } from 'vitest';
import { Detector, DetectorUnavailableError, type Frame } from '#server/pipeline/work/detector.ts';
import { frameNumber } from '#tests/support/frames.ts';
import { type System, startSystem } from '#tests/support/system.ts';
import { until } from '#tests/support/until.ts';
import { scenariosOf } from './prove.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem({ env: { PROFILE: 'test' } });
});
afterAll(() => system?.close());

const scenario = scenariosOf('yolo26-failures', () => system);

const detector = () => new Detector({ ...system.wiring.proxied.yolo26, connectMs: 500 });
const frame = (): Frame => ({
  id: '01J00000000000000000000000',
  camera: 'probe',
  name: 'probe.jpg',
  capturedAt: null,
  traceId: 'probe',
  bytes: frameNumber(14),
});

describe('yolo26 failures', () => {
  scenario('timeout-raises-unavailable-error', async (prove) => {
    await prove({
      faults: await system.startFault('yolo26', 'timeout'),
      behaviour: async () => {
        await expect(detector().detect([frame()], 300)).rejects.toBeInstanceOf(DetectorUnavailableError);
      },
      recovery: async () => {
        const outcomes = await until('the detector answers', 10_000, () =>
          detector().detect([frame()], 3000),
        );
        expect(outcomes[0]?.ok).toBe(true);
      },
    });
  });
});
