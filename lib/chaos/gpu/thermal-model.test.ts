import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GAME_DAY_THERMAL, GOOD_COOLING, ThermalModel, type ThermalOptions } from './thermal-model.ts';

interface Run {
  /** Seconds at which the temperature first reached it. */
  at84: number;
  at90: number;
  at95: number;
  atShutdown: number;
  /** Over the last 60 s. */
  meanC: number;
  meanMhz: number;
  minC: number;
  maxC: number;
}

function run(
  cooling: { sinkFactor: number; inletDeltaK?: number; governor?: boolean },
  { startUtilisation = 1, seconds = 400, options = {} as Partial<ThermalOptions> } = {},
): Run {
  const model = new ThermalModel(options, startUtilisation);
  model.cooling = { ...GOOD_COOLING, ...cooling };
  const reached = new Map<number, number>();
  const tail: { celsius: number; mhz: number }[] = [];
  let atShutdown = Number.NaN;
  for (let step = 1; step <= seconds * 50; step++) {
    model.advance(20, 1);
    const celsius = model.temperatureC;
    for (const mark of [84, 90, 95]) {
      if (celsius >= mark && !reached.has(mark)) reached.set(mark, step / 50);
    }
    if (model.shutDown && Number.isNaN(atShutdown)) atShutdown = step / 50;
    if (step > (seconds - 60) * 50) tail.push({ celsius, mhz: model.clockMhz });
  }
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const celsius = tail.map((each) => each.celsius);
  return {
    at84: reached.get(84) ?? Number.NaN,
    at90: reached.get(90) ?? Number.NaN,
    at95: reached.get(95) ?? Number.NaN,
    atShutdown,
    meanC: mean(celsius),
    meanMhz: mean(tail.map((each) => each.mhz)),
    minC: Math.min(...celsius),
    maxC: Math.max(...celsius),
  };
}

function expectWithin10Percent(actual: number, expected: number): void {
  expect(actual).toBeGreaterThan(expected * 0.9);
  expect(actual).toBeLessThan(expected * 1.1);
}

describe('ThermalModel, production profile at full load', () => {
  it('is steady at 71.7 °C and full clock with good cooling', () => {
    const model = new ThermalModel({}, 1);
    expect(model.temperatureC).toBeCloseTo(71.7, 1);
    model.advance(60_000, 1);
    expect(model.temperatureC).toBeCloseTo(71.7, 1);
    expect(model.clockMhz).toBe(1800);
  });

  it('settles below the target with a worn fan (k = 2.2)', () => {
    const worn = run({ sinkFactor: 2.2 });
    expectWithin10Percent(worn.at84, 11.1);
    expectWithin10Percent(worn.meanC, 82);
    expectWithin10Percent(worn.meanMhz, 1474);
    expect(worn.at90).toBeNaN();
  });

  it('throttles and settles at 1170 MHz with a stopped fan (k = 4)', () => {
    const stopped = run({ sinkFactor: 4 });
    expectWithin10Percent(stopped.at84, 7.1);
    expectWithin10Percent(stopped.at90, 12.9);
    expectWithin10Percent(stopped.meanC, 87.5);
    expectWithin10Percent(stopped.meanMhz, 1170);
  });

  it('cycles around the software thermal flag at k = 6', () => {
    const blocked = run({ sinkFactor: 6 });
    expectWithin10Percent(blocked.at90, 10.3);
    expectWithin10Percent(blocked.meanMhz, 970);
    expect(blocked.minC).toBeGreaterThan(86);
    expect(blocked.maxC).toBeGreaterThan(90);
    expect(blocked.maxC).toBeLessThan(91.5);
  });

  it('reaches hardware slowdown at k = 8 with warm inlet air', () => {
    const worst = run({ sinkFactor: 8, inletDeltaK: 15 });
    expectWithin10Percent(worst.at90, 8.6);
    expectWithin10Percent(worst.at95, 15.3);
    expectWithin10Percent(worst.meanC, 88.5);
    expectWithin10Percent(worst.meanMhz, 585);
  });

  it('shuts down without governor (k = 4)', () => {
    expectWithin10Percent(run({ sinkFactor: 4, governor: false }, { seconds: 70 }).atShutdown, 16.6);
  });
});

