import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FAULT_HEADER, faultMark } from '#lib/chaos/faults/fault.ts';
import { GAME_DAY_THERMAL } from '#lib/chaos/gpu/thermal-model.ts';
import {
  complete,
  detect,
  detectBatch,
  type Fixture,
  frame,
  health,
  open as openServices,
} from '#server/inference/inference-fixture.ts';
import { inferenceProfile } from '#server/inference/inference-profile.ts';
import type { InferenceServicesOptions } from '#server/inference/inference-services.ts';
import { type FaultBench, proveFault } from './prove-fault.ts';

type GpuBench = FaultBench & Fixture;

async function open(options: Partial<Pick<InferenceServicesOptions, 'profile'>> = {}): Promise<GpuBench> {
  const fixture = await openServices(options);
  return { ...fixture, injector: fixture.services.injector };
}

/** Heats and cools twenty times as fast as on game day. */
const openHot = () =>
  open({
    profile: {
      ...inferenceProfile('game-day'),
      thermal: {
        ...GAME_DAY_THERMAL,
        sinkCapacityJPerK: GAME_DAY_THERMAL.sinkCapacityJPerK / 20,
        dieTimeConstantMs: GAME_DAY_THERMAL.dieTimeConstantMs / 20,
        governorMhzPerSecond: GAME_DAY_THERMAL.governorMhzPerSecond * 20,
      },
    },
  });

/** After-effects are over by themselves within 5 s of the fault's end; a busy machine gets twice as long. */
const RECOVERY_MS = 10_000;

interface Seen {
  readonly status: number;
  readonly faultId: string | null;
  readonly retryAfter: string | null;
  /** Of the error; empty for none. */
  readonly code: string;
  readonly message: string;
  readonly body: Record<string, unknown>;
  readonly tookMs: number;
}

async function look(call: Promise<Response>): Promise<Seen> {
  const startedMs = performance.now();
  const response = await call;
  const body = (await response.json()) as Record<string, unknown>;
  const { code = '', message = '' } = (body['error'] ?? {}) as { code?: string; message?: string };
  return {
    status: response.status,
    faultId: response.headers.get(FAULT_HEADER),
    retryAfter: response.headers.get('retry-after'),
    code,
    message,
    body,
    tookMs: performance.now() - startedMs,
  };
}

/** The call was refused with this error, and the answer carries the mark of its fault in header and text. */
function isRefused({ status, code, message, faultId }: Seen, expected: { status: number; code: string }) {
  return (
    status === expected.status &&
    code === expected.code &&
    faultId !== null &&
    message.includes(faultMark(faultId))
  );
}

/** Both models serve on the card at full speed, whole batches, without a mark. */
async function serves(bench: GpuBench): Promise<boolean> {
  const [frames, { body }] = await Promise.all([Promise.all([14, 15].map(frame)), health(bench.yolo26)]);
  if (body['status'] !== 'healthy' || (await health(bench.nemotron)).body['status'] !== 'healthy') {
    // A batch limit that was halved grows by good batches.
    await Promise.all(Array.from({ length: 10 }, () => detect(bench).then((answer) => answer.arrayBuffer())));
    return false;
  }
  const [batch, text] = await Promise.all([
    look(detectBatch(bench, frames)),
    look(complete(bench, { prompt: 'x', max_tokens: 1 })),
  ]);
  const good = ({ status, faultId }: Seen) => status === 200 && faultId === null;
  const single = await look(detect(bench));
  return good(batch) && good(text) && good(single) && single.body['inference_time_ms'] === 40;
}

const HOLD_MS = 300;

proveFault('gpu', 'timeout', open, {
  params: { delayMs: HOLD_MS },
  ttlMs: 2000,
  hitKind: 'detect',
  serves,
  recoveryMs: RECOVERY_MS,
  async seesEffect(bench) {
    const hung = await look(detect(bench));
    return (
      isRefused(hung, { status: 500, code: 'CUDA_ERROR' }) &&
      hung.message.includes('the launch timed out and was terminated') &&
      hung.tookMs >= HOLD_MS - 5
    );
  },
});

