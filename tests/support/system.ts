import { type ChildProcess, fork } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from 'pg';
import type { Fact } from '#lib/protocol/facts.ts';
import type { Fault, FaultReceipt, HaltReceipt } from '#lib/protocol/faults.ts';
import type { ProcessStatus, State } from '#lib/protocol/state.ts';
import { type Environment, readSettings, readWiring, type Wiring } from '#server/config.ts';
import { findFreePort } from '#server/embedded/free-port.ts';
import { endChild } from './spawned.ts';
import { until } from './until.ts';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const FRAMES = join(ROOT, 'tests', 'fixtures', 'camera-frames');
/** The supervisor ends what it has started one after the other, each within 6 s. */
const STOP_MS = 30_000;

/** One line of the cameras' log: the outside witness of what the server accepted. */
export interface AcceptedUpload {
  name: string;
  uploadId: string | null;
  camera: string;
  sequence: number;
  capturedAt: number;
  acceptedAt: number;
  sizeBytes: number;
  sha256: string;
}

/** The whole system, started as `npm start` does, on ports and in a folder of its own. */
export class System {
  readonly dataDir: string;
  readonly url: string;
  readonly backendUrl: string;
  readonly wiring: Wiring;
  readonly #child: ChildProcess;
  readonly #output: () => string;
  readonly #environment: Environment;

  constructor(parts: {
    dataDir: string;
    child: ChildProcess;
    output: () => string;
    environment: Environment;
    wiring: Wiring;
  }) {
    this.dataDir = parts.dataDir;
    this.#child = parts.child;
    this.#output = parts.output;
    this.#environment = parts.environment;
    this.wiring = parts.wiring;
    this.url = `http://127.0.0.1:${parts.environment['PORT']}`;
    this.backendUrl = `http://127.0.0.1:${parts.environment['BACKEND_PORT']}`;
  }

  get output(): string {
    return this.#output();
  }

  get supervisorPid(): number {
    return this.#child.pid ?? 0;
  }

  /** Calls the control API; gives status and parsed body. */
  async api<T = unknown>(
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ status: number; body: T; headers: Headers }> {
    const answer = await fetch(`${this.url}/api/v1${path}`, {
      method,
      headers: body === undefined ? {} : { 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(10_000),
    });
    const text = await answer.text();
    return { status: answer.status, body: (text ? JSON.parse(text) : null) as T, headers: answer.headers };
  }

  async state(): Promise<State> {
    return (await this.api<State>('GET', '/state')).body;
  }

  async startFault(service: string, type: string, more: Record<string, unknown> = {}): Promise<Fault> {
    const request = { service, type, ttlMs: 120_000, ...more };
    for (let tries = 1; ; tries++) {
      const { status, body } = await this.api<Fault & { code?: string }>('POST', '/faults', request);
      if (status === 201) return body;
      // Nothing was armed: a process did not answer for a second, as on a busy machine.
      if (body.code === 'INJECTOR_UNAVAILABLE' && tries < 5) continue;
      throw new Error(`fault ${service}/${type} was refused: ${status} ${JSON.stringify(body)}`);
    }
  }

  async stopFault(id: string): Promise<FaultReceipt> {
    return (await this.api<FaultReceipt>('DELETE', `/faults/${id}`)).body;
  }

  async halt(reason = 'test'): Promise<HaltReceipt> {
    return (await this.api<HaltReceipt>('POST', '/halt', { reason })).body;
  }

  async facts(after = 0): Promise<Fact[]> {
    const { body } = await this.api<{ facts: Fact[] }>('GET', `/timeline?after=${after}&limit=1000`);
    return body.facts;
  }

  process(state: State, name: ProcessStatus['name']): ProcessStatus | undefined {
    return state.supervisor?.processes.find((each) => each.name === name);
  }

  async pid(name: ProcessStatus['name']): Promise<number> {
    const pid = this.process(await this.state(), name)?.pid;
    if (!pid) throw new Error(`${name} is not running`);
    return pid;
  }

  /** Asks PostgreSQL itself, past the proxy. */
  async sql<T extends object>(text: string, values: unknown[] = []): Promise<T[]> {
    const { direct, databaseUser, databasePassword, databaseName } = this.wiring;
    const client = new Client({
      ...direct.database,
      user: databaseUser,
      password: databasePassword,
      database: databaseName,
    });
    client.on('error', () => {}); // told by the query that fails
    await client.connect();
    try {
      return (await client.query(text, values)).rows as T[];
    } finally {
      await client.end().catch(() => {});
    }
  }

  accepted(): AcceptedUpload[] {
    const file = join(this.dataDir, 'cameras', 'accepted.jsonl');
    if (!existsSync(file)) return [];
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line.endsWith('}'))
      .map((line) => JSON.parse(line) as AcceptedUpload);
  }

