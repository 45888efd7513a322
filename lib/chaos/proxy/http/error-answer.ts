import { FAULT_HEADER, type FaultSpec } from '../../faults/fault.ts';
import { ruleOf } from '../actions.ts';

const REASONS: Readonly<Record<number, string>> = { 429: 'Too Many Requests', 503: 'Service Unavailable' };

/** An error in JSON, as a server of the seed would word it, with the fault's id in body and header. */
export function errorAnswer(fault: FaultSpec, isHead: boolean, last: boolean): Buffer {
  const answer = ruleOf(fault.type)?.httpAnswer?.(fault) ?? { status: 500 };
  const { status, kind = 'server_error', message = `injected by fault ${fault.type}`, headers = {} } = answer;
  const body = JSON.stringify({ error: { code: status, message, type: kind, fault: fault.id } });
  const own = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(
    `HTTP/1.1 ${status} ${REASONS[status] ?? 'Server Error'}\r\n${own.join('')}` +
      `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n` +
      `${FAULT_HEADER}: ${fault.id}\r\nconnection: ${last ? 'close' : 'keep-alive'}\r\n\r\n${isHead ? '' : body}`,
  );
}
