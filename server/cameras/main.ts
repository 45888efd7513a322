import { Agent } from '#lib/agent/agent.ts';
import { dependencyAddresses } from '../dependency-addresses.ts';
import { runProcess } from '../run-process.ts';
import { createCameraFleet } from './camera-fleet.ts';

await runProcess('cameras', async ({ settings, wiring, logger }) => {
  const fleet = await createCameraFleet({
    dataDir: settings.DATA_DIR,
    ftp: dependencyAddresses(wiring).ftp,
    count: settings.CAMERA_COUNT,
    rate: settings.CAMERA_RATE,
    framesDir: settings.CAMERA_FRAMES_DIR,
    profile: settings.PROFILE,
    logger,
  });
  const agent = new Agent({
    controlUrl: wiring.controlUrl,
    secret: wiring.agentSecret,
    name: 'cameras',
    injector: fleet.injector,
    metrics: fleet.metrics,
    report: () => ({ kind: 'cameras', report: fleet.report() }),
    onWarning: (text, error) => logger.warn({ err: error }, text),
  });
  agent.start();
  fleet.start();
  return {
    async close() {
      await fleet.close();
      await agent.close();
    },
  };
});
