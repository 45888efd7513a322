import { ConfigError, childEnvironment, loadEnvFile, readSettings } from '../config.ts';
import { DataDirectory } from './data-directory.ts';
import { makeWiring } from './make-wiring.ts';
import { Supervisor } from './supervisor.ts';

/** `npm start` ends here: everything up, one line with the URL, and an orderly end on Ctrl-C. */
async function main(): Promise<void> {
  const startedAt = performance.now();
  const say = (line: string) => process.stdout.write(`${line}\n`);
  loadEnvFile();
  const settings = readSettings();
  const data = new DataDirectory(settings.DATA_DIR);
  let supervisor: Supervisor | undefined;
  let stopping: Promise<never> | undefined;
  const stop = (code: number): Promise<never> => {
    stopping ??= (async () => {
      await supervisor?.stop();
      data.release();
      process.exit(code);
    })();
    return stopping;
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (!stopping) say('\nStopping …');
      void stop(0);
    });
  }
  process.on('disconnect', () => void stop(0)); // the start script is gone
  try {
    supervisor = new Supervisor({
      settings,
      wiring: await makeWiring(settings),
      data,
      environment: childEnvironment(settings),
      say,
    });
    await supervisor.start();
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    say(`Brownout is ready after ${seconds} s: http://${settings.HOST}:${settings.PORT}`);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    await stop(error instanceof ConfigError ? 2 : 1);
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(error instanceof ConfigError ? 2 : 1);
});
