import type { Clock } from '../clock.ts';
import { systemClock } from '../clock.ts';
import type { ProxiedService } from '../faults/fault.ts';
import type { FaultInjector } from '../faults/injector.ts';
import { FtpSession } from './ftp/ftp-session.ts';
import { HttpSession } from './http/http-session.ts';
import { PostgresSession } from './postgres/postgres-session.ts';
import { isPublish } from './redis/commands.ts';
import { RedisSession } from './redis/redis-session.ts';
import type { AnswerRule } from './service-faults.ts';
import { ServiceProxy } from './service-proxy.ts';
import type { SessionFactory } from './session.ts';

export type ProxyProtocol = 'http' | 'redis' | 'postgres' | 'ftp';

export const PROTOCOL_OF: Readonly<Record<ProxiedService, ProxyProtocol>> = {
  yolo26: 'http',
  nemotron: 'http',
  redis: 'redis',
  pubsub: 'redis',
  database: 'postgres',
  ftp: 'ftp',
};

/** Faults of `pubsub` answer publishing only; those of Redis and of the network answer every command. */
const publishOnly: AnswerRule = (source, call) => source !== 'pubsub' || isPublish(call.command);

export interface CreateProxyOptions {
  service: ProxiedService;
  /** Port 0 picks a free one. */
  listen: { host: string; port: number };
  upstream: { host: string; port: number };
  injector: FaultInjector;
  /** @default systemClock */
  clock?: Clock;
}

/** The fault proxy of a service, with the protocol that the service speaks. It is not open before `start()`. */
export function createProxy(options: CreateProxyOptions): ServiceProxy {
  const clock = options.clock ?? systemClock;
  const sessions: Record<ProxyProtocol, SessionFactory> = {
    http: (link) => new HttpSession(link),
    redis: (link) => new RedisSession(link),
    postgres: (link) => new PostgresSession(link),
    ftp: (link) => new FtpSession(link, clock),
  };
  return new ServiceProxy({
    ...options,
    clock,
    createSession: sessions[PROTOCOL_OF[options.service]],
    ...(options.service === 'pubsub' ? { answers: publishOnly } : {}),
  });
}