describe('ThermalModel, game-day profile', () => {
  it('reaches both flags within ten seconds from 15 % load (k = 4)', () => {
    const game = run({ sinkFactor: 4 }, { startUtilisation: 0.15, options: GAME_DAY_THERMAL, seconds: 200 });
    expectWithin10Percent(game.at90, 7.4);
    expectWithin10Percent(game.at95, 9.2);
    expectWithin10Percent(game.meanC, 87);
    expectWithin10Percent(game.meanMhz, 1170);
  });
});

describe('ThermalModel flags', () => {
  it('sets software thermal at 90 °C and clears it only below 88, hardware slowdown at 95 and below 90', () => {
    const model = new ThermalModel({}, 1);
    model.cooling = { sinkFactor: 8, inletDeltaK: 15, governor: true };
    while (model.temperatureC < 95) {
      model.advance(20, 1);
      if (model.temperatureC < 90) expect(model.softwareThermal).toBe(false);
    }
    expect([model.softwareThermal, model.hardwareSlowdown]).toEqual([true, true]);
    expect(model.clockMhz).toBeLessThanOrEqual(900);
    model.cooling = GOOD_COOLING;
    const clearedAt: number[] = [];
    for (let step = 0; step < 2000 && clearedAt.length < 2; step++) {
      model.advance(20, 1);
      if (clearedAt.length === 0 && !model.hardwareSlowdown) clearedAt.push(model.temperatureC);
      if (clearedAt.length === 1 && !model.softwareThermal) clearedAt.push(model.temperatureC);
    }
    expect(clearedAt[0]).toBeLessThan(90);
    expect(clearedAt[0]).toBeGreaterThan(89.5);
    expect(clearedAt[1]).toBeLessThan(88);
    expect(clearedAt[1]).toBeGreaterThan(87.5);
    model.advance(120_000, 1);
    expect(model.clockMhz).toBe(1800);
  });

  it('gives the same state however finely time is cut', () => {
    const make = () => {
      const model = new ThermalModel({}, 0.5);
      model.cooling = { sinkFactor: 3, inletDeltaK: 0, governor: true };
      return model;
    };
    const [whole, cut] = [make(), make()];
    whole.advance(20_000, 1);
    for (let step = 0; step < 2000; step++) cut.advance(10, 1);
    expect(cut.temperatureC).toBeCloseTo(whole.temperatureC, 1);
    expect(Math.abs(cut.clockMhz - whole.clockMhz)).toBeLessThan(5);
  });

  it('holds its clock while it cools from target to release, and gives back below', () => {
    const model = new ThermalModel({}, 1);
    model.cooling = { ...GOOD_COOLING, sinkFactor: 4 };
    while (model.temperatureC < 86) model.advance(20, 1);
    while (model.temperatureC >= 84) model.advance(20, 0);
    const heldMhz = model.clockMhz;
    expect(heldMhz).toBeLessThan(1800);
    while (model.temperatureC >= 82) {
      expect(model.clockMhz).toBe(heldMhz);
      model.advance(20, 0);
    }
    model.advance(100, 0);
    expect(model.clockMhz).toBeGreaterThan(heldMhz);
  });

  it('stays off while it is too hot to start, and starts at full clock once it is not', () => {
    const model = new ThermalModel({}, 1);
    model.cooling = { sinkFactor: 4, inletDeltaK: 0, governor: false };
    while (!model.shutDown) model.advance(20, 1);
    model.restart();
    expect(model.shutDown).toBe(true);
    model.advance(20, 1);
    expect(model.powerW).toBe(0);
    model.advance(5000, 1);
    model.restart();
    expect([model.shutDown, model.clockMhz]).toEqual([false, 1800]);
    model.advance(20, 1);
    expect(model.powerW).toBe(230);
  });

  it.each(['sinkCapacityJPerK', 'dieTimeConstantMs', 'sinkResistanceKPerW'])('refuses %s of 0', (name) => {
    expect(() => new ThermalModel({ [name]: 0 })).toThrow(
      new RangeError(`Expected ${name} to be above 0, got 0`),
    );
  });
});

