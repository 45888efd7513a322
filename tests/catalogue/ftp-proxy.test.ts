/** Faults of the control and data channel: the real cameras' uploader, a real fault proxy, the real intake. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { FTPError } from 'basic-ftp';
import { readFaultMark } from '#lib/chaos/faults/fault.ts';
import type { ServiceProxy } from '#lib/chaos/proxy/service-proxy.ts';
import { FtpUploader } from '#server/cameras/ftp-uploader.ts';
import {
  CAMERA,
  type Bench as IntakeBench,
  makeBench,
  makeFrame,
  PlainFtp,
} from '#server/pipeline/intake/intake-fixture.ts';
import { BareConnection, isRefused } from '#tests/support/bare-connection.ts';
import { startProxyHarness } from '#tests/support/proxy-harness.ts';
import { type FaultBench, proveFault } from './prove-fault.ts';

interface FtpBench extends FaultBench {
  readonly intake: IntakeBench;
  readonly proxy: ServiceProxy;
  readonly standing: BareConnection;
  /** Uploads a frame of its own as a camera does, on a connection that it keeps; gives its id or what went wrong. */
  upload(): Promise<Upload>;
  /** A control connection, logged in. */
  login(): Promise<PlainFtp>;
}

interface Upload {
  readonly name: string;
  readonly sizeBytes: number;
  readonly id: string | null;
  /** The FTP reply that refused it, or the error of the connection. */
  readonly error: Error | undefined;
  readonly tookMs: number;
}

async function open(): Promise<FtpBench> {
  const intake = await makeBench();
  const harness = startProxyHarness();
  const proxy = await harness.open('ftp', { host: '127.0.0.1', port: intake.intake.ftpPort });
  const standing = new BareConnection(proxy.port);
  await standing.ask('NOOP\r\n');
  const frame = await makeFrame();
  const account = { user: CAMERA, password: intake.password };
  const uploader = new FtpUploader({ host: '127.0.0.1', port: proxy.port, ...account, timeoutMs: 8000 });
  const clients: PlainFtp[] = [];
  let count = 0;
  return {
    injector: harness.injector,
    intake,
    proxy,
    standing,
    async upload() {
      const name = `frame-${++count}.jpg`;
      const startedMs = performance.now();
      const about = (id: string | null, error?: Error): Upload => ({
        name,
        sizeBytes: frame.length,
        id,
        error,
        tookMs: performance.now() - startedMs,
      });
      try {
        return about(await uploader.upload(name, frame));
      } catch (error) {
        return about(null, error as Error);
      }
    },
    async login() {
      const client = await PlainFtp.connect(proxy.port);
      clients.push(client);
      await client.command(`USER ${CAMERA}`);
      await client.command(`PASS ${intake.password}`);
      return client;
    },
    async close() {
      for (const client of clients) client.close();
      uploader.close();
      standing.close();
      await harness.close();
      await intake.close();
    },
  };
}

/** A frame gets through, whole, and is on record. */
async function serves({ intake, upload }: FtpBench): Promise<boolean> {
  const { id, sizeBytes } = await upload();
  if (id === null || !(await intake.intake.acceptedIds()).has(id)) return false;
  const path = await intake.intake.locate(id);
  return path !== undefined && (await stat(path)).size === sizeBytes;
}

const HOLD_MS = 300;

/** The reply with which the proxy refused it names the fault. */
const repliedBy = (bench: FtpBench, error: Error | undefined, code: number) =>
  error instanceof FTPError &&
  error.code === code &&
  readFaultMark(error.message) === bench.injector.all()[0]?.id;

proveFault('ftp', 'timeout', open, {
  variant: 'data',
  params: { delayMs: HOLD_MS },
  ttlMs: 2500,
  hitKind: /data|STOR/,
  serves,
  async seesEffect(bench) {
    const { id, name, sizeBytes, tookMs } = await bench.upload();
    if (id !== null || tookMs < HOLD_MS - 5) return false;
    // Neither side took the part for the whole: it went to quarantine.
    const letters = bench.intake.sink.letters;
    await untilTrue(() => letters.some((letter) => letter.name === name));
    const letter = letters.find((each) => each.name === name);
    const arrived = Number(/broke after (\d+) bytes/.exec(letter?.message ?? '')?.[1]);
    return letter?.code === 'INCOMPLETE_UPLOAD' && arrived > 0 && arrived < sizeBytes;
  },
});

proveFault('ftp', 'timeout', open, {
  variant: 'control',
  params: { delayMs: HOLD_MS, channel: 'control' },
  ttlMs: 2500,
  serves,
  async seesEffect(bench) {
    const { id, error, tookMs } = await bench.upload();
    return id === null && !(error instanceof FTPError) && tookMs >= HOLD_MS - 5;
  },
});

proveFault('ftp', 'connection_error', open, {
  serves,
  seesEffect: async ({ proxy, standing }) => (await isRefused(proxy.port)) && standing.end === 'closed',
});

proveFault('ftp', 'unavailable', open, {
  serves,
  seesEffect: async ({ proxy, standing }) => (await isRefused(proxy.port)) && standing.end === 'reset',
});

proveFault('ftp', 'server_error', open, {
  ttlMs: 2000,
  serves,
  async seesEffect(bench) {
    const [stored, connected] = [await bench.upload(), await bench.upload()];
    // The connection that was open is refused its STOR; the new one after it, at once.
    return (
      repliedBy(bench, stored.error, 451) &&
      repliedBy(bench, connected.error, 421) &&
      (await readdir(join(bench.intake.dataDir, 'incoming'))).length === 0 // the server never heard of it
    );
  },
});

proveFault('ftp', 'intermittent', open, {
  ttlMs: 3000,
  hitKind: 'STOR',
  serves,
  async seesEffect(bench) {
    const uploads: Upload[] = [];
    for (let count = 0; count < 8; count++) uploads.push(await bench.upload());
    const refused = uploads.filter(({ error }) => repliedBy(bench, error, 451));
    const accepted = uploads.filter(({ id }) => id !== null);
    return refused.length > 0 && accepted.length > 0 && refused.length + accepted.length === uploads.length;
  },
});

proveFault('ftp', 'latency', open, {
  params: { latencyMs: 200 },
  ttlMs: 3500,
  hitKind: 'PWD',
  serves,
  async seesEffect({ login }) {
    const client = await login();
    for (let count = 0; count < 3; count++) {
      const startedMs = performance.now();
      if (!(await client.command('PWD')).startsWith('257')) return false;
      if (performance.now() - startedMs < 199) return false;
    }
    return true; // each command, so that it is not the machine
  },
});

async function untilTrue(check: () => boolean): Promise<void> {
  for (let tries = 0; tries < 50 && !check(); tries++)
    await new Promise((resolve) => setTimeout(resolve, 10));
}