proveFault('gpu', 'inference_timeout', open, {
  params: { deadlineMs: HOLD_MS },
  ttlMs: 3000,
  hitKind: 'detect',
  serves,
  recoveryMs: RECOVERY_MS,
  async seesEffect(bench) {
    const startedMs = performance.now();
    const both = await Promise.all([look(detect(bench)), look(detect(bench))]);
    const isLate = (seen: Seen) =>
      isRefused(seen, { status: 504, code: 'INFERENCE_TIMEOUT' }) &&
      seen.message.includes(`deadline of ${HOLD_MS} ms`);
    return both.every(isLate) && performance.now() - startedMs >= 2 * HOLD_MS - 5; // the card was busy all that time
  },
});

/** The card is gone for the services: they work on the CPU, 12 times slower, and say so. */
const onTheCpu = (cardIsThere: boolean) => async (bench: GpuBench) => {
  const { status, faultId, body } = await look(detect(bench));
  if (status !== 200 || faultId === null || body['device'] !== 'cpu') return false;
  const said = (await health(bench.yolo26)).body;
  const { available } = said['gpu'] as { available: boolean };
  return (
    body['inference_time_ms'] === 480 &&
    said['device'] === 'cpu' &&
    said['status'] === 'degraded' &&
    available === cardIsThere
  );
};

for (const [type, cardIsThere] of [
  ['connection_error', false],
  ['no_gpu', false],
  ['device_index', true],
] as const) {
  proveFault('gpu', type, open, {
    ttlMs: 2000,
    hitKind: 'detect',
    serves,
    recoveryMs: RECOVERY_MS,
    seesEffect: onTheCpu(cardIsThere),
  });
}

proveFault('gpu', 'server_error', open, {
  ttlMs: 1500,
  hitKind: 'detect',
  serves,
  recoveryMs: RECOVERY_MS,
  async seesEffect(bench) {
    const failed = await look(detect(bench));
    return (
      isRefused(failed, { status: 500, code: 'CUDA_ERROR' }) &&
      failed.message.startsWith('CUDA error: an illegal memory access was encountered')
    );
  },
});

proveFault('gpu', 'intermittent', open, {
  ttlMs: 2000,
  hitKind: 'detect',
  serves,
  recoveryMs: RECOVERY_MS,
  async seesEffect(bench) {
    const answers = await Promise.all(Array.from({ length: 8 }, () => look(detect(bench))));
    const failed = answers.filter(
      (seen) =>
        isRefused(seen, { status: 500, code: 'CUDA_ERROR' }) &&
        seen.message.includes('unspecified launch failure'),
    );
    const passed = answers.filter(({ status, faultId }) => status === 200 && faultId === null);
    return failed.length > 0 && passed.length > 0 && failed.length + passed.length === answers.length;
  },
});

proveFault('gpu', 'latency', open, {
  params: { latencyMs: HOLD_MS },
  ttlMs: 2000,
  hitKind: 'detect',
  serves,
  recoveryMs: RECOVERY_MS,
  async seesEffect(bench) {
    const { status, faultId, body, tookMs } = await look(detect(bench));
    // Beside the card: the kernel takes no longer than without it.
    return status === 200 && faultId !== null && tookMs >= HOLD_MS - 5 && body['inference_time_ms'] === 40;
  },
});

/** Every call of both models fails with Xid 79, and health says which. */
async function isOffTheBus(bench: GpuBench): Promise<boolean> {
  const [seen, text, { status, body }] = await Promise.all([
    look(detect(bench)),
    look(complete(bench, { prompt: 'x', max_tokens: 1 })),
    health(bench.nemotron),
  ]);
  const { available, xids } = body['gpu'] as { available: boolean; xids: { code: number }[] };
  const lost = { status: 503, code: 'GPU_LOST' };
  return (
    isRefused(seen, lost) &&
    isRefused(text, lost) &&
    seen.message.includes('Xid 79') &&
    status === 503 &&
    !available &&
    xids.at(-1)?.code === 79
  );
}

for (const type of ['unavailable', 'driver_crash']) {
  proveFault('gpu', type, open, {
    ttlMs: 1500,
    hitKind: 'xid',
    serves,
    recoveryMs: RECOVERY_MS,
    seesEffect: isOffTheBus,
  });
}

const EIGHT = [14, 15, 16, 17, 18, 19, 20, 21];

/** A batch is refused in the words of PyTorch, with a smaller size to try. */
async function isOutOfMemory(bench: GpuBench): Promise<boolean> {
  const seen = await look(detectBatch(bench, await Promise.all(EIGHT.map(frame))));
  return (
    isRefused(seen, { status: 503, code: 'OUT_OF_MEMORY' }) &&
    seen.message.startsWith('CUDA out of memory. Tried to allocate') &&
    Number(seen.body['max_batch_size']) < EIGHT.length
  );
}

