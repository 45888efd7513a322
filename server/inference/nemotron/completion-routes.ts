import type { IncomingMessage } from 'node:http';
import type { GpuHost } from '../gpu-host.ts';
import { healthAnswer } from '../health.ts';
import type { Routes } from '../http-service.ts';
import { InferenceError } from '../inference-error.ts';
import { MODELS } from '../inference-profile.ts';
import { type CompletionService, readCompletionRequest } from './completion-service.ts';

const MAX_BODY_BYTES = 2 ** 20;

/** `POST /completion` as llama.cpp's server has it, and `GET /health`. */
export function completionRoutes(service: CompletionService, host: GpuHost): Routes {
  return {
    'POST /completion': async (request, signal) => {
      const completion = await service.complete(readCompletionRequest(await readJson(request)), signal);
      const { content, device, promptTokens, tokens, truncated, kernelMs, faultId } = completion;
      return {
        status: 200,
        faultId,
        body: {
          content,
          model: MODELS.nemotron.version,
          stop: true,
          stopped_limit: truncated,
          truncated,
          tokens_evaluated: promptTokens,
          tokens_predicted: tokens,
          timings: { predicted_ms: Math.round(kernelMs * 10) / 10 },
          device,
        },
        log: { promptTokens, tokens, device },
      };
    },
    'GET /health': async () =>
      healthAnswer(host, 'nemotron', {
        model: 'nemotron',
        model_version: MODELS.nemotron.version,
        slots: MODELS.nemotron.slots,
      }),
  };
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const body: AsyncIterable<Buffer> = request.iterator({ destroyOnReturn: false }); // the 413 must still get out
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) {
      request.resume();
      const message = `Expected a body of at most ${MAX_BODY_BYTES} bytes`;
      throw new InferenceError('BODY_TOO_LARGE', message, { status: 413 });
    }
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch (cause) {
    throw new InferenceError('INVALID_INPUT', 'Expected a JSON body', { status: 400 }, { cause });
  }
}
