/**
 * Heat and clocks of the simulated card.
 *
 *     util, f ──► P ──► Ts (heat sink), Tf (die above it) ──► T = Ts + Tf ──► flags ──► governor ──► f
 *
 * The constants resemble a 24 GiB, 230 W workstation card: the thresholds are those that a real RTX A5000 reports,
 * the resistances, capacity and rates were fitted by eye to public traces and are validated on no hardware.
 */
export interface ThermalOptions {
  /** Air around the card, °C. @default 28 */
  ambientC: number;
  /** Heat sink to air, K/W, with a working fan. @default 0.13 (fitted) */
  sinkResistanceKPerW: number;
  /** Die to heat sink, K/W. @default 0.06 (fitted) */
  dieResistanceKPerW: number;
  /** Of the heat sink, J/K; game day divides it by 3. @default 92 (fitted) */
  sinkCapacityJPerK: number;
  /** Time constant of the die, ms; game day divides it by 3. @default 2500 (fitted) */
  dieTimeConstantMs: number;
  /** Power without load, W. @default 22 */
  idlePowerW: number;
  /** Power that full load at full clock adds, W. @default 208 (22 + 208 = the card's limit of 230) */
  loadPowerW: number;
  /** How power follows the clock: (f / fmax) to this. @default 2.2 (fitted) */
  clockPowerExponent: number;
  /** MHz. @default 210 */
  minClockMhz: number;
  /** MHz. @default 1800 */
  maxClockMhz: number;
  /** The governor slows the card from here on and gives back below `releaseC`, °C. @default 84 (A5000 target) */
  targetC: number;
  /** @default 82 */
  releaseC: number;
  /** Clock that the governor goes to between target and software thermal, MHz. @default 1170 */
  targetClockMhz: number;
  /** Software thermal flag: set at, cleared below, °C. @default 90 (A5000 maximum operating), 88 */
  softwareSetC: number;
  softwareClearC: number;
  /** Lowest clock under the software thermal flag, MHz. @default 585 */
  softwareClockMhz: number;
  /** Hardware slowdown flag: set at, cleared below, °C. @default 95 (A5000 slowdown), 90 */
  hardwareSetC: number;
  hardwareClearC: number;
  /** Clock cap under hardware slowdown, MHz. @default 900 */
  hardwareClockMhz: number;
  /** The card turns itself off, °C. @default 98 (A5000 shutdown) */
  shutdownC: number;
  /** Governor's pace towards target and back, MHz a second. @default 30 */
  governorMhzPerSecond: number;
  /** Governor's pace under the software thermal flag, MHz a second. @default 60 */
  softwareMhzPerSecond: number;
}

export const THERMAL_DEFAULTS: ThermalOptions = {
  ambientC: 28,
  sinkResistanceKPerW: 0.13,
  dieResistanceKPerW: 0.06,
  sinkCapacityJPerK: 92,
  dieTimeConstantMs: 2500,
  idlePowerW: 22,
  loadPowerW: 208,
  clockPowerExponent: 2.2,
  minClockMhz: 210,
  maxClockMhz: 1800,
  targetC: 84,
  releaseC: 82,
  targetClockMhz: 1170,
  softwareSetC: 90,
  softwareClearC: 88,
  softwareClockMhz: 585,
  hardwareSetC: 95,
  hardwareClearC: 90,
  hardwareClockMhz: 900,
  shutdownC: 98,
  governorMhzPerSecond: 30,
  softwareMhzPerSecond: 60,
};

/** A card that heats three times as fast, so that a room sees it within ten seconds. */
export const GAME_DAY_THERMAL: ThermalOptions = {
  ...THERMAL_DEFAULTS,
  sinkCapacityJPerK: THERMAL_DEFAULTS.sinkCapacityJPerK / 3,
  dieTimeConstantMs: THERMAL_DEFAULTS.dieTimeConstantMs / 3,
};

/** What can go wrong with the cooling. */
export interface Cooling {
  /** Multiplier of the heat sink's resistance; 4 is a stopped fan. */
  readonly sinkFactor: number;
  /** Warmer inlet air, K. */
  readonly inletDeltaK: number;
  /** Off: clocks stay up until the card shuts down. */
  readonly governor: boolean;
}

export const GOOD_COOLING: Cooling = { sinkFactor: 1, inletDeltaK: 0, governor: true };

/** Longest step of the integration, ms; small against every time constant. */
const MAX_STEP_MS = 20;

export class ThermalModel {
  readonly options: ThermalOptions;
  cooling: Cooling = GOOD_COOLING;
  #sinkC: number;
  #dieK: number;
  #governorMhz: number;
  #softwareThermal = false;
  #hardwareSlowdown = false;
  #shutDown = false;
  #powerW: number;

