import { readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Sabotage } from '#tests/chaos/sabotage/sabotage.ts';
import { SCENARIOS } from '#tests/chaos/scenarios.ts';
import { ROOT } from '#tests/support/system.ts';

/** Running one takes half a minute, and `npm test` draws twenty: whether they still fit the code is seen for all. */
describe.each(Object.entries(SCENARIOS))('the sabotages of %s', (suite, names) => {
  it('are there for each scenario, and change the code in one place', async () => {
    const { sabotage } = (await import(`../chaos/sabotage/${suite}.ts`)) as {
      sabotage: Record<string, Sabotage>;
    };
    expect(Object.keys(sabotage).toSorted()).toEqual(Object.keys(names).toSorted());
    for (const [name, { file, find, replace }] of Object.entries(sabotage)) {
      const code = readFileSync(join(ROOT, file), 'utf8');
      expect(code.split(find).length - 1, `${name}: places in ${file}`).toBe(1);
      const broken = code.replace(find, () => replace);
      expect(broken, name).not.toBe(code);
      expect(() => stripTypeScriptTypes(broken), name).not.toThrow();
    }
  });
});
