import { afterAll, beforeAll } from 'vitest';
import { startWatchedSystem, type WatchedSystem } from '#tests/support/watched-system.ts';
import { gpuPage } from './pages/gpu.ts';
import { servicePage } from './pages/service.ts';
import { timelinePage } from './pages/timeline.ts';
import { wallPage } from './pages/wall.ts';

/** The pages beside the console, one after the other over one system at work. */
let watched: WatchedSystem;

beforeAll(async () => {
  watched = await startWatchedSystem();
  await watched.page.close(); // a second picture to draw would only take time
});
afterAll(() => watched?.close());

// The first two want to see a system to which nothing has happened yet.
timelinePage(() => watched);
wallPage(() => watched);
servicePage(() => watched);
gpuPage(() => watched);