  /** Starts in the steady state of a constant load. @param utilisation 0–1 */
  constructor(options: Partial<ThermalOptions> = {}, utilisation = 0) {
    this.options = { ...THERMAL_DEFAULTS, ...options };
    for (const key of ['sinkCapacityJPerK', 'dieTimeConstantMs', 'sinkResistanceKPerW'] as const) {
      if (!(this.options[key] > 0)) {
        throw new RangeError(`Expected ${key} to be above 0, got ${this.options[key]}`);
      }
    }
    const { ambientC, idlePowerW, loadPowerW, sinkResistanceKPerW, dieResistanceKPerW } = this.options;
    this.#powerW = idlePowerW + loadPowerW * utilisation;
    this.#sinkC = ambientC + this.#powerW * sinkResistanceKPerW;
    this.#dieK = this.#powerW * dieResistanceKPerW;
    this.#governorMhz = this.options.maxClockMhz;
  }

  get temperatureC(): number {
    return this.#sinkC + this.#dieK;
  }

  get clockMhz(): number {
    const { hardwareClockMhz } = this.options;
    const capped = this.#hardwareSlowdown && this.cooling.governor;
    return capped ? Math.min(this.#governorMhz, hardwareClockMhz) : this.#governorMhz;
  }

  get powerW(): number {
    return this.#powerW;
  }

  get softwareThermal(): boolean {
    return this.#softwareThermal;
  }

  get hardwareSlowdown(): boolean {
    return this.#hardwareSlowdown;
  }

  /** Latched until `restart`. */
  get shutDown(): boolean {
    return this.#shutDown;
  }

  /** Lets time pass under a constant load. @param utilisation 0–1 */
  advance(elapsedMs: number, utilisation: number): void {
    for (let leftMs = elapsedMs; leftMs > 0; leftMs -= MAX_STEP_MS) {
      this.#step(Math.min(leftMs, MAX_STEP_MS) / 1000, utilisation);
    }
  }

  /** Powers the card up again after a shutdown. It keeps its heat. */
  restart(): void {
    this.#shutDown = false;
    this.#governorMhz = this.options.maxClockMhz;
    this.#setFlags();
  }

  #step(seconds: number, utilisation: number): void {
    const o = this.options;
    const { sinkFactor, inletDeltaK } = this.cooling;
    const clockShare = (this.clockMhz / o.maxClockMhz) ** o.clockPowerExponent;
    this.#powerW = this.#shutDown ? 0 : o.idlePowerW + o.loadPowerW * utilisation * clockShare;
    const outflowW = (this.#sinkC - o.ambientC - inletDeltaK) / (o.sinkResistanceKPerW * sinkFactor);
    this.#sinkC += (seconds * (this.#powerW - outflowW)) / o.sinkCapacityJPerK;
    const dieTargetK = this.#powerW * o.dieResistanceKPerW;
    this.#dieK += (seconds * (dieTargetK - this.#dieK)) / (o.dieTimeConstantMs / 1000);
    this.#setFlags();
    this.#govern(seconds);
  }

  #setFlags(): void {
    const o = this.options;
    const celsius = this.temperatureC;
    if (celsius >= o.softwareSetC) this.#softwareThermal = true;
    else if (celsius < o.softwareClearC) this.#softwareThermal = false;
    if (celsius >= o.hardwareSetC) this.#hardwareSlowdown = true;
    else if (celsius < o.hardwareClearC) this.#hardwareSlowdown = false;
    if (celsius >= o.shutdownC) this.#shutDown = true;
  }

  #govern(seconds: number): void {
    if (!this.cooling.governor) {
      this.#governorMhz = this.options.maxClockMhz;
      return;
    }
    const o = this.options;
    const celsius = this.temperatureC;
    const paceMhz = o.governorMhzPerSecond * seconds;
    if (this.#softwareThermal) {
      this.#moveClock(o.softwareClockMhz, o.softwareMhzPerSecond * seconds);
    } else if (celsius >= o.targetC) {
      this.#moveClock(o.targetClockMhz, paceMhz);
    } else if (celsius < o.releaseC) {
      this.#moveClock(o.maxClockMhz, paceMhz);
    }
  }

  #moveClock(towardsMhz: number, byMhz: number): void {
    const distanceMhz = towardsMhz - this.#governorMhz;
    const movedMhz = this.#governorMhz + Math.sign(distanceMhz) * Math.min(Math.abs(distanceMhz), byMhz);
    this.#governorMhz = Math.max(this.options.minClockMhz, movedMhz);
  }
}