describe('ThermalModel under any load and any cooling', () => {
  const STEP_MS = 20;
  const RUNS = { numRuns: 15 };
  const ratio = (min: number, max: number) => fc.double({ min, max, noNaN: true });
  const stretch = fc.record({
    utilisation: ratio(0, 1),
    cooling: fc.record({ sinkFactor: ratio(1, 8), inletDeltaK: ratio(0, 15), governor: fc.boolean() }),
    steps: fc.integer({ min: 1, max: 1500 }),
    restart: fc.boolean(),
  });
  const stretches = fc.array(stretch, { minLength: 1, maxLength: 8 });

  /** One entry for every 20 ms. */
  function trace(given: (typeof stretch extends fc.Arbitrary<infer Stretch> ? Stretch : never)[]) {
    const model = new ThermalModel({}, given[0]?.utilisation);
    const moments = [momentOf(model)];
    for (const { cooling, utilisation, steps, restart } of given) {
      model.cooling = cooling;
      if (restart) model.restart();
      for (let step = 0; step < steps; step++) {
        model.advance(STEP_MS, utilisation);
        moments.push(momentOf(model));
      }
    }
    return moments;
  }

  const momentOf = (model: ThermalModel) => ({
    celsius: model.temperatureC,
    mhz: model.clockMhz,
    software: model.softwareThermal,
    hardware: model.hardwareSlowdown,
  });

  it('moves the temperature without a jump, and never past shutdown', () => {
    // Steepest: a sink at 98 °C in good air loses 540 W while the die's 13.8 K go with their 2.5 s.
    const steepestK = (STEP_MS / 1000) * (540 / 92 + 13.8 / 2.5);
    fc.assert(
      fc.property(stretches, (given) => {
        const celsius = trace(given).map((moment) => moment.celsius);
        const jumps = celsius.map((each, n) => Math.abs(each - (celsius[n - 1] ?? each)));
        expect(Math.max(...jumps)).toBeLessThan(steepestK);
        expect(Math.min(...celsius)).toBeGreaterThan(28);
        expect(Math.max(...celsius)).toBeLessThan(98 + steepestK);
      }),
      RUNS,
    );
  });

  it('sets and clears each flag once a crossing of its band, never in between', () => {
    fc.assert(
      fc.property(stretches, (given) => {
        let [software, hardware] = [false, false];
        for (const moment of trace(given)) {
          software = moment.celsius >= 90 || (software && moment.celsius >= 88);
          hardware = moment.celsius >= 95 || (hardware && moment.celsius >= 90);
          if (moment.software !== software || moment.hardware !== hardware) {
            expect(moment).toMatchObject({ software, hardware });
          }
        }
      }),
      RUNS,
    );
  });

  it('leaves the clock alone between release and target, so that it does not hunt', () => {
    fc.assert(
      fc.property(stretches, (given) => {
        const governed = given.map((each) => ({
          ...each,
          restart: false,
          cooling: { ...each.cooling, governor: true },
        }));
        let mhz = 1800;
        for (const moment of trace(governed)) {
          const between = moment.celsius >= 82 && moment.celsius < 84 && !moment.software;
          if (between && moment.mhz !== mhz) expect(moment).toMatchObject({ mhz });
          mhz = moment.mhz;
        }
      }),
      RUNS,
    );
  });
});
