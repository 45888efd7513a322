import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Agent } from '#lib/agent/agent.ts';
import { FaultInjector } from '#lib/chaos/faults/injector.ts';
import type { ProcessStatus, SupervisorReport } from '#lib/protocol/state.ts';
import { ConfigError, type Settings, type Wiring } from '../config.ts';
import { isPortFree } from '../embedded/free-port.ts';
import { type PostgresOptions, postgresReady, preparePostgres } from '../embedded/postgres.ts';
import { prepareRedis, redisReady } from '../embedded/redis.ts';
import type { ServerCommand } from '../embedded/server-command.ts';
import { createLogger, type Logger } from '../logging.ts';
import type { DataDirectory } from './data-directory.ts';
import { ManagedProcess, type ManagedProcessOptions } from './managed-process.ts';
import { createProcessEffect } from './process-faults.ts';
import { openProcessLog } from './process-log.ts';

export interface SupervisorOptions {
  settings: Settings;
  wiring: Wiring;
  data: DataDirectory;
  environment: Record<string, string>;
  /** Progress for the person at the terminal. */
  say: (line: string) => void;
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const START_LIMIT_MS = 60_000;
/** Compiled code is kept from start to start: a third less work until a process is ready. */
const COMPILE_CACHE = join(ROOT, 'node_modules', '.cache', 'node-compile');

/** Every process of the system: started in order, kept up, stopped in order. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #processes = new Map<ProcessStatus['name'], ManagedProcess>();
  readonly #injector: FaultInjector;
  readonly #agent: Agent;
  readonly #logger: Logger;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    const { settings, wiring } = options;
    const log = openProcessLog(settings.DATA_DIR, 'supervisor');
    this.#logger = createLogger('supervisor', settings.LOG_LEVEL, log);
    if (!settings.DATABASE_URL) this.#add(this.#database());
    if (!settings.REDIS_URL) this.#add(this.#redis());
    this.#add(this.#ours('proxy', 'server/proxy/main.ts'));
    this.#add(this.#ours('control', 'server/main.ts'));
    if (!settings.YOLO26_URL || !settings.NEMOTRON_URL)
      this.#add(this.#ours('inference', 'server/inference/main.ts'));
    this.#add(this.#ours('pipeline', 'server/pipeline/main.ts'));
    this.#add(this.#ours('cameras', 'server/cameras/main.ts'));

    this.#injector = new FaultInjector({
      effect: createProcessEffect(this.#processes, () => this.#injector),
    });
    this.#agent = new Agent({
      controlUrl: wiring.controlUrl,
      secret: wiring.agentSecret,
      name: 'supervisor',
      injector: this.#injector,
      report: () => ({ kind: 'supervisor', report: this.#report() }),
      commands: {
        'process:restart': async ({ process: name }) => {
          const found = [...this.#processes.values()].find((each) => each.name === name);
          found?.restart();
          return { done: found !== undefined };
        },
      },
      onWarning: (text, error) => this.#logger.warn({ err: error }, text),
    });
  }

  /** Resolves with every process serving; rejects, with everything stopped, when one cannot start within a minute. */
  async start(): Promise<void> {
    await this.#checkPorts();
    this.#agent.start();
    const misconfigured = new Promise<never>((_resolve, reject) => {
      for (const each of this.#processes.values()) {
        each.once('misconfigured', ({ name, message }) =>
          reject(new ConfigError(name, message || `${name} could not start`)),
        );
      }
    });
    misconfigured.catch(() => {}); // told by the race below, when there still is one
    for (const group of [
      ['database', 'redis', 'proxy', 'control', 'inference'],
      ['pipeline'],
      ['cameras'],
    ] as const) {
      await Promise.race([misconfigured, this.#startGroup(group)]);
    }
  }

  async stop(): Promise<void> {
    await this.#agent.close();
    for (const group of [
      ['cameras'],
      ['pipeline'],
      ['inference', 'proxy', 'control'],
      ['database', 'redis'],
    ] as const) {
      await Promise.all(group.map((name) => this.#processes.get(name)?.stop()));
    }
  }

  async #startGroup(names: readonly ProcessStatus['name'][]): Promise<void> {
    await Promise.all(
      names.map(async (name) => {
        const found = this.#processes.get(name);
        if (!found) return;
        const startedAt = performance.now();
        await withLimit(
          found.start(),
          () => `${name} did not start: ${found.status.lastExit ?? 'no answer'}; see ${this.#logFile(name)}`,
        );
        this.#options.say(`  ${name} is up (${Math.round(performance.now() - startedAt)} ms)`);
      }),
    );
  }

  #logFile(name: string): string {
    return join(this.#options.settings.DATA_DIR, 'logs', `${name}.log`);
  }

  #report(): SupervisorReport {
    const { settings } = this.#options;
    const external = (name: 'database' | 'redis'): ProcessStatus => ({
      name,
      state: 'external',
      pid: null,
      since: 0,
      restarts: 0,
      lastExit: null,
    });
    return {
      processes: [
        ...[...this.#processes.values()].map((each) => each.status),
        ...(settings.DATABASE_URL ? [external('database')] : []),
        ...(settings.REDIS_URL ? [external('redis')] : []),
      ],
    };
  }

  #add(options: Omit<ManagedProcessOptions, 'log' | 'onPid'>): void {
    const { data, settings } = this.#options;
    const managed = new ManagedProcess({
      ...options,
      log: openProcessLog(settings.DATA_DIR, options.name),
      onPid: (pid) => data.recordChild(options.name, pid),
    });
    managed.on('changed', ({ status, reason }) => {
      const unexpected = status.state === 'down' && reason !== null;
      this.#logger[unexpected ? 'warn' : 'info'](
        { name: status.name, state: status.state, reason, pid: status.pid },
        'process changed',
      );
      this.#agent.fact('processChanged', status.name, { process: status.name, state: status.state, reason });
    });
    this.#processes.set(options.name, managed);
  }

  #ours(name: ProcessStatus['name'], entry: string): Omit<ManagedProcessOptions, 'log' | 'onPid'> {
    const { environment, wiring } = this.#options;
    return {
      name,
      command: (): ServerCommand => ({
        command: process.execPath,
        args: ['--disable-warning=ExperimentalWarning', join(ROOT, entry)],
        cwd: ROOT,
        env: {
          NODE_COMPILE_CACHE: COMPILE_CACHE,
          ...environment,
          BROWNOUT_WIRING: JSON.stringify(wiring),
        },
        stopSignal: 'SIGTERM',
      }),
    };
  }

