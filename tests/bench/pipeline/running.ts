import type { System } from '#tests/support/system.ts';
import { until } from '#tests/support/until.ts';
import { openSystem } from '../main-system.ts';
import { type Child, startChild } from '../measure-child.ts';
import type { FloorCalls } from './floor-process.ts';
import type { LoadCalls } from './load-process.ts';
import type { ModelsCalls } from './models-process.ts';

/** A system with what loads it and the floor beside it. */
export interface Running {
  system: System;
  load: Child<LoadCalls>;
  floor: Child<FloorCalls>;
  close(): Promise<void>;
}

/** @param instant models that answer at once stand in for the simulated ones */
export async function startRunning(smoke: boolean, instant: boolean): Promise<Running> {
  const closers: (() => Promise<void>)[] = [];
  const close = async () => {
    for (const closer of closers.reverse()) await closer();
  };
  try {
    const env: Record<string, string> = {};
    if (instant) {
      const models = startChild<ModelsCalls>(new URL('./models-process.ts', import.meta.url));
      closers.push(() => models.close());
      env['YOLO26_URL'] = env['NEMOTRON_URL'] = await models.call('open', undefined);
    }
    const { system, close: closeSystem } = await openSystem(smoke, { cameraRate: 0, env });
    closers.push(closeSystem);
    const load = startChild<LoadCalls>(new URL('./load-process.ts', import.meta.url));
    closers.push(() => load.close());
    const floor = startChild<FloorCalls>(new URL('./floor-process.ts', import.meta.url));
    closers.push(() => floor.close());
    const { direct, databaseUser, databasePassword, redisPassword, proxied } = system.wiring;
    await load.call('open', { dataDir: system.dataDir, ...proxied.ftp, viewerUrl: system.backendUrl });
    const accounts = { direct, databaseUser, databasePassword, redisPassword };
    await floor.call('open', { ...accounts, withModels: !instant });
    await until('the mode is NORMAL', 30_000, async () => (await system.state()).mode === 'NORMAL');
    return { system, load, floor, close };
  } catch (error) {
    await close();
    throw error;
  }
}
