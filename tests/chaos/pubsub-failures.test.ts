import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Server } from 'socket.io';
import { afterAll, beforeAll, describe, expect, onTestFinished } from 'vitest';
import type { BreakerThresholds } from '#lib/chaos/breaker/breaker-options.ts';
import { CircuitBreaker } from '#lib/chaos/breaker/circuit-breaker.ts';
import { systemClock } from '#lib/chaos/clock.ts';
import type { ViewerClientEvents, ViewerServerEvents } from '#lib/protocol/viewers.ts';
import { createBroadcaster } from '#server/pipeline/viewers/broadcaster.ts';
import { ChannelSubscription } from '#server/pipeline/viewers/channel-subscription.ts';
import type { ViewerBroadcaster } from '#server/pipeline/viewers/contracts.ts';
import { makeEvent } from '#server/pipeline/viewers/make-event.ts';
import { connectInBackground, createRedisClient } from '#server/pipeline/viewers/redis-client.ts';
import { type System, startSystem } from '#tests/support/system.ts';
import { until } from '#tests/support/until.ts';
import {
  calmScenariosOf,
  directRedis,
  healthOf,
  keptLogger,
  logSince,
  makeFolder,
  reportOf,
  type Viewer,
  viewerOf,
} from './real-parts.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem({ env: { PROFILE: 'test' } });
});
afterAll(() => system?.close());

const scenario = calmScenariosOf('pubsub-failures', () => system);

const CHANNELS = ['brownout:events', 'brownout:service_status', 'brownout:alerts'];
const BREAKER = { failureThreshold: 3, recoveryTimeoutMs: 400, halfOpenMaxCalls: 1, successThreshold: 1 };
/** Opens nothing: for scenarios about what is below the breaker. */
const PATIENT = { ...BREAKER, failureThreshold: 1000 };

const address = () => ({ ...system.wiring.proxied.pubsub, password: system.wiring.redisPassword });

/** Connections that are open when it starts are reset; new ones last. */
const disconnectOnce = () => system.startFault('pubsub', 'disconnect', { params: { lifeMs: 60_000 } });

/** An event of this suite, told from those of the pipeline by its id. */
const event = (riskScore = 40) => makeEvent({ id: `scenario-${randomUUID()}`, riskScore });

interface Seen {
  seq: number;
  id: string;
  via: string;
}

function watch(viewer: Viewer): Seen[] {
  const seen: Seen[] = [];
  viewer.on('events', ({ seq, data }) => {
    if (data.event.id.startsWith('scenario-')) seen.push({ seq, id: data.event.id, via: data.via });
  });
  return seen;
}

const of = (seen: readonly Seen[], { id }: { id: string }) =>
  seen.filter((each) => each.id === id).map(({ via }) => via);

/** The pipeline's broadcaster with viewers of its own, its Redis behind the system's proxy. */
async function broadcasterOn(
  options: { thresholds?: BreakerThresholds; keptFile?: string; viewers?: number } = {},
) {
  const breaker = new CircuitBreaker('broadcaster', options.thresholds ?? BREAKER);
  const { logger, records } = keptLogger();
  const broadcaster = createBroadcaster({
    pubsub: address(),
    breaker,
    logger,
    profile: 'test',
    replaySettleMs: 100,
    random: () => 0,
    ...(options.keptFile === undefined ? {} : { keptFile: options.keptFile }),
  });
  const http = createServer();
  const io = new Server<ViewerClientEvents, ViewerServerEvents>(http, { transports: ['websocket'] });
  broadcaster.attach(io);
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    await broadcaster.close();
    await io.close();
    breaker.dispose();
  });
  await broadcaster.start();
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const viewers = await Promise.all(Array.from({ length: options.viewers ?? 1 }, () => viewerOf(url)));
  const seen = viewers.map(watch);
  await untilWell(broadcaster);
  const [first = []] = seen;
  const [viewer] = viewers;
  if (!viewer) throw new Error('Nobody looks');
  const logged = (msg: string) =>
    until(`“${msg}” is logged`, 5000, () => records.find((record) => record['msg'] === msg), 20);
  return { broadcaster, breaker, records, logged, viewer, seen: first, all: seen };
}

