import { runProcess } from '#server/run-process.ts';
import { startFaultProxies } from './fault-proxies.ts';

await runProcess('proxy', ({ wiring, logger }) => startFaultProxies(wiring, logger));
