import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { describeCatalogue } from './describe-catalogue.ts';

describe('docs/faults.md', () => {
  it('says what the catalogue says', () => {
    const page = readFileSync(fileURLToPath(new URL('../../docs/faults.md', import.meta.url)), 'utf8');
    expect(page).toBe(describeCatalogue());
  });
});
