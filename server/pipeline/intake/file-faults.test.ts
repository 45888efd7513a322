import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { FaultInjector } from '#lib/chaos/faults/injector.ts';
import { validateFault } from '#lib/chaos/faults/validate.ts';
import { type Bench, makeBench, makeFrame } from './intake-fixture.ts';

/** The real intake over FTP, with faults in the layer between it and its files. */
const endings: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

const until = <T>(check: () => T | Promise<T>) => vi.waitFor(check, { timeout: 8000, interval: 20 });

interface Faulty {
  bench: Bench;
  injector: FaultInjector;
}

async function start(): Promise<Faulty> {
  const injector: FaultInjector = new FaultInjector({
    effect: {
      arm: () => bench.intake.refreshDisk(),
      change: () => {},
      end: () => bench.intake.refreshDisk(),
    },
  });
  const bench = await makeBench({ injector, diskProbeMs: 60_000 });
  endings.push(() => bench.close());
  endings.push(() => injector.close());
  return { bench, injector };
}

async function arm({ injector }: Faulty, type: string, params: object = {}, ratio = 1): Promise<void> {
  await injector.arm({
    id: `f-${type}`,
    version: 1,
    service: 'ftp',
    type,
    params: validateFault('ftp', type, params).params,
    ratio,
    seed: 5,
    ttlMs: 60_000,
  });
}

const inFolder = ({ dataDir }: Bench, folder: string) => readdir(join(dataDir, folder));

describe('disk_full', () => {
  it('refuses uploads with 452, shows no free space and one alert; takes them right after its end', async () => {
    const faulty = await start();
    const { bench, injector } = faulty;
    const camera = await bench.login();
    await arm(faulty, 'disk_full');
    expect(bench.intake.metrics().freeRatio).toBe(0);
    for (let attempt = 0; attempt < 3; attempt++) {
      await expect(camera.beginStore('a.jpg.part')).rejects.toThrow(/^452 /);
    }
    expect(bench.sink.alerts).toEqual([{ code: 'DISK_FULL', count: 1 }]);
    expect(await inFolder(bench, 'incoming')).toEqual([]);
    const activity = await injector.end('f-disk_full', 'stopped');
    expect(activity).toMatchObject({ hits: 3, hitsByKind: { store: 3 } });
    expect(bench.intake.metrics().freeRatio).toBe(0.5);
    expect(await camera.upload('a.jpg', await makeFrame())).toMatch(/^250 Accepted as /);
    await until(() => expect(bench.sink.submitted).toHaveLength(1));
  });

  it('ends by itself at its time to live', async () => {
    const faulty = await start();
    const { bench, injector } = faulty;
    await arm(faulty, 'disk_full');
    const [spec] = injector.all();
    if (!spec) throw new Error('not armed');
    await injector.change({ ...spec, version: 2, ttlMs: 200 });
    await until(() => expect(injector.all()).toEqual([]));
    const camera = await bench.login();
    expect(await camera.upload('a.jpg', await makeFrame())).toMatch(/^250 /);
  });
});

describe('permission_denied', () => {
  it('store: 451 and one alert, nothing kept; well again after its end', async () => {
    const faulty = await start();
    const { bench, injector } = faulty;
    const camera = await bench.login();
    await arm(faulty, 'permission_denied');
    for (let attempt = 0; attempt < 3; attempt++) {
      await expect(camera.beginStore('a.jpg.part')).rejects.toThrow(/^451 /);
    }
    expect(bench.sink.alerts).toEqual([{ code: 'UPLOAD_STORAGE', count: 1 }]);
    await injector.end('f-permission_denied', 'stopped');
    expect(await camera.upload('a.jpg', await makeFrame())).toMatch(/^250 /);
  });

  it('accept: the rename is refused, nothing is on record, and the same rename succeeds after the end', async () => {
    const faulty = await start();
    const { bench, injector } = faulty;
    const camera = await bench.login();
    await arm(faulty, 'permission_denied', { step: 'accept' });
    expect(await camera.upload('a.jpg', await makeFrame())).toMatch(/^451 /);
    expect((await bench.intake.acceptedIds()).size).toBe(0);
    expect(await inFolder(bench, 'inbox')).toEqual([]);
    expect(await inFolder(bench, 'incoming')).toHaveLength(1);
    await injector.end('f-permission_denied', 'stopped');
    await camera.command('RNFR a.jpg.part');
    expect(await camera.command('RNTO a.jpg')).toMatch(/^250 Accepted as /);
    await until(() => expect(bench.sink.submitted).toHaveLength(1));
  });
});

describe('file_deleted', () => {
  it('removes accepted files before they are read: dropped by name, none without a home', async () => {
    const faulty = await start();
    const { bench, injector } = faulty;
    bench.sink.findsDuplicates = false;
    const camera = await bench.login();
    await arm(faulty, 'file_deleted', {}, 0.5);
    const frame = await makeFrame();
    for (let number = 0; number < 16; number++) await camera.upload(`f${number}.jpg`, frame);
    const { submitted, dropped } = bench.sink;
    await until(() => expect(submitted.length + dropped.size).toBe(16));
    expect(dropped.size).toBeGreaterThan(2);
    expect(submitted.length).toBeGreaterThan(2);
    expect([...dropped.values()][0]).toBe('file deleted by a fault [brownout:f-file_deleted]');
    const activity = await injector.end('f-file_deleted', 'stopped');
    expect(activity?.hits).toBe(dropped.size);
    const homes = [...submitted.map(({ id }) => id), ...dropped.keys()].sort();
    expect(homes).toEqual([...(await bench.intake.acceptedIds()).keys()].sort());
    await until(async () => {
      const left = await bench.intake.inboxIds();
      expect([...left].sort()).toEqual(submitted.map(({ id }) => id).sort());
    });
    expect(bench.sink.alerts).toHaveLength(dropped.size);
    await camera.upload('after.jpg', frame);
    await until(() => expect(submitted.at(-1)?.name).toBe('after.jpg'));
  });

  it('goes on with an interrupted deletion: what was named dropped is not taken up again', async () => {
    const { bench } = await start();
    const camera = await bench.login();
    bench.sink.onSubmit = async () => {
      throw new Error('not yet');
    };
    const reply = await camera.upload('a.jpg', await makeFrame());
    const id = reply.split(' ').at(-1) ?? '';
    await bench.sink.drop(id, 'named, then the process died');
    await until(async () => expect([...(await bench.intake.inboxIds())]).toEqual([]));
    expect(bench.sink.submitted).toEqual([]);
  });
});
