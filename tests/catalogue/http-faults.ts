/** The proofs that both HTTP services share, on the real inference services behind a real fault proxy. */
import { request } from 'node:http';
import { FAULT_HEADER } from '#lib/chaos/faults/fault.ts';
import type { ServiceProxy } from '#lib/chaos/proxy/service-proxy.ts';
import { open as openInference } from '#server/inference/inference-fixture.ts';
import { BareConnection, isRefused } from '#tests/support/bare-connection.ts';
import { startProxyHarness } from '#tests/support/proxy-harness.ts';
import { type FaultBench, proveFault } from './prove-fault.ts';

/** What a client saw of one call. */
export interface Answer {
  /** 0 when the connection ended without an answer. */
  readonly status: number;
  readonly faultId: string | undefined;
  readonly retryAfter: string | undefined;
  readonly text: string;
  readonly tookMs: number;
}

export interface HttpBench extends FaultBench {
  readonly proxy: ServiceProxy;
  /** Opened before the fault. */
  readonly standing: BareConnection;
  /** One inference through the proxy, on a connection of its own. */
  infer(): Promise<Answer>;
  call(path: string, body?: RequestBody): Promise<Answer>;
}

export interface RequestBody {
  readonly type: string;
  readonly bytes: Buffer;
}

type HttpServiceName = 'yolo26' | 'nemotron';

export async function openHttpService(
  service: HttpServiceName,
  path: string,
  body: RequestBody,
): Promise<HttpBench> {
  const inference = await openInference();
  const harness = startProxyHarness();
  const proxy = await harness.open(service, {
    host: '127.0.0.1',
    port: inference.services.ports[service],
  });
  const standing = new BareConnection(proxy.port);
  await standing.ask('GET /health HTTP/1.1\r\nhost: x\r\n\r\n');
  const call = (to: string, sent?: RequestBody) => ask(proxy.port, to, sent);
  return {
    injector: harness.injector,
    proxy,
    standing,
    call,
    infer: () => call(path, body),
    async close() {
      standing.close();
      await harness.close();
      await inference.close();
    },
  };
}

function ask(port: number, path: string, body: RequestBody | undefined): Promise<Answer> {
  const startedMs = performance.now();
  return new Promise((resolve) => {
    const answered = (rest: Partial<Answer>) =>
      resolve({
        status: 0,
        faultId: undefined,
        retryAfter: undefined,
        text: '',
        ...rest,
        tookMs: performance.now() - startedMs,
      });
    const sent = request({
      host: '127.0.0.1',
      port,
      path,
      agent: false,
      method: body ? 'POST' : 'GET',
      headers: body ? { 'content-type': body.type, 'content-length': body.bytes.length } : {},
    });
    sent.on('error', () => answered({}));
    sent.on('response', (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('error', () => answered({}));
      response.on('end', () =>
        answered({
          status: response.statusCode ?? 0,
          faultId: response.headers[FAULT_HEADER] as string | undefined,
          retryAfter: response.headers['retry-after'],
          text: Buffer.concat(parts).toString(),
        }),
      );
    });
    sent.end(body?.bytes);
  });
}

/** The whole work of the service, without a mark of a fault. */
export async function servesHttp(bench: HttpBench): Promise<boolean> {
  const { status, faultId } = await bench.infer();
  return status === 200 && faultId === undefined;
}

const HOLD_MS = 300;
const LATENCY_MS = 250;

/** The types that every service has. */
export function proveCommonHttpFaults(service: HttpServiceName, open: () => Promise<HttpBench>): void {
  const kind = service === 'yolo26' ? 'POST /detect/batch' : 'POST /completion';
  const serves = servesHttp;

  proveFault(service, 'timeout', open, {
    params: { delayMs: HOLD_MS },
    ttlMs: 2000,
    hitKind: kind,
    serves,
    async seesEffect({ infer }) {
      const { status, tookMs } = await infer();
      return status === 0 && tookMs >= HOLD_MS - 5; // held, then closed without an answer
    },
  });

  proveFault(service, 'connection_error', open, {
    serves,
    seesEffect: async ({ proxy, standing }) => (await isRefused(proxy.port)) && standing.end === 'closed',
  });

  proveFault(service, 'unavailable', open, {
    serves,
    seesEffect: async ({ proxy, standing }) => (await isRefused(proxy.port)) && standing.end === 'reset',
  });

  proveFault(service, 'server_error', open, {
    params: { status: 503 },
    ttlMs: 2000,
    hitKind: kind,
    serves,
    async seesEffect({ infer, injector }) {
      const { status, faultId, text } = await infer();
      if (status !== 503 || faultId !== injector.all()[0]?.id) return false;
      return (JSON.parse(text) as { error: { fault: string } }).error.fault === faultId;
    },
  });

  proveFault(service, 'intermittent', open, {
    ttlMs: 4000,
    hitKind: kind,
    serves,
    async seesEffect({ infer }) {
      const answers = await Promise.all(Array.from({ length: 6 }, () => infer()));
      const failed = answers.filter(({ status, faultId }) => status === 500 && faultId !== undefined);
      const passed = answers.filter(({ status, faultId }) => status === 200 && faultId === undefined);
      return failed.length > 0 && passed.length > 0 && failed.length + passed.length === answers.length;
    },
  });

  proveFault(service, 'latency', open, {
    params: { latencyMs: LATENCY_MS },
    ttlMs: 3000,
    hitKind: 'GET /health',
    serves,
    async seesEffect({ call }) {
      for (let tries = 0; tries < 5; tries++) {
        const { status, tookMs } = await call('/health');
        if (status !== 200 || tookMs < LATENCY_MS - 1) return false;
      }
      return true; // late each time, so that it is not the machine
    },
  });
}
