import fc from 'fast-check';

/** A mutant must meet the same schedules each time, or its score would be chance. */
export const MUTATION_SEED = 20_261_122;

fc.configureGlobal({ seed: MUTATION_SEED });
