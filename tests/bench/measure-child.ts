import { type ChildProcess, fork } from 'node:child_process';

type Handlers = Readonly<Record<string, (argument: never) => unknown>>;
interface Call {
  id: number;
  name: string;
  argument: unknown;
}
interface Reply {
  id: number;
  value?: unknown;
  error?: string;
}

/** Longest time that a call may take, ms. */
const LIMIT_MS = 60_000;

/** A process of the bench that answers calls. */
export interface Child<H extends Handlers> {
  call<Name extends keyof H & string>(
    name: Name,
    argument: Parameters<H[Name]>[0],
  ): Promise<Awaited<ReturnType<H[Name]>>>;
  close(): Promise<void>;
}

/**
 * Starts a file that calls `answerCalls`. `execArgv` are options of Node. Only what may `stepBack` is a session of its own:
 * processors are shared out between sessions, so that rivals have to be in one.
 */
export function startChild<H extends Handlers>(
  file: URL,
  execArgv: string[] = [],
  ownSession = false,
): Child<H> {
  const child: ChildProcess = fork(file, {
    detached: ownSession,
    execArgv: ['--disable-warning=ExperimentalWarning', ...execArgv],
  });
  const waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  let count = 0;
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.on('message', ({ id, value, error }: Reply) => {
    const caller = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) caller?.resolve(value as never);
    else caller?.reject(new Error(error));
  });
  child.on('exit', (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`${file.pathname} ended with ${code}`));
  });
  return {
    call: (name, argument) =>
      new Promise((resolve, reject) => {
        const id = ++count;
        const late = setTimeout(
          () => reject(new Error(`${file.pathname} did not answer ${name} ${JSON.stringify(argument)}`)),
          LIMIT_MS,
        );
        late.unref();
        waiting.set(id, {
          resolve(value) {
            clearTimeout(late);
            resolve(value);
          },
          reject(error) {
            clearTimeout(late);
            reject(error);
          },
        });
        child.send({ id, name, argument } satisfies Call);
      }),
    async close() {
      child.disconnect();
      await exited;
    },
  };
}

/** Answers the parent's calls until it lets go of this process. */
export function answerCalls(handlers: Handlers): void {
  process.on('disconnect', () => process.exit(0));
  process.on('message', ({ id, name, argument }: Call) => {
    const answer = async () => handlers[name]?.(argument as never);
    answer().then(
      (value) => process.send?.({ id, value } satisfies Reply),
      (error: Error) => process.send?.({ id, error: error.stack ?? error.message } satisfies Reply),
    );
  });
}
