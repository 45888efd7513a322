import type { IncomingMessage } from 'node:http';
import { Refusal } from './problem.ts';

const LIMIT_BYTES = 8 * 1024;

/** The fields of a plain HTML form. @throws {Refusal} BODY_TOO_LARGE */
export async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > LIMIT_BYTES)
      throw new Refusal('BODY_TOO_LARGE', `A form is at most ${LIMIT_BYTES} bytes`);
    chunks.push(chunk);
  }
  return new URLSearchParams(Buffer.concat(chunks).toString('utf8'));
}
