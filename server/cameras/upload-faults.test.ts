import { expect, it } from 'vitest';
import { validateFault } from '#lib/chaos/faults/validate.ts';
import { until } from '#tests/support/until.ts';
import { createLogger } from '../logging.ts';
import { makeBench } from '../pipeline/intake/intake-fixture.ts';
import { createCameraFleet } from './camera-fleet.ts';

it('a stall lets go at once when the lease ends by itself', async () => {
  const bench = await makeBench({ uploadTimeoutMs: 60_000 });
  const fleet = await createCameraFleet({
    dataDir: bench.dataDir,
    ftp: { host: '127.0.0.1', port: bench.intake.ftpPort },
    count: 2,
    rate: 10,
    profile: 'game-day',
    logger: createLogger('test', 'silent'),
    retryMs: 20,
  });
  try {
    fleet.start();
    const { injector } = fleet;
    await injector.arm({
      id: 'f1',
      version: 1,
      service: 'ftp',
      type: 'upload_timeout',
      params: validateFault('ftp', 'upload_timeout', {}).params,
      ratio: 1,
      seed: 3,
      ttlMs: 5000,
    });
    await until('both cameras hang', 10_000, () => injector.activity()[0]?.hits === 2, 20);
    const accepted = () => fleet.report().cameras.map((camera) => camera.accepted);
    expect(accepted()).toEqual([0, 0]);
    await until('the lease has run out', 10_000, () => injector.all().length === 0, 20);
    await until('both cameras go on', 10_000, () => accepted().every((count) => count > 0), 20);
  } finally {
    await fleet.close();
    await bench.close();
  }
});
