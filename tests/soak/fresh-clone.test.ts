import { describe, it } from 'vitest';
import { startFreshClone } from '#tests/support/fresh-clone.ts';

describe('a fresh clone', () => {
  it('npm start: installs, builds, serves the page, and frames flow to stored events', async () => {
    await startFreshClone({ installed: false });
  });
});
