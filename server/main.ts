import { join } from 'node:path';
import { createControl } from './control/control.ts';
import { runProcess } from './run-process.ts';

await runProcess('control', ({ settings, wiring, logger }) =>
  createControl({
    settings,
    agentSecret: wiring.agentSecret,
    logger,
    next: { dir: join(import.meta.dirname, '..'), dev: settings.NODE_ENV === 'development' },
  }),
);
