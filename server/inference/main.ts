import { join } from 'node:path';
import { Agent } from '#lib/agent/agent.ts';
import { ConfigError } from '../config.ts';
import { type ProcessContext, type Running, runProcess } from '../run-process.ts';
import { inferenceMetrics } from './inference-metrics.ts';
import { inferenceProfile } from './inference-profile.ts';
import { type Address, startInferenceServices } from './inference-services.ts';

await runProcess('inference', startInference);

async function startInference({ settings, wiring, logger }: ProcessContext): Promise<Running> {
  const services = await listening(settings.YOLO26_PORT, settings.NEMOTRON_PORT, () =>
    startInferenceServices({
      profile: inferenceProfile(settings.PROFILE),
      modelsDir: join(settings.DATA_DIR, 'models'),
      logger,
      yolo26: addressOf(wiring.direct.yolo26),
      nemotron: addressOf(wiring.direct.nemotron),
      onAfterEffect: (effect) => agent.fact('afterEffect', 'gpu', { ...effect, service: 'gpu' }),
    }),
  );
  const agent = new Agent({
    controlUrl: wiring.controlUrl,
    secret: wiring.agentSecret,
    name: 'inference',
    injector: services.injector,
    metrics: inferenceMetrics(services.host, services.rates),
    report: () => ({ kind: 'inference', report: { gpu: services.host.status() } }),
    // The message alone: a socket's error holds half the process.
    onWarning: (text, error) => logger.warn({ cause: error instanceof Error ? error.message : error }, text),
  });
  agent.start();
  return {
    async close() {
      await agent.close();
      await services.close();
    },
  };
}

function addressOf(url: string): Address {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port || 80) };
}

/** @throws {ConfigError} naming the setting whose port is taken */
async function listening<T>(yolo26Port: number, nemotronPort: number, start: () => Promise<T>): Promise<T> {
  try {
    return await start();
  } catch (error) {
    const { code, port } = error as { code?: unknown; port?: unknown };
    if (code !== 'EADDRINUSE') throw error;
    const field = port === yolo26Port ? 'YOLO26_PORT' : port === nemotronPort ? 'NEMOTRON_PORT' : 'DATA_DIR';
    throw new ConfigError(field, `${field}: port ${String(port)} is taken by another program`, {
      cause: error,
    });
  }
}
