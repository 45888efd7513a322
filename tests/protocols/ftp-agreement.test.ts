import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom, type Random } from '#lib/chaos/random.ts';
import { cameraName, loadCredentials } from '#server/pipeline/intake/credentials.ts';
import { type Bench, makeBench } from '#server/pipeline/intake/intake-fixture.ts';
import { type ProxyHarness, startProxyHarness } from '#tests/support/proxy-harness.ts';
import { until } from '#tests/support/until.ts';
import { RawFtp } from './raw-ftp.ts';

const SEED = 20_260_410;
const UPLOADS = 40;
const CAMERAS = 5;
const RATIO = 0.3;
/** A client gives up on a reply after so long where connections may be held, which say nothing. */
const PATIENCE_MS = 1500;
/** And where none is: a busy machine must not leave it without what became of its upload. */
const LONG_PATIENCE_MS = 10_000;

interface Trial {
  readonly service: 'ftp' | 'network';
  readonly type: string;
  readonly params?: Record<string, unknown>;
  /** Armed and ended in turns, ms each: it is drawn once for each connection. */
  readonly turnsMs?: number;
  /** Control connections may be lost, so that the outcome of an upload may be unknown. */
  readonly loses?: true;
}

const TRIALS: readonly Trial[] = [
  { service: 'ftp', type: 'server_error' },
  { service: 'ftp', type: 'intermittent' },
  { service: 'ftp', type: 'latency', params: { latencyMs: 5 } },
  { service: 'ftp', type: 'timeout', params: { channel: 'data', delayMs: 100 } },
  { service: 'ftp', type: 'timeout', params: { channel: 'control', delayMs: 100 }, loses: true },
  { service: 'ftp', type: 'connection_error', turnsMs: 60, loses: true },
  { service: 'ftp', type: 'unavailable', turnsMs: 60, loses: true },
  { service: 'network', type: 'server_error' },
  { service: 'network', type: 'intermittent' },
  { service: 'network', type: 'packet_loss', loses: true },
  { service: 'network', type: 'partition', turnsMs: 200, loses: true },
  { service: 'network', type: 'flapping', params: { offMs: 100, onMs: 150 }, loses: true },
  { service: 'network', type: 'bandwidth', params: { rateKibPerSecond: 256 } },
  { service: 'network', type: 'slow_close', params: { delayMs: 30 } },
];

/** What the camera was told about one upload. */
interface Told {
  readonly name: string;
  readonly bytes: Buffer;
  readonly camera: string;
  /** stored: 226 for a part that waits for its rename; accepted: 226 or 250 with an id. */
  readonly outcome: 'stored' | 'accepted' | 'refused' | 'unknown';
  readonly id?: string;
}

let bench: Bench;
let harness: ProxyHarness;
let port: number;
let passwords: Readonly<Record<string, string>>;
let names = 0;
let patienceMs = PATIENCE_MS;

beforeAll(async () => {
  bench = await makeBench({ uploadTimeoutMs: 3000 });
  passwords = await loadCredentials(bench.dataDir);
  harness = startProxyHarness();
  port = (await harness.open('ftp', { host: '127.0.0.1', port: bench.intake.ftpPort })).port;
}, 60_000);
afterAll(async () => {
  await harness?.close();
  await bench?.close();
});

/** A camera's connection; undefined when it was refused or lost on the way. */
async function login(camera: string): Promise<RawFtp | undefined> {
  const ftp = new RawFtp(port);
  try {
    for (const [line, code] of [
      ['', '220'],
      [`USER ${camera}`, '331'],
      [`PASS ${passwords[camera]}`, '230'],
    ] as const) {
      const reply = line === '' ? await ftp.reply(patienceMs) : await ftp.command(line, patienceMs);
      if (!reply.startsWith(code)) {
        if (reply !== '' && !reply.startsWith('421')) throw new Error(`${line} was answered ${reply}`);
        ftp.end();
        return undefined;
      }
    }
    return ftp;
  } catch (error) {
    ftp.end();
    if (/No reply/.test((error as Error).message)) return undefined;
    throw error;
  }
}

/** A command whose reply must be one of `codes`, or none because the connection is gone. */
async function ask(ftp: RawFtp, line: string, ...codes: string[]): Promise<string> {
  const reply = await ftp.command(line, patienceMs).catch(() => '');
  if (reply === '') ftp.end();
  else if (!codes.includes(reply.slice(0, 3))) throw new Error(`"${line}" was answered "${reply.trim()}"`);
  return reply;
}

async function upload(ftp: RawFtp, camera: string, random: Random): Promise<Told> {
  const renames = random() < 0.6;
  const name = `told-${++names}.jpg`;
  const bytes = Buffer.alloc(500 + Math.floor(random() * 60_000), `${name} `);
  const told = { name: renames ? `${name}.part` : name, bytes, camera };
  const passive = await ask(ftp, random() < 0.5 ? 'PASV' : 'EPSV', '227', '229');
  const data = passive === '' ? undefined : await ftp.openData(passive);
  if (!data) {
    ftp.end();
    return { ...told, outcome: 'refused' }; // not a byte was sent
  }
  data.resume();
  const begun = await ask(ftp, `STOR ${told.name}`, '150', '451', '426', '425');
  if (!begun.startsWith('150')) {
    data.destroy();
    return { ...told, outcome: begun === '' ? 'unknown' : 'refused' };
  }
  for (let at = 0; at < bytes.length; at += 16_384) data.write(bytes.subarray(at, at + 16_384));
  data.end();
  const ended = await ftp.reply(patienceMs).catch(() => '');
  data.destroy();
  if (ended === '') {
    ftp.end();
    return { ...told, outcome: 'unknown' };
  }
  if (!ended.startsWith('226')) {
    expect(ended).toMatch(/^(426|550)/);
    return { ...told, outcome: 'refused' };
  }
  if (!renames) return accepted(told, ended);
  const begin = await ask(ftp, `RNFR ${told.name}`, '350');
  if (begin === '') return { ...told, outcome: 'stored' };
  const renamed = await ask(ftp, `RNTO ${name}`, '250');
  return renamed === '' ? { ...told, outcome: 'unknown' } : accepted(told, renamed);
}

