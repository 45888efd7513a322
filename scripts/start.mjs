import { ensureBuild } from './setup/build.mjs';
import { ensureDependencies, projectNode } from './setup/dependencies.mjs';
import { ensureRedis } from './setup/programs.mjs';
import { handOver } from './setup/run.mjs';

/** `npm start` and `npm run dev`: everything this machine lacks is provided, then the supervisor takes over. */
const development = process.argv.includes('--dev');
ensureDependencies();
const node = projectNode();
ensureRedis();
if (!development) ensureBuild(node);
console.log('Starting …');
handOver(node, ['--disable-warning=ExperimentalWarning', 'server/supervisor/main.ts'], {
  NODE_ENV: development ? 'development' : 'production',
});
