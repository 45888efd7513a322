import type { SCENARIOS, Suite } from '../scenarios.ts';

/** A one-line patch that takes one promised behaviour out of the product: the scenario's test must notice. */
export interface Sabotage {
  /** The behaviour that is gone. */
  breaks: string;
  /** Below `lib/` or `server/`. */
  file: string;
  /** Occurs exactly once in the file. */
  find: string;
  replace: string;
}

/** One for each scenario of a suite; `tests/chaos/sabotage/<suite>.ts` exports it as `sabotage`. */
export type SabotagesOf<Name extends Suite> = Record<keyof (typeof SCENARIOS)[Name] & string, Sabotage>;
