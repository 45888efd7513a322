import { connect } from 'node:net';
import { Client } from 'pg';
import { z } from 'zod';
import type { DependencyAddress } from '#server/dependency-addresses.ts';
import { streamBy } from '../database/named-stream.ts';
import { type HttpAnswer, HttpStatusError, httpCall } from './http-call.ts';

/** Asks a service for `GET /health`. @throws when it does not answer 200 */
export async function checkHttp(service: DependencyAddress, timeoutMs: number): Promise<HttpAnswer> {
  const answer = await httpCall({
    ...service,
    method: 'GET',
    path: '/health',
    connectMs: timeoutMs,
    timeoutMs,
  });
  if (answer.status >= 400) throw new HttpStatusError('GET /health', answer);
  return answer;
}

const healthSchema = z.object({
  gpu: z
    .object({
      available: z.boolean(),
      paused: z.boolean(),
      device: z.string(),
      throttled: z.array(z.string()),
    })
    .partial(),
});

/**
 * Reads the GPU's state from the /health of whatever service on it answers, whatever its status.
 * @throws when the card is not available, paused or replaced by the CPU, or when nobody on it answers
 */
export async function checkGpu(services: readonly DependencyAddress[], timeoutMs: number): Promise<void> {
  const answer = await Promise.any(
    services.map((service) =>
      httpCall({ ...service, method: 'GET', path: '/health', connectMs: timeoutMs, timeoutMs }),
    ),
  ).catch((error: AggregateError) => {
    throw error.errors[0] ?? error;
  });
  const health = healthSchema.safeParse(parse(answer.body));
  if (!health.success) {
    if (answer.status >= 400) throw new HttpStatusError('GET /health', answer);
    return; // a server that tells nothing of its card
  }
  const { available, paused, device } = health.data.gpu;
  if (available === false) throw new Error('The GPU is not available');
  if (device === 'cpu') throw new Error('No GPU: inference runs on the CPU');
  if (paused === true) throw new Error('Inference is paused: the GPU is too hot');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Greets an FTP server: its banner, then NOOP. @throws {Error} with the reply, when that is not positive */
export function checkFtp({ host, port, lookup }: DependencyAddress, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, signal, ...(lookup ? { lookup } : {}) });
    let text = '';
    let greeted = false;
    socket.setEncoding('utf8');
    const fail = (error: Error) => {
      socket.destroy();
      reject(error);
    };
    socket.on('error', fail);
    socket.on('close', () => fail(new Error('FTP: connection closed')));
    socket.on('data', (chunk: string) => {
      text += chunk;
      for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n')) {
        const line = text.slice(0, end).trim();
        text = text.slice(end + 1);
        if (!/^\d{3} /.test(line)) continue; // a further line of a longer reply
        if (!line.startsWith('2')) return fail(new Error(`FTP answered ${line}`));
        if (greeted) {
          socket.end('QUIT\r\n');
          socket.removeAllListeners('close');
          resolve();
          return;
        }
        greeted = true;
        socket.write('NOOP\r\n');
      }
    });
  });
}

export interface DatabaseProbeOptions extends DependencyAddress {
  user: string;
  password: string;
  database: string;
  timeoutMs: number;
}

/** One connection beside the pool, so that a full pool is not taken for a database that is down. */
export class DatabaseProbe {
  readonly #options: DatabaseProbeOptions;
  #client: Client | undefined;

  constructor(options: DatabaseProbeOptions) {
    this.#options = options;
  }

  /** @throws when the database does not answer in time */
  async check(): Promise<void> {
    const client = this.#client ?? (await this.#connect());
    try {
      await client.query('SELECT 1');
      this.#client = client;
    } catch (error) {
      this.#drop(client);
      throw error;
    }
  }

  close(): void {
    if (this.#client) this.#drop(this.#client);
  }

  async #connect(): Promise<Client> {
    const { timeoutMs, lookup, ...address } = this.#options;
    const client = new Client({
      ...address,
      ...streamBy(lookup),
      connectionTimeoutMillis: timeoutMs,
      query_timeout: timeoutMs,
      application_name: 'brownout-probe',
    });
    client.on('error', () => this.#drop(client));
    try {
      await client.connect();
      return client;
    } catch (error) {
      this.#drop(client);
      throw error;
    }
  }

  #drop(client: Client): void {
    if (this.#client === client) this.#client = undefined;
    client.end().catch(() => {}); // it is broken already
  }
}