const untilWell = (broadcaster: ViewerBroadcaster) =>
  until('a message comes back through Redis', 10_000, async () => {
    await broadcaster.healthCheck(AbortSignal.timeout(500));
    return true;
  });

/** After a fault: a new event reaches the viewer once, through Redis. */
async function goesThroughRedis(broadcaster: ViewerBroadcaster, seen: readonly Seen[]): Promise<void> {
  await untilWell(broadcaster);
  await until('an event goes through Redis', 10_000, async () => {
    const probe = event();
    await broadcaster.publish(probe, 'created');
    await until('it has come', 2000, () => of(seen, probe).length > 0 || undefined, 20);
    expect(of(seen, probe)).toEqual(['redis']);
    return true;
  });
}

describe('pubsub failures', () => {
  scenario('disconnect-during-broadcast-retries', async (prove) => {
    const { broadcaster, records, seen } = await broadcasterOn({ thresholds: PATIENT });
    await prove({
      faults: await system.startFault('pubsub', 'disconnect', { params: { lifeMs: 100 } }),
      behaviour: async () => {
        const record = await until('a publish was tried again', 8000, async () => {
          await broadcaster.publish(event(), 'created');
          return records.find(({ msg, attempt }) => msg === 'publish failed, trying again' && attempt === 1);
        });
        expect(record).toMatchObject({ delayMs: 100 });
        const sent = { id: String(record['eventId']) };
        await until('the viewer has it', 3000, () => of(seen, sent).length > 0 || undefined, 20);
        expect(of(seen, sent)).toHaveLength(1);
      },
      recovery: () => goesThroughRedis(broadcaster, seen),
    });
  });

  scenario('disconnect-logs-warning-and-reconnects', async (prove) => {
    const { broadcaster, logged, seen } = await broadcasterOn();
    const since = Date.now();
    await prove({
      faults: await disconnectOnce(),
      behaviour: async () => {
        expect(await logged('subscriber disconnected, reconnecting')).toMatchObject({
          level: 40,
          channels: expect.arrayContaining(CHANNELS),
        });
        await until('it has connected again', 5000, () => broadcaster.stats().reconnects >= 1 || undefined);
        await until('the pipeline says so too', 5000, () =>
          logSince(system, since).find(({ msg }) => msg === 'subscriber disconnected, reconnecting'),
        );
      },
      recovery: () => goesThroughRedis(broadcaster, seen),
    });
  });

  scenario('multiple-broadcast-failures-trigger-circuit-breaker', async (prove) => {
    const { broadcaster, breaker, seen } = await broadcasterOn({
      thresholds: { ...BREAKER, recoveryTimeoutMs: 4000 },
    });
    await prove({
      faults: await system.startFault('pubsub', 'publish_failure'),
      behaviour: async () => {
        await broadcaster.publish(event(), 'created'); // three attempts
        await until('they are made', 5000, () => breaker.state === 'OPEN' || undefined, 20);
        expect(breaker.status()).toMatchObject({ state: 'OPEN', calls: { failed: 3, rejected: 0 } });
        const turnedAway = event();
        await broadcaster.publish(turnedAway, 'created');
        expect(breaker.status().calls).toMatchObject({ failed: 3, rejected: 1 });
        await until(
          'the viewer has it all the same',
          2000,
          () => of(seen, turnedAway).length > 0 || undefined,
        );
        await until('the breaker of the pipeline opens', 10_000, async () => {
          const { breakers } = await reportOf(system);
          return (
            breakers.some(({ name, transitions }) => name === 'broadcaster' && transitions > 0) || undefined
          );
        });
      },
      recovery: async () => {
        await goesThroughRedis(broadcaster, seen);
        expect(breaker.state).toBe('CLOSED');
      },
    });
  });

  scenario('message-loss-detected-via-subscriber-count', async (prove) => {
    const { broadcaster, logged, seen } = await broadcasterOn();
    const before = (await reportOf(system)).viewers.unheard;
    await prove({
      faults: await system.startFault('pubsub', 'message_loss', { params: { channel: 'brownout:events' } }),
      behaviour: async () => {
        const lost = event();
        await broadcaster.publish(lost, 'created');
        expect(await logged('publish reached no subscriber')).toMatchObject({
          level: 40,
          eventId: lost.id,
          unheard: 1,
        });
        await until('the viewer has it directly', 2000, () => of(seen, lost).length > 0 || undefined, 20);
        expect(of(seen, lost)).toEqual(['direct']);
        await until('the pipeline counts its own', 10_000, async () => {
          return (await reportOf(system)).viewers.unheard > before || undefined;
        });
      },
      recovery: async () => {
        const { unheard } = broadcaster.stats();
        await goesThroughRedis(broadcaster, seen);
        expect(broadcaster.stats().unheard).toBe(unheard);
      },
    });
  });

  scenario('message-loss-during-subscriber-reconnect', async (prove) => {
    const { broadcaster, seen } = await broadcasterOn();
    const other = await directRedis(system);
    const publishOutside = (record: ReturnType<typeof event>) =>
      other.publish('brownout:events', JSON.stringify({ change: 'created', event: record }));
    const refused = await system.startFault('pubsub', 'subscription_failure', {
      params: { channel: 'events' },
    });
    const missed = event();
    await prove({
      faults: [refused, await disconnectOnce()],
      behaviour: async () => {
        await until('nobody is subscribed to the events', 5000, async () => {
          return (await other.pubsub('NUMSUB', 'brownout:events'))[1] === 0 || undefined;
        });
        expect(await publishOutside(missed)).toBe(0); // of another process: gone
        // Its publisher may still be connecting again.
        const own = await until('one of ours is heard by nobody', 5000, async () => {
          const next = event();
          await broadcaster.publish(next, 'created');
          return broadcaster.stats().unheard > 0 ? next : undefined;
        });
        await until('the viewer has ours', 2000, () => of(seen, own).length > 0 || undefined, 20);
        expect(of(seen, own)).toEqual(['direct']);
      },
      recovery: async () => {
        await goesThroughRedis(broadcaster, seen);
        const heard = event();
        expect(await publishOutside(heard)).toBeGreaterThan(0);
        await until('the viewer has the next one', 2000, () => of(seen, heard).length > 0 || undefined, 20);
        expect(of(seen, missed)).toEqual([]); // it was lost, and nothing invents it
      },
    });
  });

  scenario('critical-messages-persisted-when-pubsub-fails', async (prove) => {
    const keptFile = join(await makeFolder(), 'critical.jsonl');
    const { broadcaster, seen } = await broadcasterOn({ keptFile });
    const listener = await directRedis(system);
    const heard: string[] = [];
    listener.on('message', (_channel, text) => heard.push(text));
    await listener.subscribe('brownout:events');
    const critical = event(90);
    await prove({
      faults: await system.startFault('pubsub', 'publish_failure'),
      behaviour: async () => {
        const harmless = event(20);
        await broadcaster.publish(critical, 'created');
        await broadcaster.publish(harmless, 'created');
        await until('it is kept', 5000, () => broadcaster.stats().kept === 1 || undefined, 20);
        await until('it is on disk', 2000, async () =>
          (await readFile(keptFile, 'utf8')).includes(critical.id),
        );
        expect(await readFile(keptFile, 'utf8')).not.toContain(harmless.id);
        await until('the viewer has it', 2000, () => of(seen, critical).length > 0 || undefined, 20);
        expect(of(seen, critical)).toEqual(['direct']);
      },
      recovery: async () => {
        await until('it is replayed', 10_000, () => broadcaster.stats().kept === 0 || undefined);
        await until(
          'the others have it',
          5000,
          () => heard.some((text) => text.includes(critical.id)) || undefined,
        );
        await until(
          'the file is empty',
          2000,
          async () => (await readFile(keptFile, 'utf8')) === '' || undefined,
        );
        expect(of(seen, critical)).toEqual(['direct']); // once
      },
    });
  });

  scenario('subscriber-reconnects-after-disconnect', async (prove) => {
    const { broadcaster, seen } = await broadcasterOn();
    await prove({
      faults: await system.startFault('pubsub', 'unavailable'),
      behaviour: () =>
        until(
          'no channel is left',
          5000,
          () => broadcaster.stats().subscribed.length === 0 || undefined,
        ).then(() => {}),
      recovery: async () => {
        await goesThroughRedis(broadcaster, seen);
        const { reconnects, subscribed } = broadcaster.stats();
        expect(reconnects).toBeGreaterThanOrEqual(1);
        expect(subscribed).toHaveLength(3);
      },
    });
  });

  scenario('resubscribe-to-all-channels-after-reconnect', async (prove) => {
    const { broadcaster, records, viewer, seen } = await broadcasterOn();
    const other = await directRedis(system);
    const alerts: unknown[] = [];
    viewer.on('alerts', ({ data }) => alerts.push(data['code']));
    await prove({
      faults: await disconnectOnce(),
      behaviour: async () => {
        const again = await until('it has subscribed again', 5000, () =>
          records.find(({ msg, connection }) => msg === 'subscribed' && Number(connection) >= 2),
        );
        expect(again['channels']).toEqual(expect.arrayContaining(CHANNELS));
        const { subscribed, unsubscribed } = broadcaster.stats();
        expect(subscribed.toSorted()).toEqual(['alerts', 'events', 'service_status']);
        expect(unsubscribed).toEqual([]);
        await other.publish('brownout:alerts', JSON.stringify({ code: 'SCENARIO' }));
        await until('the last of them works', 2000, () => alerts.includes('SCENARIO') || undefined, 20);
      },
      recovery: () => goesThroughRedis(broadcaster, seen),
    });
  });

  scenario('reconnect-backoff-prevents-connection-storm', async (prove) => {
    const client = createRedisClient({
      address: address(),
      name: 'scenario',
      profile: 'test',
      logger: keptLogger().logger,
      random: () => 0,
    });
    onTestFinished(() => client.disconnect());
    const delaysMs: number[] = [];
    client.on('reconnecting', (delayMs: number) => delaysMs.push(delayMs));
    await prove({
      faults: await system.startFault('pubsub', 'connection_error'),
      behaviour: async () => {
        connectInBackground(client);
        await until('five attempts were made', 10_000, () => delaysMs.length >= 5 || undefined);
        expect(delaysMs.slice(0, 5)).toEqual([100, 200, 400, 800, 1600]);
      },
      hitsOfClient: () => delaysMs.length,
      recovery: () =>
        until('it is connected', 5000, () => client.status === 'ready' || undefined).then(() => {}),
    });
  });

  scenario('subscribe-to-invalid-channel-fails-gracefully', async (prove) => {
    const { broadcaster, viewer, seen } = await broadcasterOn();
    const { subscription, received, records } = subscriptionTo(['scenario:open', 'scenario:forbidden']);
    const other = await directRedis(system);
    const ask = (channel: string) =>
      viewer.timeout(5000).emitWithAck('subscribe', { channel: channel as 'events' });
    await prove({
      faults: await system.startFault('pubsub', 'subscription_failure', { params: { channel: 'forbidden' } }),
      behaviour: async () => {
        await expect(ask('nonsense')).resolves.toMatchObject({ ok: false, error: { code: 'INVALID_INPUT' } });
        await expect(ask('events')).resolves.toMatchObject({ ok: true });
        subscription.start();
        await until('the failure of it alone is told', 5000, () =>
          records.some(
            ({ msg, failed }) =>
              msg === 'channels not subscribed, trying again' &&
              Object.keys(failed as object).join() === 'scenario:forbidden',
          ),
        );
        await other.publish('scenario:open', 'heard');
        await until('the other channel works', 2000, () => received.includes('heard') || undefined, 20);
      },
      recovery: async () => {
        await until('all are subscribed to', 5000, () => subscription.missing.length === 0 || undefined);
        await goesThroughRedis(broadcaster, seen);
      },
    });
  });

  scenario('partial-subscription-failure-logs-affected-channels', async (prove) => {
    const { broadcaster, logged, seen } = await broadcasterOn();
    const refused = await system.startFault('pubsub', 'subscription_failure', {
      params: { channel: 'alerts' },
    });
    await prove({
      faults: [refused, await disconnectOnce()],
      behaviour: async () => {
        const record = await logged('channels not subscribed, trying again');
        expect(record).toMatchObject({ level: 40, attempt: 1, delayMs: 100 });
        expect(record['failed']).toEqual({ 'brownout:alerts': expect.stringContaining('NOPERM') });
        const { subscribed, unsubscribed } = broadcaster.stats();
        expect({ subscribed, unsubscribed }).toEqual({
          subscribed: ['events', 'service_status'],
          unsubscribed: ['alerts'],
        });
        await until('the check of the pipeline names it', 10_000, async () => {
          const { error } = await healthOf(system, 'pubsub');
          return error === 'Not subscribed to brownout:alerts' || undefined;
        });
      },
      recovery: async () => {
        await until(
          'it is subscribed to',
          5000,
          () => broadcaster.stats().unsubscribed.length === 0 || undefined,
        );
        await goesThroughRedis(broadcaster, seen);
      },
    });
  });

  scenario('publish-failure-falls-back-to-direct-websocket', async (prove) => {
    const { broadcaster, logged, seen } = await broadcasterOn();
    const viewer = await viewerOf(system.backendUrl);
    const ways: string[] = [];
    viewer.on('events', ({ data }) => ways.push(data.via));
    await prove({
      faults: await system.startFault('pubsub', 'publish_failure'),
      behaviour: async () => {
        const sent = event();
        await broadcaster.publish(sent, 'created');
        expect(await logged('publish failed: sent directly to the viewers')).toMatchObject({
          level: 40,
          eventId: sent.id,
          critical: false,
        });
        await until('the viewer has it', 2000, () => of(seen, sent).length > 0 || undefined, 20);
        expect(of(seen, sent)).toEqual(['direct']);
        await until(
          'a viewer of the backend gets one directly',
          10_000,
          () => ways.includes('direct') || undefined,
        );
      },
      recovery: async () => {
        await goesThroughRedis(broadcaster, seen);
        await until('the backend goes through Redis', 15_000, () => ways.at(-1) === 'redis' || undefined);
      },
    });
  });

  scenario('publish-retry-with-exponential-backoff', async (prove) => {
    const { broadcaster, records, seen } = await broadcasterOn({ thresholds: PATIENT });
    await prove({
      faults: await system.startFault('pubsub', 'publish_failure'),
      behaviour: async () => {
        const sent = event();
        await broadcaster.publish(sent, 'created');
        await until('it has failed', 5000, () => broadcaster.stats().failed === 1 || undefined, 20);
        const retries = records.filter(({ msg }) => /^publish .*, trying again$/.test(String(msg)));
        expect(retries.map(({ eventId, attempt, delayMs }) => [eventId, attempt, delayMs])).toEqual([
          [sent.id, 1, 100],
          [sent.id, 2, 200],
        ]);
        expect(broadcaster.stats()).toMatchObject({ retried: 2, failed: 1 });
      },
      recovery: async () => {
        await goesThroughRedis(broadcaster, seen);
        expect(broadcaster.stats().failed).toBe(1);
      },
    });
  });

  scenario('publish-timeout-logged-and-retried', async (prove) => {
    const { broadcaster, logged, seen } = await broadcasterOn({ thresholds: PATIENT });
    await prove({
      // Closed long after the client has given up, which must not be overtaken on a busy machine.
      faults: await system.startFault('pubsub', 'publish_timeout', { params: { delayMs: 1500 } }),
      behaviour: async () => {
        const sent = event();
        await broadcaster.publish(sent, 'created');
        expect(await logged('publish timed out, trying again')).toMatchObject({
          eventId: sent.id,
          attempt: 1,
          delayMs: 100,
        });
        expect(broadcaster.stats().retried).toBeGreaterThan(0);
        await until('the viewer has it', 2000, () => of(seen, sent).length > 0 || undefined, 20);
        expect(of(seen, sent)).toEqual(['direct']);
      },
      recovery: () => goesThroughRedis(broadcaster, seen),
    });
  });

  scenario('concurrent-subscription-to-same-channel', async (prove) => {
    const channel = `scenario:${randomUUID()}`;
    const five = Array.from({ length: 5 }, () => subscriptionTo([channel]));
    const other = await directRedis(system);
    const reachesAll = async (text: string) => {
      await until(
        'all are subscribed',
        5000,
        () => five.every(({ subscription }) => subscription.isSubscribed(channel)) || undefined,
      );
      expect(await other.publish(channel, text)).toBe(5);
      await until(
        'all have heard',
        3000,
        () => five.every(({ received }) => received.includes(text)) || undefined,
      );
      for (const { received } of five) expect(received.filter((each) => each === text)).toEqual([text]);
    };
    await prove({
      faults: await system.startFault('pubsub', 'latency', { params: { latencyMs: 100 } }),
      behaviour: async () => {
        for (const { subscription } of five) subscription.start();
        await reachesAll('during');
      },
      recovery: () => reachesAll('after'),
    });
  });

  scenario('message-delivered-to-all-subscribers', async (prove) => {
    const { broadcaster, all } = await broadcasterOn({ viewers: 3 });
    const reachesAll = async (via: string) => {
      const sent = event();
      await broadcaster.publish(sent, 'created');
      await until(
        'all viewers have it',
        3000,
        () => all.every((seen) => of(seen, sent).length > 0) || undefined,
        20,
      );
      expect(all.map((seen) => of(seen, sent))).toEqual([[via], [via], [via]]);
    };
    await prove({
      faults: await system.startFault('pubsub', 'publish_failure'),
      behaviour: () => reachesAll('direct'),
      recovery: async () => {
        const [first = []] = all;
        await goesThroughRedis(broadcaster, first);
        await until('one reaches all through Redis', 10_000, () => reachesAll('redis').then(() => true));
      },
    });
  });

  scenario('subscriber-unsubscribe-race-condition', async (prove) => {
    const { broadcaster, viewer, seen } = await broadcasterOn();
    const resumes: boolean[] = [];
    viewer.on('resumed', ({ missed }) => resumes.push(missed));
    const first = event();
    await broadcaster.publish(first, 'created');
    await until('the first has come', 2000, () => of(seen, first).length > 0 || undefined, 20);
    await prove({
      faults: await system.startFault('pubsub', 'intermittent', { ratio: 0.5, seed: 7 }),
      behaviour: async () => {
        const sent = Array.from({ length: 20 }, () => event());
        const sending = (async () => {
          for (const each of sent) await broadcaster.publish(each, 'created');
        })();
        let done = false;
        const ended = sending.then(() => {
          done = true;
        });
        while (!done) {
          await viewer.timeout(5000).emitWithAck('unsubscribe', { channel: 'events' });
          await until(
            'something was published meanwhile',
            3000,
            () => done || sent.some(known) || undefined,
            20,
          );
          await viewer.timeout(5000).emitWithAck('subscribe', { channel: 'events', lastSeq: newest() });
        }
        await ended;
        await until(
          'all have come',
          5000,
          () => sent.every((each) => of(seen, each).length > 0) || undefined,
          20,
        );
        for (const each of sent) expect(of(seen, each)).toHaveLength(1);
        const numbers = seen.map(({ seq }) => seq);
        expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
        expect(resumes.length).toBeGreaterThan(0);
        expect(resumes).not.toContain(true);
      },
      recovery: () => goesThroughRedis(broadcaster, seen),
    });

    /** Newest number that the viewer has. */
    function newest(): number {
      return seen.at(-1)?.seq ?? 0;
    }

    /** Published, and not come to the viewer, which is unsubscribed. */
    function known({ id }: { id: string }): boolean {
      const published = broadcaster.recentEvents(100).some((each) => each.id === id);
      return published && !seen.some((each) => each.id === id);
    }
  });
});

/** One of the pipeline's subscriptions, not started yet, with what it hears and logs. */
function subscriptionTo(channels: readonly string[]) {
  const { logger, records } = keptLogger();
  const received: string[] = [];
  const subscription = new ChannelSubscription({
    address: address(),
    profile: 'test',
    logger,
    clock: systemClock,
    random: () => 0,
    channels,
    onMessage: (_channel, text) => received.push(text),
    onComplete: () => {},
  });
  onTestFinished(() => subscription.close());
  return { subscription, received, records };
}
