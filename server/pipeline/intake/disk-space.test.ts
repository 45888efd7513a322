import { expect, it } from 'vitest';
import { systemClock } from '#lib/chaos/clock.ts';
import { createLogger } from '#server/logging.ts';
import { DiskSpace } from './disk-space.ts';

it('forgets the answer of an older look that comes after a newer one', async () => {
  const looks: PromiseWithResolvers<number>[] = [];
  const alerts: string[] = [];
  const disk = new DiskSpace({
    path: '/',
    probe: () => {
      const look = Promise.withResolvers<number>();
      looks.push(look);
      return look.promise;
    },
    intervalMs: 60_000,
    lowRatio: 0.1,
    fullRatio: 0.02,
    clock: systemClock,
    logger: createLogger('test', 'silent'),
    onAlert: (code) => alerts.push(code),
  });
  const older = disk.refresh();
  const newer = disk.refresh();
  looks[1]?.resolve(0.01);
  await newer;
  looks[0]?.resolve(0.5);
  await older;
  expect({ full: disk.isFull, freeRatio: disk.freeRatio, alerts }).toEqual({
    full: true,
    freeRatio: 0.01,
    alerts: ['DISK_FULL'],
  });
  disk.close();
});
