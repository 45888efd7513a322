import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { State } from '#lib/protocol/state.ts';
import { startBrowser, type TestBrowser } from '#tests/support/browser.ts';
import { switchOn, untilAttribute } from '#tests/support/console-page.ts';
import { glanceProblems, PHONE_QUESTIONS, type Question, readGlance } from '#tests/support/glance.ts';
import { seenText } from '#tests/support/seen.ts';
import { type System, startSystem } from '#tests/support/system.ts';
import { until } from '#tests/support/until.ts';

const WIDE = { width: 1440, height: 900 };
const PHONE = { width: 390, height: 844 };

let system: System;
let browser: TestBrowser;
let page: Page;

beforeAll(async () => {
  [system, browser] = await Promise.all([startSystem({ cameraRate: 1 }), startBrowser({ viewport: WIDE })]);
  await browser.context.addInitScript("localStorage.setItem('brownout.name', 'Ana')");
  page = await browser.open(system.url);
});
afterAll(async () => {
  await browser?.close();
  await system?.close();
});

interface Circumstances {
  /** What the backend says; asked anew each time. */
  told: () => State | Promise<State>;
  /** @default /^LIVE \d/ */
  live?: RegExp;
  /** More that must be seen, by question. */
  also?: Partial<Record<Question, RegExp>>;
  /** `told` is what was heard last. @default false */
  old?: boolean;
}

/** All seven answers are seen at 1440×900, those that stay on top at 390×844, and they are what the backend says. */
async function expectAnswers(circumstances: Circumstances): Promise<void> {
  const { told, live = /^LIVE \d/, also = {}, old = false } = circumstances;
  for (const viewport of [PHONE, WIDE]) {
    const onPhone = viewport === PHONE;
    await page.setViewportSize(viewport);
    await until(`all is seen at ${viewport.width} × ${viewport.height}`, 20_000, async () => {
      const state = await told();
      const glance = await readGlance(page);
      const problems = glanceProblems(glance, state, onPhone, old);
      for (const [question, pattern] of Object.entries({ live, ...also }) as [Question, RegExp][]) {
        if (onPhone && !PHONE_QUESTIONS.includes(question)) continue;
        if (!pattern.test(glance[question])) problems.push(`${question}: no ${pattern}`);
      }
      if (problems.length > 0)
        throw new Error(`${problems.join('; ')} in ${JSON.stringify(glance, null, 1)}`);
      return true;
    });
    const stop = await page.getByTestId('halt-button').boundingBox();
    expect(Math.min(stop?.height ?? 0, stop?.width ?? 0)).toBeGreaterThanOrEqual(44);
  }
}

const now = () => system.state();

it('counts as seen what is in the window, whole, uncovered and large enough, and nothing else', async () => {
  const sheet = await browser.context.newPage();
  await sheet.setViewportSize(PHONE);
  await sheet.setContent(`<body style="font:12px sans-serif">
    <p>seen <b style="font-size:10px">small</b> <i style="opacity:0">clear</i> <s style="visibility:hidden">hid</s></p>
    <p style="width:60px;overflow:hidden;white-space:nowrap">whole unfinishedword</p>
    <p style="position:relative">covered<u style="position:absolute;inset:0;background:#fff"></u></p>
    <p style="position:relative">through<u style="position:absolute;inset:0"></u></p>
    <p style="position:absolute;top:900px">below</p><p style="position:absolute;left:380px">beside</p>`);
  expect(await seenText(sheet.locator('body'))).toBe('seen whole through');
  await sheet.close();
});

describe('the seven questions of a first glance', () => {
  it('are answered when all is well', async () => {
    await system.untilSteady();
    await expectAnswers({ told: now, also: { broken: /Nothing/, notOurs: /Nothing/, ledger: /\b0 lost/ } });
  });

  it('are answered with three faults on', async () => {
    await switchOn(page, 'nemotron', 'timeout');
    await system.startFault('redis', 'connection_error');
    await system.startFault('gpu', 'thermal_throttle');
    await until('the mode has changed', 30_000, async () => (await now()).mode !== 'NORMAL');
    await expectAnswers({ told: now, also: { broken: /3 faults/, why: /INJECTED/ } });
  });

  it('are answered after a halt, with who did it', async () => {
    await page.getByTestId('halt-button').click();
    const halted = await until('everything is halted', 15_000, async () => (await now()).halted ?? undefined);
    const at = new Date(halted.at).toTimeString().slice(0, 8);
    await expectAnswers({
      told: now,
      also: { broken: /Nothing/, halted: new RegExp(`^Halted by Ana at ${at}`) },
    });
    await system.api('POST', '/resume', { reason: 'seen' });
    await until('it is well again', 60_000, async () => (await now()).mode === 'NORMAL');
  });

  it('are answered by what was heard last when the stream stops, and said to be old', async () => {
    await system.startFault('nemotron', 'latency', { params: { latencyMs: 10 } });
    await until('the ledger is read', 30_000, async () => {
      const { mode, pipeline } = await now();
      return mode === 'NORMAL' && pipeline?.ledger.verdict !== 'UNKNOWN';
    });
    await expectAnswers({ told: now, also: { broken: /1 fault/ } });
    const last = await now();
    const pid = await system.pid('control');
    process.kill(pid, 'SIGSTOP');
    try {
      const old = /when last heard/;
      await expectAnswers({
        told: () => last,
        old: true,
        live: /^(STALE|NO DATA) \d/,
        also: { why: old, broken: old, notOurs: old, ledger: old, recovery: old },
      });
      expect(await page.getByTestId('urgent').textContent()).toBe('The link is lost: what is shown is old');
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await untilAttribute(page, 'live-status', 'data-state', 'live', 30_000);
  });

  it('are answered, as far as they can be, when a process hangs and when one is held down by us', async () => {
    const pid = await until('the pipeline runs', 20_000, () => system.pid('pipeline'));
    const silent = async () => {
      const state = await now();
      return state.mode === null ? state : undefined;
    };
    process.kill(pid, 'SIGSTOP');
    try {
      await until('the mode is unknown', 30_000, silent);
      const nobodyKnows = { ledger: /loss UNKNOWN/, recovery: /No report from the pipeline/ };
      await expectAnswers({
        told: now,
        also: {
          ...nobodyKnows,
          why: /pipeline does not report NOT OURS/,
          notOurs: /pipeline does not report/,
        },
      });
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await until('the pipeline is heard again', 30_000, async () => (await now()).mode !== null);

    await system.startFault('pipeline', 'process_killed', { params: { holdMs: 120_000 } });
    await until('the mode is unknown', 30_000, silent);
    await expectAnswers({
      told: now,
      also: {
        why: /pipeline is HELD DOWN INJECTED/,
        broken: /pipeline process killed/,
        ledger: /loss UNKNOWN/,
      },
    });
    expect(await readGlance(page)).not.toMatchObject({
      notOurs: expect.stringContaining('pipeline does not'),
    });
  });
});
