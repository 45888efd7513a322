import { type GpuHost, messageWithMark } from './gpu-host.ts';
import type { HttpAnswer } from './http-service.ts';
import type { ModelName } from './inference-profile.ts';

/**
 * `GET /health` of both services: 200 while calls can succeed (`healthy`, or `degraded`: slower or smaller than it
 * should be), 503 with the reason in `error` while they cannot.
 */
export function healthAnswer(
  host: GpuHost,
  model: ModelName,
  about: Readonly<Record<string, unknown>>,
): HttpAnswer {
  const gpu = host.status();
  const problem = host.problem(model);
  const slower =
    gpu.device === 'cpu' || gpu.throttled.length > 0 || host.slowed || gpu.maxBatchSize < host.batchLimit.max;
  return {
    status: problem ? 503 : 200,
    faultId: problem?.details.faultId,
    retryAfterMs: problem?.details.retryAfterMs,
    body: {
      status: problem ? 'unhealthy' : slower ? 'degraded' : 'healthy',
      simulated: true,
      device: gpu.device,
      ...about,
      sm_clock_mhz: gpu.smClockMhz,
      temperature_c: gpu.temperatureC,
      memory_free_mib: gpu.memory.freeMib,
      paused: gpu.paused,
      restarts: host.runtimes[model].restarts,
      out_of_memory_count: gpu.outOfMemoryCount,
      gpu,
      ...(problem && { error: { code: problem.code, message: messageWithMark(problem) } }),
    },
  };
}
