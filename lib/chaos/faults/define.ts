import { z } from 'zod';
import type {
  FailureKind,
  FaultParams,
  FaultPlane,
  FaultPulse,
  InjectorName,
  MatchKind,
  ServiceName,
} from './fault.ts';
import type { ProxyRule } from './proxy-rule.ts';

/** How the seed document words what must happen to the system under the fault. */
export interface FaultPromise {
  readonly service: ServiceName;
  readonly text: string;
}

/**
 * One fault type, declared once, as the default export of a file of its own in `types/`. Forms, REST validation,
 * OpenAPI, the docs page, what the proxies do and which failures are blamed on it are made from it.
 *
 * `params` is a strict zod object; give each field `.default()` and `.meta({ title, description, unit })`, so that
 * an empty object is always a valid set of parameters.
 */
export interface FaultType {
  readonly type: string;
  /** Its place among the types offered, low ones first. @default after all the others */
  readonly order?: number;
  /** Two or three words for a switch. */
  readonly title: string;
  /** One sentence: what the peers see. */
  readonly description: string;
  readonly plane: FaultPlane;
  readonly services: readonly ServiceName[];
  readonly params: z.ZodObject;
  /** Default share of calls hit, 0–1. @default 1 */
  readonly defaultRatio?: number;
  /** The process that acts, when it does not follow from the service (see `injectorFor`). */
  readonly injector?: InjectorName;
  /** False: it changes a state instead of hitting calls, so that no first calls and no ramp exist. @default true */
  readonly perCall?: boolean;
  /** Services on which it changes a state all the same. @default none */
  readonly stateOn?: readonly ServiceName[];
  /** What a `match` can name, when that does not follow from service and plane (see `matchKindsOf`). */
  readonly matches?: readonly MatchKind[];
  /** A ramp makes its delay grow; otherwise its ratio. */
  readonly rampsDelay?: boolean;
  /** Turns of acting and not acting that belong to the type itself. */
  readonly rhythm?: (params: FaultParams) => FaultPulse;
  /** What the fault proxies do for it; absent for a type that acts inside a process. */
  readonly proxy?: ProxyRule;
  /** The error with which the intake's file system fails, at the step that the parameter `step` names. */
  readonly fileError?: { readonly code: string; readonly text: string };
  /**
   * The failures that it can make, with what a client makes of it: one that waited in vain drops its connection, one
   * whose greeting was answered by an error has none. A failed call of another kind is not blamed on it. @default any
   */
  readonly makes?: readonly FailureKind[];
  /** One for each service of the catalogue's types. */
  readonly promises?: readonly FaultPromise[];
}

/** Checks a declaration at load: a type whose defaults do not pass its own schema is a programmer's mistake. */
export function defineFaultType<const T extends FaultType>(declaration: T): T {
  const { type, params, services, defaultRatio } = declaration;
  if (!/^[a-z][a-z0-9_]*$/.test(type)) throw new TypeError(`Expected a snake_case fault type, got "${type}"`);
  if (services.length === 0) throw new TypeError(`Fault type "${type}" names no service`);
  if (defaultRatio !== undefined && !(defaultRatio >= 0 && defaultRatio <= 1)) {
    throw new RangeError(`Expected defaultRatio of "${type}" to be from 0 to 1, got ${defaultRatio}`);
  }
  const parsed = params.safeParse({});
  if (!parsed.success) {
    throw new TypeError(`Fault type "${type}" has a parameter without default: ${parsed.error.message}`);
  }
  return declaration;
}

/** A whole number of milliseconds with a default and a range, for fault parameters. */
export function milliseconds(
  title: string,
  range: { min: number; max: number; default: number },
  description = title,
) {
  return z
    .number()
    .int()
    .min(range.min)
    .max(range.max)
    .default(range.default)
    .meta({ title, description, unit: 'ms' });
}
