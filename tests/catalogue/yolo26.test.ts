import { faultMark } from '#lib/chaos/faults/fault.ts';
import { frame } from '#server/inference/inference-fixture.ts';
import { openHttpService, proveCommonHttpFaults, type RequestBody, servesHttp } from './http-faults.ts';
import { proveFault } from './prove-fault.ts';

async function batch(): Promise<RequestBody> {
  const form = new FormData();
  for (const number of [14, 15, 16]) {
    form.append('files', await frame(number), 'frame.jpg');
    form.append('camera_id', 'cam');
  }
  const encoded = new Response(form);
  const type = encoded.headers.get('content-type') ?? '';
  return { type, bytes: Buffer.from(await encoded.arrayBuffer()) };
}

const open = async () => openHttpService('yolo26', '/detect/batch', await batch());

proveCommonHttpFaults('yolo26', open);

proveFault('yolo26', 'malformed_response', open, {
  ttlMs: 2000,
  hitKind: 'POST /detect/batch',
  serves: servesHttp,
  async seesEffect({ infer }) {
    const { status, faultId, text } = await infer();
    return status === 200 && faultId !== undefined && !isJson(text);
  },
});

interface Item {
  index: number;
  error?: { code: string; message: string };
  status?: number;
  detections?: unknown[];
}

proveFault('yolo26', 'partial_batch', open, {
  params: { items: 2 },
  ttlMs: 2000,
  hitKind: 'POST /detect/batch',
  serves: servesHttp,
  async seesEffect({ infer }) {
    const { status, faultId, text } = await infer();
    if (status !== 207 || faultId === undefined) return false;
    const { results } = JSON.parse(text) as { results: Item[] };
    const failed = results.filter(
      ({ error, status: its }) => its === 500 && error?.message.includes(faultMark(faultId)),
    );
    const whole = results.filter(({ detections }) => Array.isArray(detections));
    return failed.length === 2 && whole.length === 1 && results.every(({ index }, at) => index === at);
  },
});

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
