import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { factsOf, parseHead } from './http-head.ts';
import { scanHead } from './scan-head.ts';

const SEED = 20_260_101;

const starts = fc.constantFrom(
  'GET / HTTP/1.1',
  'HEAD /a?b:c HTTP/1.0',
  'POST http://host:80/x HTTP/1.1',
  'CONNECT host:443 HTTP/1.1',
  'get /lower HTTP/1.1',
  'GET  /two-spaces HTTP/1.1',
  'GET /no-version',
  'GET / HTTP/2.0',
  'G:T / HTTP/1.1',
  'HTTP/1.1 200 OK',
  'HTTP/1.0 204',
  'HTTP/1.1 20 Short',
  'HTTP/1.1 2000 Long',
  'HTTP/1.1 100 ',
  'HTTP/2 200 OK',
);
const values = fc.constantFrom(
  'close',
  'Keep-Alive',
  'keep-alive, Upgrade',
  'Close, foo',
  'closed',
  'chunked',
  'gzip, chunked',
  'identity',
  '0',
  '17',
  '17, 17',
  '-1',
  '12345678901234567',
  '100-continue',
  '',
  'text \t with é',
  'bare\nfeed',
  'bare\rreturn',
);
const names = fc.constantFrom(
  'Connection',
  'content-length',
  'Content-Length ',
  'TRANSFER-ENCODING',
  'Expect',
  'host',
  'x-longer-named-one',
  'connectiom',
  '',
);
const header = fc
  .tuple(names, fc.constantFrom(': ', ':', ':\t', ' ', ':   '), values, fc.constantFrom('', ' ', '\t'))
  .map((parts) => parts.join(''));
const usual = fc
  .tuple(
    names.filter((name) => name !== ''),
    values,
  )
  .map((parts) => parts.join(': '));

describe('scanHead', () => {
  it('says of every head what parsing it says', () => {
    const heads = fc.tuple(starts, fc.array(fc.oneof(header, usual, usual), { maxLength: 5 }));
    fc.assert(
      fc.property(heads, fc.nat(3), ([start, headers], before) => {
        const text = [start, ...headers].join('\r\n');
        const bytes = Buffer.from(`${'#'.repeat(before)}${text}\r\n\r\nbody`, 'latin1');
        const end = bytes.indexOf('\r\n\r\n', before);
        const parsed = parseHead(bytes.toString('latin1', before, end));
        expect(scanHead(bytes, before)).toEqual(parsed ? factsOf(parsed, end + 4) : 'bad');
      }),
      { seed: SEED, numRuns: 20_000 },
    );
  });

  it('waits for the rest of a head, wherever it is cut', () => {
    const bytes = Buffer.from(
      'POST /a HTTP/1.1\r\nhost: b\r\nContent-Length: 3\r\nconnection: close\r\n\r\n',
    );
    for (let length = 0; length < bytes.length; length++) {
      expect(scanHead(bytes.subarray(0, length), 0), `${length} bytes`).toBe('more');
    }
    expect(scanHead(bytes, 0)).toMatchObject({ framed: { kind: 'length', bytes: 3 }, last: true });
  });
});