  /** Log lines of one process, parsed; rotated files included. */
  log(name: string): Record<string, unknown>[] {
    const directory = join(this.dataDir, 'logs');
    return readdirSync(directory)
      .filter((file) => file.includes(`${name}.log`))
      .flatMap((file) => readFileSync(join(directory, file), 'utf8').split('\n'))
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** NORMAL, nothing waiting for long, every account balanced. */
  async untilSteady(timeoutMs = 60_000): Promise<State> {
    return until('the system is steady', timeoutMs, async () => {
      const state = await this.state();
      const ledger = state.pipeline?.ledger;
      const steady =
        state.mode === 'NORMAL' &&
        state.faults.length === 0 &&
        ledger?.lost === 0 &&
        ledger.doubled === 0 &&
        ledger.verdict !== 'UNKNOWN';
      return steady ? state : undefined;
    });
  }

  /** Ends everything as Ctrl-C does; gives the exit code. */
  async stop(): Promise<number | null> {
    await endChild(this.#child, 'SIGINT', STOP_MS);
    return this.#child.exitCode;
  }

  /** Stops what runs and starts again on the same data. */
  async restart(): Promise<System> {
    await this.stop();
    return launch(this.dataDir, this.#environment);
  }

  async close(): Promise<void> {
    await this.stop();
    await rm(this.dataDir, { recursive: true, force: true, maxRetries: 3 });
  }
}

export interface SystemOptions {
  /** Frames a second, all cameras together. @default 2 */
  cameraRate?: number;
  /** Settings on top. */
  env?: Record<string, string>;
}

/** Starts the system on free ports and an empty data directory, with a dozen real frames for the cameras. */
export async function startSystem({ cameraRate = 2, env = {} }: SystemOptions = {}): Promise<System> {
  const dataDir = await mkdtemp(join(tmpdir(), 'brownout-'));
  return launch(dataDir, { ...(await systemEnvironment(dataDir)), CAMERA_RATE: String(cameraRate), ...env });
}

/** The environment of a system of a test's own. */
export async function systemEnvironment(dataDir: string): Promise<Record<string, string>> {
  const taken = new Set<number>();
  const port = async () => {
    const found = await findFreePort(taken);
    taken.add(found);
    return String(found);
  };
  return {
    PATH: process.env['PATH'] ?? '',
    HOME: process.env['HOME'] ?? '/',
    DATA_DIR: dataDir,
    PORT: await port(),
    BACKEND_PORT: await port(),
    FTP_PORT: await port(),
    YOLO26_PORT: await port(),
    NEMOTRON_PORT: await port(),
    CAMERA_FRAMES_DIR: FRAMES,
  };
}

async function launch(dataDir: string, environment: Environment): Promise<System> {
  const child: ChildProcess = fork('server/supervisor/main.ts', {
    cwd: ROOT,
    execArgv: ['--disable-warning=ExperimentalWarning'],
    env: environment as NodeJS.ProcessEnv,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'], // the channel ends it when the test runner dies
  });
  let output = '';
  const keep = (bytes: Buffer) => {
    output += bytes.toString();
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  const ended = new Promise<never>((_resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the system ended with ${code}`)));
  });
  const up = until('the system is up', 80_000, () => output.includes('Brownout is ready') || undefined);
  await Promise.race([up, ended]).catch(async (error: Error) => {
    await endChild(child, 'SIGINT', STOP_MS);
    throw new Error(`${error.message}:\n${output}`, { cause: error });
  });
  ended.catch(() => {}); // told above, as long as anybody waits for the start
  const wiring = readWiring(readSettings(environment), {});
  return new System({ dataDir, child, output: () => output, environment, wiring });
}