const memoryOf = ({ services }: GpuBench) => services.host.status().memory;

proveFault('gpu', 'vram_exhaustion', open, {
  params: { rateMibPerSecond: 20_000, targetFreeMib: 64 },
  ttlMs: 4000,
  hitKind: 'detect',
  serves,
  recoveryMs: 20_000,
  async seesEffect(bench) {
    // A batch still runs in memory that YOLO26 has kept for the next one; it is given back every 2 s.
    const { freeMib, cachedMib, tenantsMib } = memoryOf(bench);
    return freeMib + cachedMib < 180 && tenantsMib > 3000 && (await isOutOfMemory(bench));
  },
});

proveFault('gpu', 'vram_fragmentation', open, {
  params: { targetFreeMib: 100 },
  ttlMs: 3000,
  hitKind: 'detect',
  serves,
  recoveryMs: 20_000, // the batch grows by good calls, not by time
  async seesEffect(bench) {
    const { freeMib, cachedMib, largestFreeMib } = memoryOf(bench);
    // The sum of what is free would hold the batch of 1440 MiB; no piece of it holds one image of 180.
    return freeMib + cachedMib > 3000 && largestFreeMib < 180 && (await isOutOfMemory(bench));
  },
});

proveFault('gpu', 'thermal_throttle', openHot, {
  ttlMs: 3500,
  hitKind: 'detect',
  serves,
  recoveryMs: RECOVERY_MS,
  async seesEffect(bench) {
    const paused = await look(detect(bench));
    const { body } = await health(bench.yolo26);
    const { throttled } = body['gpu'] as { throttled: string[] };
    return (
      isRefused(paused, { status: 503, code: 'THERMAL_PAUSE' }) &&
      paused.retryAfter === '5' &&
      body['paused'] === true &&
      Number(body['temperature_c']) >= 88 &&
      throttled.length > 0
    );
  },
});

proveFault('gpu', 'context_corruption', open, {
  ttlMs: 1500,
  hitKind: 'detect',
  serves,
  recoveryMs: RECOVERY_MS,
  async seesEffect(bench) {
    const spoilt = await look(detect(bench));
    const { status, body } = await health(bench.yolo26);
    const { body: other } = await health(bench.nemotron);
    return (
      isRefused(spoilt, { status: 500, code: 'CUDA_ERROR' }) &&
      spoilt.message.includes('an illegal memory access was encountered') &&
      status === 503 && // not the call alone: its context is gone
      body['status'] === 'unhealthy' &&
      other['status'] === 'healthy' // which has one of its own
    );
  },
});

const isDamaged = async ({ modelsDir }: GpuBench, model: string) => {
  const [served, stored] = await Promise.all(
    ['', 'store'].map((folder) => readFile(join(modelsDir, folder, `${model}.model`))),
  );
  return served?.equals(stored as Buffer) === false;
};

proveFault('gpu', 'model_corrupted', open, {
  ttlMs: 1500,
  hitKind: 'detect',
  serves,
  recoveryMs: RECOVERY_MS,
  async seesEffect(bench) {
    const [refused, text] = [
      await look(detect(bench)),
      await look(complete(bench, { prompt: 'x', max_tokens: 1 })),
    ];
    return (
      isRefused(refused, { status: 503, code: 'MODEL_CORRUPTED' }) &&
      refused.message.includes('checksum of the model file is wrong') &&
      text.status === 200 && // the other model's file is whole
      (await isDamaged(bench, 'yolo26'))
    );
  },
});

proveFault('gpu', 'model_version_mismatch', open, {
  params: { model: 'nemotron', version: '2024.9' },
  ttlMs: 1500,
  hitKind: 'completion',
  serves,
  recoveryMs: RECOVERY_MS,
  async seesEffect(bench) {
    const [refused, other] = await Promise.all([
      look(complete(bench, { prompt: 'x', max_tokens: 1 })),
      look(detect(bench)),
    ]);
    return (
      isRefused(refused, { status: 503, code: 'MODEL_VERSION_MISMATCH' }) &&
      other.status === 200 &&
      refused.message.includes('expected version nemotron-nano-q4-2026.1, found nemotron-2024.9') &&
      (await isDamaged(bench, 'nemotron'))
    );
  },
});
