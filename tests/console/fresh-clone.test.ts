import { describe, it } from 'vitest';
import { startFreshClone } from '#tests/support/fresh-clone.ts';

/** Packages and build are this run's own, made from a bare checkout by the same scripts; all of it: `npm run soak`. */
describe('a clone', () => {
  it('npm start: serves the page, and frames flow to stored events', async () => {
    await startFreshClone({ installed: true });
  });
});
