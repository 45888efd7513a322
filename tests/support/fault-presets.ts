import type { Fault } from '#lib/protocol/faults.ts';
import type { System } from './system.ts';

/**
 * The seed's fixtures. Each starts the preset of its name (`lib/chaos/faults/presets.ts`) as the console's button does.
 * It is ended by `prove`, or by `stopFault`.
 */
async function all(system: System, name: string): Promise<Fault[]> {
  for (let tries = 1; ; tries++) {
    const { status, body } = await system.api<{ faults: Fault[]; code?: string }>(
      'POST',
      `/presets/${name}`,
      { ttlMs: 120_000 },
    );
    if (status === 201) return body.faults;
    if (body.code === 'INJECTOR_UNAVAILABLE' && tries < 5) continue; // as `startFault` does
    throw new Error(`preset ${name} was refused: ${status} ${JSON.stringify(body)}`);
  }
}

async function one(system: System, name: string): Promise<Fault> {
  const [fault, ...more] = await all(system, name);
  if (!fault || more.length > 0) throw new Error(`preset ${name} is not one fault`);
  return fault;
}

async function two(system: System, name: string): Promise<[Fault, Fault]> {
  const [first, second, ...more] = await all(system, name);
  if (!first || !second || more.length > 0) throw new Error(`preset ${name} is not two faults`);
  return [first, second];
}

export const yolo26Timeout = (system: System) => one(system, 'yolo26_timeout');
export const yolo26ConnectionError = (system: System) => one(system, 'yolo26_connection_error');
export const yolo26ServerError = (system: System) => one(system, 'yolo26_server_error');
export const yolo26Intermittent = (system: System) => one(system, 'yolo26_intermittent');

export const redisUnavailable = (system: System) => one(system, 'redis_unavailable');
export const redisTimeout = (system: System) => one(system, 'redis_timeout');
export const redisIntermittent = (system: System) => one(system, 'redis_intermittent');

export const databaseUnavailable = (system: System) => one(system, 'database_unavailable');
export const databaseSlow = (system: System) => one(system, 'database_slow');
export const databaseIntermittent = (system: System) => one(system, 'database_intermittent');

export const nemotronTimeout = (system: System) => one(system, 'nemotron_timeout');
export const nemotronUnavailable = (system: System) => one(system, 'nemotron_unavailable');
export const nemotronMalformedResponse = (system: System) => one(system, 'nemotron_malformed_response');

export const highLatency = (system: System) => one(system, 'high_latency');
export const packetLoss = (system: System) => one(system, 'packet_loss');

export const allAiServicesDown = (system: System) => two(system, 'all_ai_services_down');
export const cacheAndAiDown = (system: System) => two(system, 'cache_and_ai_down');
