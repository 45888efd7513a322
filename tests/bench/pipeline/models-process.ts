import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { answerCalls } from '../measure-child.ts';

const FRAME = {
  detections: [{ class: 'person', confidence: 0.9, bbox: { x: 10, y: 20, width: 30, height: 60 } }],
  inference_time_ms: 1,
  image_width: 640,
  image_height: 360,
};
const RISK = {
  risk_score: 40,
  risk_level: 'medium',
  summary: 'A person walks by.',
  reasoning: 'One person.',
};
const PART = Buffer.from('name="files"');

/** Models that answer at once: they read what they are sent, and look at nothing. */
async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body = bodyFor(request.url ?? '', Buffer.concat(chunks));
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function bodyFor(path: string, sent: Buffer): object {
  switch (path) {
    case '/detect':
      return FRAME;
    case '/detect/batch':
      return { results: Array.from({ length: countOf(PART, sent) }, (_, index) => ({ index, ...FRAME })) };
    case '/completion':
      return { content: JSON.stringify(RISK) };
    default:
      return { status: 'healthy' };
  }
}

function countOf(needle: Buffer, text: Buffer): number {
  let count = 0;
  for (let at = text.indexOf(needle); at >= 0; at = text.indexOf(needle, at + needle.length)) count++;
  return count;
}

const handlers = {
  async open(): Promise<string> {
    const server = createServer({ keepAlive: true }, (request, response) => {
      answer(request, response).catch(() => response.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  },
};
export type ModelsCalls = typeof handlers;

answerCalls(handlers);
