import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { readWiring, type Settings, type Wiring, wiringFile } from '../config.ts';
import { findFreePort, isPortFree, isUdpPortFree } from '../embedded/free-port.ts';

const LOOPBACK = '127.0.0.1';

/**
 * Decides where everything is in this run and writes it to `DATA_DIR/wiring.json`.
 *
 * Ports of an earlier run are kept while they are free; the database password is kept, since the cluster knows it.
 * The agents' secret is new at each start.
 */
export async function makeWiring(settings: Settings): Promise<Wiring> {
  const before = readBefore(settings);
  const taken = new Set<number>();
  const choose = async (wanted: number | undefined) => {
    const port =
      wanted && !taken.has(wanted) && (await isPortFree(wanted)) ? wanted : await findFreePort(taken);
    taken.add(port);
    return { host: LOOPBACK, port };
  };
  const database = settings.DATABASE_URL ? new URL(settings.DATABASE_URL) : undefined;
  const redis = settings.REDIS_URL ? new URL(settings.REDIS_URL) : undefined;
  const wiring: Wiring = {
    agentSecret: randomBytes(24).toString('base64url'),
    controlUrl: `http://${reachableHost(settings.HOST)}:${settings.PORT}`,
    direct: {
      yolo26: settings.YOLO26_URL ?? `http://${LOOPBACK}:${settings.YOLO26_PORT}`,
      nemotron: settings.NEMOTRON_URL ?? `http://${LOOPBACK}:${settings.NEMOTRON_PORT}`,
      redis: redis
        ? { host: redis.hostname, port: Number(redis.port || 6379) }
        : await choose(before?.direct.redis.port),
      database: database
        ? { host: database.hostname, port: Number(database.port || 5432) }
        : await choose(before?.direct.database.port),
      ftp: { host: LOOPBACK, port: settings.FTP_PORT },
    },
    proxied: {
      yolo26: await choose(before?.proxied.yolo26.port),
      nemotron: await choose(before?.proxied.nemotron.port),
      redis: await choose(before?.proxied.redis.port),
      pubsub: await choose(before?.proxied.pubsub.port),
      database: await choose(before?.proxied.database.port),
      ftp: await choose(before?.proxied.ftp.port),
    },
    nameServer: { host: LOOPBACK, port: await chooseUdp(before?.nameServer.port) },
    databaseUser: database ? decodeURIComponent(database.username) : 'brownout',
    databasePassword: database
      ? decodeURIComponent(database.password)
      : (before?.databasePassword ?? randomBytes(18).toString('base64url')),
    databaseName: database ? database.pathname.slice(1) : 'brownout',
    redisPassword: redis?.password ? decodeURIComponent(redis.password) : null,
  };
  writeFileSync(wiringFile(settings.DATA_DIR), JSON.stringify(wiring, null, 2), { mode: 0o600 });
  return wiring;
}

async function chooseUdp(wanted: number | undefined): Promise<number> {
  let port = wanted || (await findFreePort());
  while (!(await isUdpPortFree(port))) port = await findFreePort();
  return port;
}

/** An address under which this machine reaches a server that listens on `host`. */
function reachableHost(host: string): string {
  if (host === '0.0.0.0' || host === '::' || host === 'localhost') return LOOPBACK;
  return host.includes(':') ? `[${host}]` : host;
}

function readBefore(settings: Settings): Wiring | undefined {
  const file = wiringFile(settings.DATA_DIR);
  if (!existsSync(file)) return undefined;
  try {
    return readWiring(settings, { BROWNOUT_WIRING: readFileSync(file, 'utf8') });
  } catch {
    return undefined; // of another version: made anew
  }
}
