import { FAULT_HEADER, type FaultSpec } from '../../faults/fault.ts';
import { ruleOf } from '../actions.ts';
import { type HttpHead, renderHead } from './http-head.ts';
import type { KeptBody } from './kept-body.ts';

/** An answer that is not passed on as it comes. */
export interface KeptAnswer {
  readonly head: HttpHead;
  readonly body: KeptBody;
}

/** Headers that are not true of another body. */
const OF_THE_BODY = new Set(['content-length', 'transfer-encoding', 'content-encoding', 'etag']);

/** Head and body of the answer as the fault leaves it. */
export function spoiltAnswer(
  kept: KeptAnswer,
  fault: FaultSpec,
  draw: number,
): { head: Buffer; body: Buffer } {
  const [version, code, words] = kept.head.start;
  const answer = { status: Number(code), reason: words, body: kept.body.bytes };
  const { status, reason, body } = ruleOf(fault.type)?.spoil?.(answer, fault, draw) ?? answer;
  const headers = kept.head.headers.filter(([name]) => !OF_THE_BODY.has(name.toLowerCase()));
  const head = renderHead({ start: [version, String(status), reason], headers }, [
    ...headers,
    ['content-length', String(body.length)],
    [FAULT_HEADER, fault.id],
  ]);
  return { head, body };
}
