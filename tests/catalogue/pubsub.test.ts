import type { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, vi } from 'vitest';
import { failureOf, isRefused, takesAtLeast } from '#tests/support/bare-connection.ts';
import { startTestRedis, type TestRedis } from '#tests/support/redis.ts';
import { until } from '#tests/support/until.ts';
import { type FaultProof, proveFault } from './prove-fault.ts';
import { openRedisBench, type RedisBench } from './redis-bench.ts';

let server: TestRedis;

vi.setConfig({ maxConcurrency: 8 }); // they mostly wait

beforeAll(async () => {
  server = await startTestRedis();
});
afterAll(() => server.close());

/** A Redis behind its pub/sub proxy, with a subscriber there that subscribes again by itself. */
interface PubsubBench extends RedisBench {
  /** What the subscriber is subscribed to. */
  readonly channel: string;
  /** What it has received, in order. */
  readonly messages: readonly string[];
}

async function openBench(): Promise<PubsubBench> {
  const bench = await openRedisBench(server, 'pubsub');
  const channel = bench.name();
  const messages: string[] = [];
  const subscriber = bench.connect();
  subscriber.on('message', (_channel: string, text: string) => messages.push(text));
  // By hand: ioredis forgets its channels when it loses a connection before it has subscribed on it again.
  subscriber.on('ready', () => {
    subscriber.subscribe(channel).catch(() => {});
  });
  await subscriber.subscribe(channel);
  await bench.open.ask(`SUBSCRIBE ${channel}\r\n`);
  return { ...bench, channel, messages };
}

const prove = (type: string, proof: Omit<FaultProof<PubsubBench>, 'serves'>) =>
  proveFault('pubsub', type, openBench, {
    async serves({ client, channel, messages, name }) {
      const text = name();
      await client.publish(channel, text);
      return until('the message is delivered', 500, () => messages.includes(text), 5);
    },
    ...proof,
  });

const marked = (type: string) => `[brownout:proof-pubsub-${type}]`;

/** The Redis listener in front of the same server is none of this fault's business. */
async function redisServes({ connect, otherPort }: PubsubBench): Promise<boolean> {
  const client: Redis = connect(otherPort);
  const served = (await client.ping()) === 'PONG';
  client.disconnect();
  return served;
}

/**
 * What of `texts` the subscriber has been sent: everything that was published before a last message, which goes
 * past the proxy, and so past what the fault does to publishing.
 */
async function delivered({ direct, channel, messages, name }: PubsubBench, texts: readonly string[]) {
  const last = name();
  await direct.publish(channel, last);
  await until('the last message is delivered', 5000, () => messages.includes(last), 5);
  return texts.filter((text) => messages.includes(text));
}

prove('latency', {
  params: { latencyMs: 200 },
  ttlMs: 2500,
  hitKind: 'PUBLISH',
  seesEffect: ({ client, channel, messages, name }) =>
    takesAtLeast(195, async () => {
      const text = name();
      const published = client.publish(channel, text);
      await until('the message is delivered', 5000, () => messages.includes(text), 5);
      await published;
    }),
});

prove('timeout', {
  params: { delayMs: 300 },
  ttlMs: 2000,
  hitKind: /^bytes from (client|server)$/,
  async seesEffect(bench) {
    const { dial, open, direct, channel, name } = bench;
    const text = name();
    const publishing = dial();
    const startedMs = performance.now();
    const subscribers = await direct.publish(channel, text);
    const answer = await publishing.ask(`PUBLISH ${channel} held\r\n`);
    const heldMs = performance.now() - startedMs;
    if (answer !== '') return false;
    // The delivery was on its way to subscribers, and reached none.
    return (
      subscribers > 0 &&
      heldMs > 295 &&
      publishing.end === 'closed' &&
      (await open.endsWithin(1000)) === 'closed' &&
      !open.text.includes(text) &&
      !bench.messages.includes(text) &&
      redisServes(bench)
    );
  },
});

