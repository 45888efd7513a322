import { beforeEach, expect, it } from 'vitest';
import { systemClock } from '#lib/chaos/clock.ts';
import { createLogger } from '#server/logging.ts';
import { DiskSpace } from './disk-space.ts';

const looks: PromiseWithResolvers<number>[] = [];
const alerts: string[] = [];
let disk: DiskSpace;
beforeEach(() => {
  looks.length = 0;
  alerts.length = 0;
  disk = new DiskSpace({
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
});
const answer = async (look: number, freeRatio: number, done: Promise<void> | undefined) => {
  looks[look]?.resolve(freeRatio);
  await done;
};

it('forgets the answer of an older look that comes after that of a newer one', async () => {
  const [older, newer] = [disk.refresh(), disk.refresh()];
  await answer(1, 0.01, newer);
  await answer(0, 0.5, older);
  expect({ full: disk.isFull, freeRatio: disk.freeRatio, alerts }).toEqual({
    full: true,
    freeRatio: 0.01,
    alerts: ['DISK_FULL'],
  });
});

it('takes the answer of a look although a newer one has begun', async () => {
  const [older, newer] = [disk.refresh(), disk.refresh()];
  await answer(0, 0.01, older);
  expect(disk.isFull).toBe(true);
  await answer(1, 0.5, newer);
  expect(disk.isFull).toBe(false);
});

it('believes a write that found no space more than a look that began before it', async () => {
  const before = disk.refresh();
  disk.reportFull();
  await answer(0, 0.5, before);
  expect(disk.isFull).toBe(true);
  const after = disk.refresh();
  await answer(1, 0.5, after);
  expect(disk.isFull).toBe(false);
});
