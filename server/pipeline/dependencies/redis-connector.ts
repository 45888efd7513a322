import { connect, type LookupFunction, type Socket } from 'node:net';
import { AbstractConnector, type RedisOptions } from 'ioredis';
import type { DependencyAddress } from '#server/dependency-addresses.ts';

type Connector = NonNullable<RedisOptions['Connector']>;

/** Where an ioredis client connects; with a connector of its own when the name is resolved in a way of its own. */
export function redisAddressOptions({ host, port, lookup }: DependencyAddress): {
  host: string;
  port: number;
  Connector?: Connector;
} {
  return { host, port, ...(lookup ? { Connector: connectorBy({ host, port, lookup }) } : {}) };
}

/** ioredis passes no `lookup` to its sockets; apart from that this is its own way to connect. */
function connectorBy(address: { host: string; port: number; lookup: LookupFunction }): Connector {
  return class NamedConnector extends AbstractConnector {
    constructor(options: unknown) {
      super((options as { disconnectTimeout: number }).disconnectTimeout);
    }

    connect(): Promise<Socket> {
      this.connecting = true;
      return new Promise((resolve, reject) => {
        process.nextTick(() => {
          if (!this.connecting) {
            reject(new Error('Connection is closed.'));
            return;
          }
          const stream = connect(address);
          stream.once('error', (error) => {
            this.firstError = error;
          });
          this.stream = stream;
          resolve(stream);
        });
      });
    }
  };
}
