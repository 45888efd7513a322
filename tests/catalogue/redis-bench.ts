import { Redis } from 'ioredis';
import type { FaultInjector } from '#lib/chaos/faults/injector.ts';
import { BareConnection } from '#tests/support/bare-connection.ts';
import { startProxyHarness } from '#tests/support/proxy-harness.ts';

/** A real Redis behind both of its proxies, with clients on every side. */
export interface RedisBench {
  readonly injector: FaultInjector;
  /** Port of the proxy of the service under test, and of the other one in front of the same Redis. */
  readonly port: number;
  readonly otherPort: number;
  /** A client through the proxy that connects again by itself. */
  readonly client: Redis;
  /** A client past the proxies. */
  readonly direct: Redis;
  /** A bare connection through the proxy, made before the fault and known to work. */
  readonly open: BareConnection;
  /** A name that nobody has used: of a key, a channel, a queue. */
  name(): string;
  dial(): BareConnection;
  /** A client that connects again by itself. @param to the port; through the proxy when none is given */
  connect(to?: number): Redis;
  close(): Promise<void>;
}

let names = 0;

/** Opens it before a Redis that others may use at the same time. */
export async function openRedisBench(
  server: { host: string; port: number },
  service: 'redis' | 'pubsub',
): Promise<RedisBench> {
  const harness = startProxyHarness();
  const proxies = {
    redis: await harness.open('redis', server),
    pubsub: await harness.open('pubsub', server),
  };
  const { port } = proxies[service];
  const clients: Redis[] = [];
  const connections: BareConnection[] = [];
  const connect = (to = port) => {
    const client = new Redis({
      host: '127.0.0.1',
      port: to,
      commandTimeout: 5000,
      maxRetriesPerRequest: 0,
      autoResendUnfulfilledCommands: false,
      retryStrategy: () => 50,
    });
    client.on('error', () => {});
    clients.push(client);
    return client;
  };
  const dial = () => {
    const connection = new BareConnection(port);
    connections.push(connection);
    return connection;
  };
  const open = dial();
  await open.ask('PING\r\n');
  return {
    injector: harness.injector,
    port,
    otherPort: proxies[service === 'redis' ? 'pubsub' : 'redis'].port,
    client: connect(),
    direct: connect(server.port),
    open,
    name: () => `${service}-${++names}`,
    dial,
    connect,
    async close() {
      for (const client of clients) client.disconnect();
      for (const connection of connections) connection.close();
      await harness.close();
    },
  };
}
