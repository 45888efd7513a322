import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT, startSystem } from '#tests/support/system.ts';
import { Camera, fileIn } from './screenshots/camera.ts';
import { writeGallery } from './screenshots/gallery.ts';
import { chooseShots, SHOWN, STATES } from './screenshots/shots.ts';
import { Situations } from './screenshots/situations.ts';

/*
 * Takes pictures of every page in every state on a system of its own:
 * `node scripts/take-screenshots.ts [--out FOLDER] [--full] [--fill SECONDS] [STATE|PAGE|VIEW|THEME|NAME …]`; without words, all.
 * With `--out` the pictures go there, under names like `faults-wall-room-dark`, with a table of them; without it those
 * that the README shows go to docs/screenshots. `--full`: the page as long as it is. `--fill`: how long the
 * system runs before the first, for charts with something in them (60).
 * Needs a built console. The frames are those of ../shared when they are there, else the tests' dozen.
 */

const DOCS = join(ROOT, 'docs', 'screenshots');
const FRAMES = join(ROOT, '..', 'shared', 'data', 'camera-frames');

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    out: { type: 'string' },
    full: { type: 'boolean', default: false },
    fill: { type: 'string', default: '60' },
  },
});
const out = values.out === undefined ? null : resolve(values.out);
const shots = chooseShots(positionals).filter(({ name }) => out !== null || name in SHOWN);
await mkdir(out ?? DOCS, { recursive: true });

const system = await startSystem({ env: existsSync(FRAMES) ? { CAMERA_FRAMES_DIR: FRAMES } : {} });
const camera = await Camera.start(system.url);
try {
  await system.untilSteady();
  const situations = new Situations(system, await camera.operator('Ana'), Number(values.fill) * 1000);
  try {
    await situations.begin();
    for (const state of STATES) {
      const wanted = shots.filter((shot) => shot.state === state);
      if (wanted.length === 0) continue;
      await situations.enter(state);
      for (const shot of wanted) {
        const file = out ? fileIn(out, shot.name) : fileIn(DOCS, SHOWN[shot.name] ?? shot.name);
        await camera.take(shot, file, values);
        process.stdout.write(`${shot.name}\n`);
      }
    }
  } finally {
    situations.end();
  }
  if (out !== null) await writeGallery(out);
} finally {
  await camera.close();
  await system.close();
}
