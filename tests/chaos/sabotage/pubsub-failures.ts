import type { SabotagesOf } from './sabotage.ts';

const BROADCASTER = 'server/pipeline/viewers/broadcaster.ts';
const SUBSCRIPTION = 'server/pipeline/viewers/channel-subscription.ts';
const AUDIENCE = 'server/pipeline/viewers/audience.ts';

export const sabotage: SabotagesOf<'pubsub-failures'> = {
  'disconnect-during-broadcast-retries': {
    breaks: 'publishing is tried once',
    file: BROADCASTER,
    find: '  attempts: 3,',
    replace: '  attempts: 1,',
  },
  'disconnect-logs-warning-and-reconnects': {
    breaks: 'a lost subscription is not told',
    file: SUBSCRIPTION,
    find: "this.#options.logger.warn({ channels: [...this.#subscribed] }, 'subscriber disconnected, reconnecting');",
    replace: '',
  },
  'multiple-broadcast-failures-trigger-circuit-breaker': {
    breaks: 'publishing goes past the breaker',
    file: BROADCASTER,
    find: 'return breaker.execute(() =>',
    replace: 'return (async (call: () => Promise<number>) => (breaker ? call() : 0))(() =>',
  },
  'message-loss-detected-via-subscriber-count': {
    breaks: 'a publish that nobody heard counts as heard',
    file: BROADCASTER,
    find: 'if (heard > 0) {',
    replace: 'if (heard >= 0) {',
  },
  'message-loss-during-subscriber-reconnect': {
    breaks: 'a channel that was refused is not tried again',
    file: SUBSCRIPTION,
    find: 'this.#retry = clock.after(delayMs, () => void this.#subscribe(connection, attempt + 1));',
    replace: '',
  },
  'critical-messages-persisted-when-pubsub-fails': {
    breaks: 'critical events are not kept',
    file: BROADCASTER,
    find: 'this.#kept.keep(message);',
    replace: '',
  },
  'subscriber-reconnects-after-disconnect': {
    breaks: 'a lost connection is not made again',
    file: 'server/pipeline/viewers/redis-client.ts',
    find: 'retryStrategy: (attempt) => Math.round(backoffMs(attempt, REDIS_BACKOFF, random)),',
    replace: 'retryStrategy: () => null,',
  },
  'resubscribe-to-all-channels-after-reconnect': {
    breaks: 'only the first channel is subscribed to again',
    file: SUBSCRIPTION,
    find: 'const wanted = this.missing;',
    replace: 'const wanted = connection > 1 ? this.missing.slice(0, 1) : this.missing;',
  },
  'reconnect-backoff-prevents-connection-storm': {
    breaks: 'waits do not grow',
    file: 'lib/chaos/retry/backoff.ts',
    find: 'baseMs * factor ** Math.max(0, attempt - 1)',
    replace: 'baseMs * factor ** Math.min(0, attempt - 1)',
  },
  'subscribe-to-invalid-channel-fails-gracefully': {
    breaks: 'rubbish gets no answer',
    file: AUDIENCE,
    find: 'else reply({ ok: false, error: invalidInput(parsed.error, request).toProblem() });',
    replace: '',
  },
  'partial-subscription-failure-logs-affected-channels': {
    breaks: 'channels that failed are not named',
    file: SUBSCRIPTION,
    find: "if (result?.status === 'rejected') failed[channel] = String(result.reason);",
    replace: "if (result?.status === 'rejected') failed['a channel'] = String(result.reason);",
  },
  'publish-failure-falls-back-to-direct-websocket': {
    breaks: 'what Redis does not take reaches nobody',
    file: BROADCASTER,
    find: "if (this.#audience.deliver({ ...message, via: 'direct' })) this.#counts.direct++;",
    replace: 'if (message.event.id) this.#counts.direct++;',
  },
  'publish-retry-with-exponential-backoff': {
    breaks: 'publishing is tried again at once',
    file: BROADCASTER,
    find: '  baseMs: 100,',
    replace: '  baseMs: 1,',
  },
  'publish-timeout-logged-and-retried': {
    breaks: 'a time-out is not told from a refusal',
    file: BROADCASTER,
    find: "const text = isRedisTimeout(error) ? 'publish timed out' : 'publish failed';",
    replace: "const text = 'publish failed';",
  },
  'concurrent-subscription-to-same-channel': {
    breaks: 'a subscription that was granted is not noted',
    file: SUBSCRIPTION,
    find: 'else this.#subscribed.add(channel);',
    replace: '',
  },
  'message-delivered-to-all-subscribers': {
    breaks: 'only the first viewer gets an event',
    file: AUDIENCE,
    find: "this.#io?.to('events').emit('events', message);",
    replace: "this.#io?.of('/').sockets.values().next().value?.emit('events', message);",
  },
  'subscriber-unsubscribe-race-condition': {
    breaks: 'a viewer that comes back does not get what it missed',
    file: AUDIENCE,
    find: "for (const message of this.#events.after(lastSeq).messages) socket.emit('events', message);",
    replace: '',
  },
};
