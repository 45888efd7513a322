import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { EventEmitter } from 'node:events';
import type { Writable } from 'node:stream';
import type { ProcessStatus } from '#lib/protocol/state.ts';
import type { ServerCommand } from '../embedded/server-command.ts';
import { signalTree } from './process-tree.ts';

export interface ManagedProcessOptions {
  name: ProcessStatus['name'];
  /** Called before each start. */
  command: () => ServerCommand | Promise<ServerCommand>;
  /** Resolves once it serves; rejects when it will not. Ours say so over their channel, when this is absent. */
  ready?: () => Promise<void>;
  log: Writable;
  /** Up for this long, and the next crash starts over with the shortest wait, ms. @default 10 000 */
  steadyMs?: number;
  /** Told the pid of each start, and undefined at each end. */
  onPid?: (pid: number | undefined) => void;
}

export interface ManagedProcessEvents {
  /** `reason`: what went wrong or was done to it; null when it goes as ordered. */
  changed: [{ status: ProcessStatus; reason: string | null }];
  /** It ended with exit code 2: a setting is wrong, and starting it again would not help. */
  misconfigured: [{ name: string; message: string }];
}

type Wish = 'run' | 'hold' | 'stop';

const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 5000;
const STEADY_MS = 10_000;
const STOP_LIMIT_MS = 6000;

/** One child: started, watched, started again with growing waits, held down or paused by a fault, stopped. */
export class ManagedProcess extends EventEmitter<ManagedProcessEvents> {
  readonly name: ProcessStatus['name'];
  readonly #options: ManagedProcessOptions;
  #wish: Wish = 'stop';
  #child: ChildProcess | undefined;
  #state: ProcessStatus['state'] = 'down';
  #since = Date.now();
  #restarts = 0;
  #starts = 0;
  #lastExit: string | null = null;
  #backoffMs = FIRST_BACKOFF_MS;
  /** When the child that runs came up; undefined while none is up. */
  #upAt: number | undefined;
  #hasServed = false;
  #retry: NodeJS.Timeout | undefined;
  #lastLine = '';
  #stopping = false;
  #paused = false;
  /** Grows with each start, hold and stop: a start that was overtaken while it prepared goes no further. */
  #turn = 0;

  constructor(options: ManagedProcessOptions) {
    super();
    this.name = options.name;
    this.#options = options;
  }

  get status(): ProcessStatus {
    return {
      name: this.name,
      state: this.#state,
      pid: this.#child?.pid ?? null,
      since: this.#since,
      restarts: this.#restarts,
      lastExit: this.#lastExit,
    };
  }