  #database(): Omit<ManagedProcessOptions, 'log' | 'onPid'> {
    const { settings, wiring, environment } = this.#options;
    const options: PostgresOptions = {
      directory: join(settings.DATA_DIR, 'postgres'),
      port: wiring.direct.database.port,
      user: wiring.databaseUser,
      password: wiring.databasePassword,
      database: wiring.databaseName,
    };
    return {
      name: 'database',
      command: async () => ({ ...(await preparePostgres(options)), env: environment }),
      ready: () => postgresReady(options),
    };
  }

  #redis(): Omit<ManagedProcessOptions, 'log' | 'onPid'> {
    const { settings, wiring, environment } = this.#options;
    const { port } = wiring.direct.redis;
    return {
      name: 'redis',
      command: () => ({
        ...prepareRedis({ directory: join(settings.DATA_DIR, 'redis'), port }),
        env: environment,
      }),
      ready: () => redisReady(port),
    };
  }

  async #checkPorts(): Promise<void> {
    const { settings } = this.#options;
    const wanted = [
      ['PORT', settings.HOST],
      ['BACKEND_PORT', '127.0.0.1'],
      ['FTP_PORT', '127.0.0.1'],
      ...(settings.YOLO26_URL ? [] : ([['YOLO26_PORT', '127.0.0.1']] as const)),
      ...(settings.NEMOTRON_URL ? [] : ([['NEMOTRON_PORT', '127.0.0.1']] as const)),
    ] as const;
    for (const [name, host] of wanted) {
      if (await isPortFree(settings[name], host)) continue;
      throw new ConfigError(
        name,
        `${name}=${settings[name]} is in use: stop what listens there, or set ${name} to another port`,
      );
    }
  }
}

async function withLimit(work: Promise<void>, describe: () => string): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(describe())), START_LIMIT_MS);
  });
  await Promise.race([work, limit]).finally(() => clearTimeout(timer));
}
