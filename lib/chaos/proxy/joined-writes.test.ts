import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { startProxyHarness } from '#tests/support/proxy-harness.ts';
import { JoinedWrites } from './joined-writes.ts';

function join(...pieces: Buffer[]): string[] {
  const written: string[] = [];
  const joined = new JoinedWrites((bytes) => written.push(bytes.toString()));
  joined.begin();
  for (const piece of pieces) joined.push(piece);
  joined.flush();
  joined.flush();
  return written;
}

describe('JoinedWrites', () => {
  const chunk = Buffer.from('one two three');

  it('writes neighbours at once and keeps the order of the others', () => {
    const [one, two, three] = [chunk.subarray(0, 4), chunk.subarray(4, 8), chunk.subarray(8)];
    expect(join(one, two, three)).toEqual(['one two three']);
    expect(join(one, three)).toEqual(['one ', 'three']);
    expect(join(two, one)).toEqual(['two ', 'one ']);
    const apart = Buffer.alloc(4, 'x');
    expect(join(one, apart, two, three)).toEqual(['one ', 'xxxx', 'two three']);
  });

  it('writes at once what comes when nobody has begun', () => {
    const written: string[] = [];
    const joined = new JoinedWrites((bytes) => written.push(bytes.toString()));
    joined.push(chunk.subarray(0, 4));
    joined.push(chunk.subarray(4));
    expect(written).toEqual(['one ', 'two three']);
  });

  it('does not take another memory at the same place for a neighbour', () => {
    const other = Buffer.alloc(64 * 1024, 'y');
    const first = Buffer.alloc(64 * 1024, 'x').subarray(0, 4);
    expect(join(first, other.subarray(4, 8))).toEqual(['xxxx', 'yyyy']);
  });
});

describe('a proxy', () => {
  it('hands on head and body of an answer in one write when they came in one', async () => {
    const answer = 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello';
    const server = createServer((socket) => socket.on('data', () => socket.write(answer)));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const harness = startProxyHarness();
    const proxy = await harness.open('nemotron', {
      host: '127.0.0.1',
      port: (server.address() as AddressInfo).port,
    });
    const client = connect({ host: '127.0.0.1', port: proxy.port });
    for (let call = 0; call < 3; call++) {
      client.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
      const [chunk] = (await once(client, 'data')) as [Buffer];
      expect(chunk.toString()).toBe(answer);
    }
    client.destroy();
    await harness.close();
    server.close();
  });
});