  /** Resolves once it serves for the first time after this call. */
  async start(): Promise<void> {
    this.#wish = 'run';
    this.#stopping = false;
    if (this.#state === 'up') return;
    const up = this.#untilUp();
    if (!this.#child) await this.#spawn();
    await up;
  }

  /** kill -9, and not started again before `release`. */
  hold(): void {
    this.#wish = 'hold';
    this.#turn++;
    clearTimeout(this.#retry);
    this.#signal('SIGKILL');
    this.#become('held', 'killed by a fault');
  }

  /** Starts a held process again; resolves when it serves, or after `withinMs` while it still starts. */
  async release(withinMs: number): Promise<void> {
    if (this.#wish !== 'hold') return;
    this.#wish = 'run';
    await this.#gone();
    this.#backoffMs = FIRST_BACKOFF_MS;
    const up = this.#untilUp();
    await this.#spawn();
    await Promise.race([up, new Promise((resolve) => setTimeout(resolve, withinMs))]);
  }

  /** SIGSTOP: its sockets stay open and nothing answers; one that is down is paused once it serves. */
  pause(): void {
    this.#paused = true;
    if (this.#state === 'held') return;
    if (this.#signal('SIGSTOP')) this.#become('paused', 'paused by a fault');
  }

  resume(): void {
    this.#paused = false;
    if (this.#state !== 'paused') return;
    this.#signal('SIGCONT');
    this.#become('up', 'resumed');
  }

  /** kill -9 and an immediate new start. */
  restart(): void {
    this.#backoffMs = FIRST_BACKOFF_MS;
    this.#signal('SIGKILL');
  }

  /** Asks it to stop, kills it after 6 s, resolves when it is gone. */
  async stop(): Promise<void> {
    this.#wish = 'stop';
    this.#turn++;
    clearTimeout(this.#retry);
    const child = this.#child;
    if (!child) return;
    this.#stopping = true;
    this.#signal('SIGCONT');
    child.kill(this.#stopSignal);
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
    await this.#gone();
    clearTimeout(timer);
  }

  #stopSignal: NodeJS.Signals = 'SIGTERM';

  async #spawn(): Promise<void> {
    const turn = ++this.#turn;
    this.#become('starting', null);
    try {
      const { stopSignal, ...how } = await this.#options.command();
      if (turn !== this.#turn) return;
      this.#stopSignal = stopSignal;
      // Its own group: Ctrl-C reaches the supervisor only, which then stops its children in order.
      const child = spawnDetached(how, this.#options.ready === undefined);
      this.#child = child;
      if (this.#starts++ > 0) this.#restarts++;
      this.#options.onPid?.(child.pid);
      child.stdout?.pipe(this.#options.log, { end: false });
      child.stderr?.on('data', (bytes: Buffer) => {
        this.#lastLine = bytes.toString().trim().split('\n').at(-1) ?? '';
        this.#options.log.write(bytes);
      });
      child.once('error', (error) => this.#ended(child, error.message));
      child.once('exit', (code, signal) => {
        // One that has served has good settings: what it needs is taken for a while, and it is tried again.
        if (code === 2 && this.#options.ready === undefined && !this.#hasServed) {
          this.#wish = 'stop';
          this.emit('misconfigured', { name: this.name, message: this.#lastLine });
        }
        this.#ended(child, signal ?? `exit code ${code}`);
      });
      child.on('message', (message) => {
        if ((message as { kind?: string }).kind === 'ready') this.#isUp(child);
      });
      this.#options.ready?.().then(
        () => this.#isUp(child),
        (error: Error) => {
          this.#lastLine = error.message;
          child.kill('SIGKILL');
        },
      );
    } catch (error) {
      if (turn === this.#turn) this.#ended(undefined, error instanceof Error ? error.message : String(error));
    }
  }

  #isUp(child: ChildProcess): void {
    if (this.#child !== child || this.#wish !== 'run') return;
    this.#upAt = performance.now();
    this.#hasServed = true;
    this.#become('up', null);
    if (this.#paused) this.pause();
  }

  #ended(child: ChildProcess | undefined, how: string): void {
    if (child !== this.#child) return;
    this.#child = undefined;
    const { steadyMs = STEADY_MS } = this.#options;
    const wasSteady = this.#upAt !== undefined && performance.now() - this.#upAt > steadyMs;
    this.#upAt = undefined;
    this.#lastExit = how;
    this.#options.onPid?.(undefined);
    this.#tellGone();
    if (this.#wish === 'hold') {
      this.#become('held', 'killed by a fault');
      return;
    }
    const told = this.#lastLine && how.startsWith('exit') ? `${how}: ${this.#lastLine}` : how;
    this.#become('down', this.#stopping ? null : told);
    if (this.#wish !== 'run') return;
    if (wasSteady) this.#backoffMs = FIRST_BACKOFF_MS;
    this.#retry = setTimeout(() => {
      if (this.#wish === 'run' && !this.#child) void this.#spawn();
    }, this.#backoffMs);
    this.#backoffMs = Math.min(this.#backoffMs * 2, MAX_BACKOFF_MS);
  }

  /** To the child and what it has forked; false when it does not run. */
  #signal(signal: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL'): boolean {
    const pid = this.#child?.pid;
    if (pid === undefined) return false;
    signalTree(pid, signal);
    return true;
  }

  #become(state: ProcessStatus['state'], reason: string | null): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#since = Date.now();
    this.emit('changed', { status: this.status, reason });
  }

  #untilUp(): Promise<void> {
    return new Promise((resolve) => {
      const onChange = ({ status }: { status: ProcessStatus }) => {
        if (status.state !== 'up') return;
        this.off('changed', onChange);
        resolve();
      };
      this.on('changed', onChange);
    });
  }

  #waiting: (() => void)[] = [];

  #gone(): Promise<void> {
    if (!this.#child) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #tellGone(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

function spawnDetached(
  { command, args, cwd, env }: Omit<ServerCommand, 'stopSignal'>,
  withChannel: boolean,
): ChildProcess {
  const stdio: StdioOptions = ['ignore', 'pipe', 'pipe', ...(withChannel ? (['ipc'] as const) : [])];
  return spawn(command, args, { cwd, detached: true, stdio, env: env as NodeJS.ProcessEnv });
}