function accepted(told: Omit<Told, 'outcome'>, reply: string): Told {
  const id = /Accepted as ([0-9A-Z]{26})/.exec(reply)?.[1];
  if (!id) throw new Error(`No id in "${reply.trim()}"`);
  return { ...told, outcome: 'accepted', id };
}

/** Commands that no fault answers: each must get its own reply, in order. */
async function inOrder(ftp: RawFtp): Promise<void> {
  await ftp.send(Buffer.from('PWD\r\nXYZZY\r\nTYPE I\r\nSYST\r\n'));
  for (const code of ['257', '502', '200', '215']) {
    const reply = await ftp.reply(patienceMs).catch(() => '');
    if (reply === '') return ftp.end();
    expect(reply.slice(0, 3)).toBe(code);
  }
}

async function runUploads(seed: number): Promise<Told[]> {
  const all: Told[] = [];
  let next = 0;
  await Promise.all(
    Array.from({ length: CAMERAS }, async (_, index) => {
      const camera = cameraName(index);
      let ftp: RawFtp | undefined;
      for (let n = next++; n < UPLOADS; n = next++) {
        while (!ftp || ftp.closed) {
          ftp = await login(camera);
          if (!ftp) await new Promise((resolve) => setTimeout(resolve, 10)); // refused
        }
        try {
          all.push(await upload(ftp, camera, createRandom(seed + n)));
          if (!ftp.closed) await inOrder(ftp);
        } catch (error) {
          next = UPLOADS;
          throw new Error(`Seed ${seed}, upload ${n}: ${(error as Error).message}`, { cause: error });
        }
      }
      ftp?.end();
    }),
  );
  return all;
}

/** Arms and ends the fault in turns until `over`. */
async function inTurns(
  { service, type, params = {} }: Trial,
  turnMs: number,
  over: () => boolean,
): Promise<void> {
  for (let turn = 0; !over(); turn++) {
    const id = await harness.arm(service, type, { ratio: RATIO, params, seed: turn });
    await new Promise((resolve) => setTimeout(resolve, turnMs));
    await harness.end(id);
    await new Promise((resolve) => setTimeout(resolve, turnMs));
  }
}

describe('what a camera was told is what lies on the disk under', () => {
  it.each(TRIALS.map((trial, index) => [`${trial.service} ${trial.type}`, trial, index] as const))(
    '%s',
    async (_name, trial, index) => {
      const { service, type, params = {}, turnsMs } = trial;
      patienceMs = trial.loses ? PATIENCE_MS : LONG_PATIENCE_MS;
      let hits = 0;
      const count = ({ activity }: { activity: { hits: number } }) => {
        hits += activity.hits;
      };
      harness.injector.on('ended', count);
      let all: Told[];
      if (turnsMs === undefined) {
        await harness.arm(service, type, { ratio: RATIO, params, seed: index });
        all = await runUploads(SEED + index * UPLOADS);
      } else {
        let over = false;
        const turns = inTurns(trial, turnsMs, () => over);
        all = await runUploads(SEED + index * UPLOADS).finally(() => {
          over = true;
        });
        await turns;
      }
      await harness.endAll();
      harness.injector.off('ended', count);

      expect(hits).toBeGreaterThan(0);
      expect(all.filter(({ outcome }) => outcome === 'accepted').length).toBeGreaterThan(3);
      if (!trial.loses) expect(all.filter(({ outcome }) => outcome === 'unknown')).toEqual([]);
      for (const told of all) {
        await until(`what became of ${told.name} (${told.outcome})`, 10_000, async () => agrees(told), 20);
      }
      const ids = await bench.intake.acceptedIds();
      const known = all.flatMap(({ id }) => id ?? []);
      expect(known.filter((id) => !ids.has(id))).toEqual([]);
    },
    60_000,
  );
});

/**
 * Whether the disk holds this upload as its camera was told; of one unknown it may hold all or nothing. An accepted
 * file that is no picture goes on to quarantine; so does a part whose camera has gone before it was renamed.
 */
async function agrees({ name, camera, bytes, outcome, id }: Told): Promise<boolean> {
  const incoming = await readdir(join(bench.dataDir, 'incoming'));
  const part = incoming.find((file) => file.endsWith(`~${camera}~${name}`));
  if (outcome === 'accepted') {
    const read = (folder: string) => readFile(join(bench.dataDir, folder, `${id}.jpg`));
    const stored = await read('inbox').catch(() => read('quarantine'));
    return stored.equals(bytes) && part === undefined;
  }
  if (part === undefined) return true;
  return outcome !== 'refused' && (await readFile(join(bench.dataDir, 'incoming', part))).equals(bytes);
}
