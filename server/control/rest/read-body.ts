import { Refusal } from '../problem.ts';

const MAX_BODY_BYTES = 64 * 1024;

/** The text of a body of at most 64 KiB; no more than that is ever read. @throws {Refusal} BODY_TOO_LARGE */
export async function readBody(request: Request): Promise<string> {
  const declared = Number(request.headers.get('content-length') ?? 0);
  if (declared > MAX_BODY_BYTES) throw tooLarge();
  if (!request.body) return '';
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of request.body) {
    sizeBytes += chunk.byteLength;
    if (sizeBytes > MAX_BODY_BYTES) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function tooLarge(): Refusal {
  const allowed = `at most ${MAX_BODY_BYTES} bytes`;
  return new Refusal('BODY_TOO_LARGE', `Expected a body of ${allowed}`, { field: 'body', allowed });
}