prove('connection_error', {
  hitKind: 'connection',
  seesEffect: async (bench) =>
    (await isRefused(bench.port)) && bench.open.end === 'closed' && redisServes(bench),
});

prove('unavailable', {
  hitKind: 'connection',
  seesEffect: async (bench) =>
    (await isRefused(bench.port)) && bench.open.end === 'reset' && redisServes(bench),
});

prove('server_error', {
  hitKind: 'PUBLISH',
  async seesEffect(bench) {
    const { client, channel, name } = bench;
    const text = name();
    const said = await failureOf(client.publish(channel, text));
    expect(await client.set(name(), 1)).toBe('OK'); // not a publish
    expect(await delivered(bench, [text])).toEqual(said ? [] : [text]);
    return said === `ERR injected by fault server_error ${marked('server_error')}`;
  },
});

prove('intermittent', {
  hitKind: 'PUBLISH',
  async seesEffect(bench) {
    const { client, channel, name } = bench;
    const texts = Array.from({ length: 24 }, name);
    const said = await Promise.all(texts.map((text) => failureOf(client.publish(channel, text))));
    const refused = said.filter((error) => error.includes(marked('intermittent'))).length;
    expect(said.filter((error) => error !== '')).toHaveLength(refused);
    expect(await delivered(bench, texts)).toEqual(texts.filter((_, index) => said[index] === ''));
    return refused > 0 && refused < texts.length;
  },
});

prove('message_loss', {
  hitKind: 'PUBLISH',
  async seesEffect(bench) {
    const { client, channel, name } = bench;
    const text = name();
    const subscribers = await client.publish(channel, text);
    const reached = await delivered(bench, [text]);
    return subscribers === 0 && reached.length === 0;
  },
});

prove('publish_failure', {
  hitKind: 'PUBLISH',
  async seesEffect(bench) {
    const { client, channel, name } = bench;
    const text = name();
    const said = await failureOf(client.publish(channel, text));
    expect(await delivered(bench, [text])).toEqual(said ? [] : [text]);
    return said === `ERR injected by fault publish_failure ${marked('publish_failure')}`;
  },
});

prove('publish_timeout', {
  params: { delayMs: 300 },
  ttlMs: 1500,
  hitKind: 'PUBLISH',
  async seesEffect(bench) {
    const { dial, channel, name } = bench;
    const text = name();
    const publisher = dial();
    expect(await publisher.ask('PING\r\n')).toBe('+PONG\r\n');
    const startedMs = performance.now();
    const answer = await publisher.ask(`PUBLISH ${channel} ${text}\r\n`);
    const heldMs = performance.now() - startedMs;
    // Deliveries on other connections go on.
    expect(await delivered(bench, [text])).toEqual(answer ? [text] : []);
    return answer === '' && heldMs > 295 && publisher.end === 'closed';
  },
});

prove('subscription_failure', {
  hitKind: 'SUBSCRIBE',
  async seesEffect(bench) {
    const { connect, direct, name } = bench;
    const subscriber = connect();
    const channel = name();
    const said = await failureOf(subscriber.subscribe(channel));
    expect(await direct.publish(channel, 'to whoever is subscribed')).toBe(said ? 0 : 1);
    await delivered(bench, []); // open subscriptions stay
    subscriber.disconnect();
    return (
      said ===
      `NOPERM this user has no permissions to access one of the channels used as arguments ${marked('subscription_failure')}`
    );
  },
});

prove('disconnect', {
  params: { lifeMs: 200 },
  ttlMs: 2000,
  hitKind: 'connection',
  async seesEffect(bench) {
    const subscriber = bench.dial();
    const startedMs = performance.now();
    const answer = await subscriber.ask(`SUBSCRIBE ${bench.channel}\r\n`);
    const end = await subscriber.endsWithin(600);
    const lifeMs = performance.now() - startedMs;
    return (
      answer.includes('subscribe') &&
      end === 'reset' &&
      lifeMs > 195 &&
      bench.open.end === 'reset' &&
      redisServes(bench)
    );
  },
});
