import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endChild } from './spawned.ts';
import { until } from './until.ts';

/**
 * A Chromium as a person has it: Playwright would keep each page visible and its timers running.
 *
 * Spoken to over the DevTools protocol, with one page.
 */
export interface BareChromium {
  /** Runs an expression in the page; gives its value, awaited. @throws when the expression throws */
  evaluate<T>(expression: string): Promise<T>;
  /** Opens another tab in front of the page. */
  hide(): Promise<void>;
  /** Brings the page to the front again. */
  show(): Promise<void>;
  /** kill -9, the whole browser. */
  kill(): Promise<void>;
  close(): Promise<void>;
}

/** A question that meets a change of page is never answered. */
const ANSWER_MS = 10_000;

interface Reply {
  id?: number;
  result?: { result?: { value?: unknown }; exceptionDetails?: { text: string } };
}

/** Opens `url` and waits until the console in it is live. */
export async function startBareChromium(
  url: string,
  { args = [] }: { args?: readonly string[] } = {},
): Promise<BareChromium> {
  const profile = await mkdtemp(join(tmpdir(), 'brownout-chromium-'));
  const program = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium';
  const child = spawn(
    program,
    [
      ...['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--window-size=1024,768'],
      ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
      ...['--remote-debugging-port=0', `--user-data-dir=${profile}`, ...args, url],
    ],
    { stdio: 'ignore' },
  );
  const remove = () => rm(profile, { recursive: true, force: true, maxRetries: 5 });
  try {
    const devTools = await until('Chromium listens', 20_000, async () => {
      const [port] = (await readFile(join(profile, 'DevToolsActivePort'), 'utf8')).split('\n');
      return `http://127.0.0.1:${port}`;
    });
    const page = await until('the page is there', 20_000, async () => {
      const targets = (await (await fetch(`${devTools}/json/list`)).json()) as Record<string, string>[];
      return targets.find((target) => target['type'] === 'page')?.['webSocketDebuggerUrl'];
    });
    const evaluate = await connect(page);
    await until('the console is live', 45_000, () =>
      evaluate<boolean>(`document.querySelector('[data-testid="live-status"]')?.dataset.state === 'live'`),
    );
    return {
      evaluate,
      async hide() {
        await fetch(`${devTools}/json/new?about:blank`, { method: 'PUT' });
        await until('the page is hidden', 10_000, () =>
          evaluate<boolean>(`document.visibilityState === 'hidden'`),
        );
      },
      async show() {
        await fetch(`${devTools}/json/activate/${page.split('/').at(-1)}`);
        await until('the page is visible', 10_000, () =>
          evaluate<boolean>(`document.visibilityState === 'visible'`),
        );
      },
      kill: () => endChild(child, 'SIGKILL'),
      async close() {
        await endChild(child, 'SIGKILL');
        await remove();
      },
    };
  } catch (error) {
    await endChild(child, 'SIGKILL');
    await remove();
    throw error;
  }
}

function connect(address: string): Promise<BareChromium['evaluate']> {
  const socket = new WebSocket(address);
  const waiting = new Map<number, (reply: Reply) => void>();
  let count = 0;
  socket.addEventListener('message', ({ data }) => {
    const reply = JSON.parse(String(data)) as Reply;
    waiting.get(reply.id ?? 0)?.(reply);
    waiting.delete(reply.id ?? 0);
  });
  const evaluate = async <T>(expression: string): Promise<T> => {
    const id = ++count;
    const answered = new Promise<Reply>((resolve, reject) => {
      waiting.set(id, resolve);
      const giveUp = () => reject(new Error('the page did not answer'));
      AbortSignal.timeout(ANSWER_MS).addEventListener('abort', giveUp);
    });
    const params = { expression, awaitPromise: true, returnByValue: true };
    socket.send(JSON.stringify({ id, method: 'Runtime.evaluate', params }));
    const { result } = await answered;
    if (result?.exceptionDetails) throw new Error(result.exceptionDetails.text);
    return result?.result?.value as T;
  };
  return new Promise((resolve, reject) => {
    socket.addEventListener('open', () => resolve(evaluate));
    socket.addEventListener('error', () => reject(new Error(`no DevTools at ${address}`)));
  });
}

/** Presses the switch of a fault in the page, as its operator does. */
export async function pressFault(browser: BareChromium, service: string, type: string): Promise<void> {
  const element = (testId: string) => `document.querySelector('[data-testid="${testId}"]')`;
  const group = element(`desk-group-${service}`);
  const button = element(`fault-switch-${service}-${type}`);
  const shown = (what: string) =>
    until(`${what} is there`, 30_000, () => browser.evaluate<boolean>(`${what} !== null`));
  await shown(group);
  await browser.evaluate(`${group}.dataset.open === 'false' && ${group}.click()`);
  await shown(button);
  await browser.evaluate(`${button}.click()`);
}
