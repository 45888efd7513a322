import { expect, it } from 'vitest';
import { CHARTS } from '../charts/chart-definitions.ts';
import { CHART_TABS } from './part-places.ts';

it('keeps a place for each chart of the console, on its tabs, in its order', () => {
  expect(Object.entries(CHART_TABS)).toEqual(CHARTS.map(({ id, tabs }) => [id, tabs]));
});
