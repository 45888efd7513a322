import type { DlqFilter, DlqLines } from '../../../lib/protocol/dead-letters.ts';
import type { AgentGateway } from '../agent-gateway.ts';
import { invalidInput, type Refusal } from '../problem.ts';

/** How many letters an export holds, so that its reader can tell a whole one from a part. */
const LETTERS_HEADER = 'X-Brownout-Letters';
/** Stands for these letters: a purge with it takes none that was not exported. */
const MARK_HEADER = 'X-Brownout-Mark';

/**
 * Passes an export on part by part, as fast as its reader reads. When the pipeline goes away on the way, the
 * connection is broken: half an export never looks like a whole one.
 * @throws {Refusal} before anything is sent: PROCESS_UNAVAILABLE, or INVALID_INPUT for a mark of another life
 */
export async function exportLetters(
  agents: Pick<AgentGateway, 'command'>,
  request: DlqFilter & { mark?: string },
): Promise<Response> {
  const first = await agents.command('pipeline', 'dlq:export', request);
  if (!first) throw staleMark(request.mark ?? '');
  const { mark } = first;
  let part: DlqLines | null = first;
  let cursor: string | null = null;
  // Nothing is asked for ahead of the reader, so that a failure always meets a read: that breaks the connection.
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (cursor !== null) {
          part = await agents.command('pipeline', 'dlq:export', { ...request, mark, cursor });
        }
        if (!part) throw new Error('The pipeline was started anew while letters were exported');
        cursor = part.nextCursor;
        if (part.text !== '') controller.enqueue(Buffer.from(part.text));
        if (cursor === null) controller.close();
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(body, {
    headers: {
      'Content-Type': 'application/x-ndjson; charset=utf-8',
      'Content-Disposition': 'attachment; filename="dead-letters.jsonl"',
      'Cache-Control': 'no-store',
      'Transfer-Encoding': 'chunked', // sent as it comes: the adapter else gathers the first parts and a failure with them
      [LETTERS_HEADER]: String(first.total ?? 0),
      [MARK_HEADER]: mark,
    },
  });
}

export function staleMark(given: string): Refusal {
  return invalidInput('mark', given, 'a mark given since the pipeline started: look at the groups again');
}
