import { connect } from 'node:net';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type ProxyHarness, startProxyHarness } from '#tests/support/proxy-harness.ts';
import { startTestRedis, type TestRedis } from '#tests/support/redis.ts';
import { completeReplies } from '#tests/support/resp.ts';

let redis: TestRedis;
let harness: ProxyHarness;

beforeAll(async () => {
  redis = await startTestRedis();
  harness = startProxyHarness();
});
afterAll(async () => {
  await harness.close();
  await redis.close();
});

/** Sends inline commands in one piece; gives the first words of the replies once `count` of them have come. */
async function replies(port: number, commands: string[], count: number): Promise<string[]> {
  const socket = connect(port, '127.0.0.1');
  let text = '';
  socket.on('data', (part) => {
    text += part.toString('latin1');
  });
  socket.write(`${commands.join('\r\n')}\r\n`);
  const come = await vi.waitFor(
    () => {
      const values = completeReplies(text);
      expect(values.length).toBeGreaterThanOrEqual(count);
      return values;
    },
    { timeout: 10_000 },
  );
  socket.destroy();
  return come.map(({ type, text: line, items }) => (type === '-' ? 'hit' : (items[0]?.text ?? line)));
}

it.each([2, 3])('keeps a hit command behind every confirmation before it, over RESP%i', async (version) => {
  const { port } = await harness.open('redis', redis);
  await harness.arm('redis', 'server_error', { match: { command: 'ECHO' } });
  const commands = [
    'SUBSCRIBE a b c',
    'PSUBSCRIBE p',
    'UNSUBSCRIBE',
    'PUNSUBSCRIBE',
    'SUBSCRIBE d',
    'UNSUBSCRIBE d',
  ];
  const words = [
    ...Array(3).fill('subscribe'),
    'psubscribe',
    ...Array(3).fill('unsubscribe'),
    'punsubscribe',
  ];
  const came = await replies(
    port,
    [
      `HELLO ${version}`,
      ...commands,
      'DEL list',
      'RPUSH list message x',
      'LRANGE list 0 -1',
      'ECHO hit',
      'PING',
    ],
    16,
  );
  expect(came.slice(1)).toEqual([
    ...words,
    'subscribe',
    'unsubscribe',
    expect.any(String),
    '2',
    'message',
    'hit',
    'PONG',
  ]);
  await harness.endAll();
});
