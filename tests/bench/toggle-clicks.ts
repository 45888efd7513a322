import { faultSwitch } from '#tests/support/console-page.ts';
import type { System } from '#tests/support/system.ts';
import type { ProbedPage } from './console-page.ts';
import type { Seen } from './console-probe.ts';
import { firstOf, paintedOf, untilSeen } from './toggle-seen.ts';

const SERVICE = 'nemotron';
const TYPE = 'latency';
const TEST_ID = `fault-switch-${SERVICE}-${TYPE}`;

/** From what is seen to the next press, as by an operator who looks first, ms. */
const LOOK_MS = 250;
/** From pressing the button to letting it go; a click begins with the latter. */
const HOLD_MS = 60;

/** From the click, ms. */
export interface ClickTimes {
  /** The injector's acknowledgement has reached the operator's page. */
  acknowledged: number[];
  /** "arming", or "clearing", is on the screen. */
  busyPainted: number[];
  /** The observed state is on the screen. */
  confirmedPainted: number[];
}

/** The operator switches a fault on and off again, so many times. */
export async function measureClicks(operator: ProbedPage, rounds: number): Promise<ClickTimes> {
  const times: ClickTimes = { acknowledged: [], busyPainted: [], confirmedPainted: [] };
  const button = await faultSwitch(operator.page, SERVICE, TYPE);
  for (let press = 0; press < rounds * 2; press++) {
    const confirmed = { testId: TEST_ID, attribute: 'aria-checked', value: String(press % 2 === 0) };
    await operator.page.waitForTimeout(LOOK_MS);
    await operator.take();
    await button.click({ delay: HOLD_MS });
    const seen = await untilSeen(
      operator,
      'the switch shows what it did',
      (all) => firstOf(all, 'acknowledged') !== undefined && paintedOf(all, confirmed) !== undefined,
    );
    const clickedAt = firstOf(seen, 'click')?.at ?? Number.NaN;
    const busy = paintedOf(seen, { testId: TEST_ID, attribute: 'aria-busy', value: 'true' });
    times.acknowledged.push((firstOf(seen, 'acknowledged')?.at ?? Number.NaN) - clickedAt);
    times.busyPainted.push((busy?.paintedAt ?? Number.NaN) - clickedAt);
    times.confirmedPainted.push((paintedOf(seen, confirmed)?.paintedAt ?? Number.NaN) - clickedAt);
  }
  return times;
}

/** From a fact's time at the control process to the pixel in another browser, ms. */
export interface FactTimes {
  breaker: number[];
  mode: number[];
}

const BREAKER = 'nemotron';
/** What was told last is painted within this, or counts as never painted, ms. */
const LATE_MS = 1000;

/** A breaker is opened and closed by hand, so many times, by somebody else; the mode follows when it does. */
export async function measureFacts(system: System, other: ProbedPage, rounds: number): Promise<FactTimes> {
  const times: FactTimes = { breaker: [], mode: [] };
  const seen = await other.take();
  for (let turn = 0; turn < rounds * 2; turn++) {
    const { status } = await system.api('POST', `/breakers/${BREAKER}/${turn % 2 === 0 ? 'open' : 'close'}`);
    if (status !== 200) throw new Error(`the breaker does not obey: ${status}`);
    const value = turn % 2 === 0 ? 'FORCED_OPEN' : 'CLOSED';
    await other.page.locator(`[data-testid="breaker-${BREAKER}"][data-state="${value}"]`).waitFor();
    seen.push(...(await untilSeen(other, 'the fact has come', (all) => factTo(all, value))));
  }
  await other.page.waitForTimeout(LATE_MS);
  seen.push(...(await other.take()));
  for (const fact of seen) {
    if (fact.kind !== 'fact' || fact.to === null) continue;
    const isMode = fact.type === 'modeChanged';
    if (!isMode && (fact.type !== 'breakerChanged' || fact.subject !== BREAKER)) continue;
    const shown = isMode
      ? { testId: 'mode', attribute: 'data-mode', value: fact.to }
      : { testId: `breaker-${BREAKER}`, attribute: 'data-state', value: fact.to };
    const painted = isShownAt(seen, shown, fact.toldAt)
      ? fact.toldAt
      : paintedOf(seen, shown, fact.toldAt)?.paintedAt;
    if (painted !== undefined) times[isMode ? 'mode' : 'breaker'].push(painted - fact.toldAt);
  }
  return times;
}

/** A tick can bring the state that a fact leads to before the fact itself is told. */
function isShownAt(
  seen: readonly Seen[],
  { testId, attribute, value }: { testId: string; attribute: string; value: string },
  at: number,
): boolean {
  const newest = seen.findLast(
    (each) =>
      each.kind === 'painted' &&
      each.testId === testId &&
      each.attribute === attribute &&
      each.paintedAt <= at,
  );
  return newest?.kind === 'painted' && newest.value === value;
}

const factTo = (seen: readonly Seen[], to: string) =>
  seen.some((each) => each.kind === 'fact' && each.subject === BREAKER && each.to === to);
