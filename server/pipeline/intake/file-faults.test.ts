import { afterEach, describe, expect, it, vi } from 'vitest';
import { FaultInjector } from '#lib/chaos/faults/injector.ts';
import { validateFault } from '#lib/chaos/faults/validate.ts';
import { type Bench, makeBench, makeFrame } from './intake-fixture.ts';

/** The real intake over FTP, with faults in the layer between it and its files. */
const endings: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

const until = <T>(check: () => T | Promise<T>) => vi.waitFor(check, { timeout: 15_000, interval: 20 });

interface Faulty {
  bench: Bench;
  injector: FaultInjector;
}

async function start(): Promise<Faulty> {
  const injector = new FaultInjector();
  const bench = await makeBench({ injector });
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
