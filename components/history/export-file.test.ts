import { describe, expect, it } from 'vitest';
import { FACT_FILTER_NONE } from '#lib/protocol/fact-filter.ts';
import { exportPath } from './export-file.ts';

const range = { fromAt: 1_000.4, toAt: 61_000 };

describe('exportPath', () => {
  it('asks for whole milliseconds and nothing that is not filtered', () => {
    expect(exportPath('facts', 'csv', range, FACT_FILTER_NONE)).toBe(
      '/api/v1/export/facts?fromMs=1000&toMs=61000&format=csv',
    );
  });

  it('gives the filter to facts, not to series', () => {
    const filter = { types: ['note', 'alert'], services: ['redis'], faultId: 'f1' } as const;
    expect(exportPath('facts', 'json', range, filter)).toBe(
      '/api/v1/export/facts?fromMs=1000&toMs=61000&format=json&types=note%2Calert&services=redis&faultId=f1',
    );
    expect(exportPath('series', 'json', range, filter)).toBe(
      '/api/v1/export/series?fromMs=1000&toMs=61000&format=json',
    );
  });
});
