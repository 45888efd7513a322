import { join } from 'node:path';
import { ensureBuild } from './setup/build.mjs';
import { ensureDependencies, projectNode } from './setup/dependencies.mjs';
import { ensureChromium, ensureRedis } from './setup/programs.mjs';
import { ROOT, run } from './setup/run.mjs';

/** `npm run bench [-- PART …]`. */
ensureDependencies();
const node = projectNode();
ensureRedis();
const chromium = ensureChromium();
ensureBuild(node);
process.exit(
  run(
    node,
    ['--disable-warning=ExperimentalWarning', join(ROOT, 'tests/bench/main.ts'), ...process.argv.slice(2)],
    { CHROMIUM_PATH: chromium },
  ),
);
