import { describe, expect, it } from 'vitest';
import type { Fact } from '../../lib/protocol/facts.ts';
import type { Series } from '../../lib/protocol/metrics.ts';
import { factsCsv, factsJson, fileResponse, seriesCsv, seriesJson } from './export-files.ts';

const RANGE = { fromMs: 0, toMs: 2_000_000 };
const FACTS: Fact[] = Array.from({ length: 1203 }, (_, index) => ({
  seq: index + 1,
  at: index * 1000,
  type: 'note',
  subject: 'Ana',
  data: { by: 'Ana', text: `note ${index + 1}` },
}));
const WINDOW = {
  ...RANGE,
  facts: FACTS,
  standing: { mode: null, breakers: [], faults: [], halted: false },
  seq: FACTS.length,
  gap: false,
  more: false,
};
const SERIES: Series[] = ['a', 'b'].map((name) => ({
  name,
  unit: 'ms',
  startAt: 0,
  stepMs: 1000,
  values: Array.from({ length: 1203 }, (_, index) => (index % 3 === 0 ? null : index)),
}));

describe('an export', () => {
  it('holds each fact and each sample once, in however many parts it is made', async () => {
    const csv = await fileResponse('facts', 'csv', RANGE, factsCsv(FACTS)).text();
    const rows = csv.trimEnd().split('\r\n').slice(1);
    expect(rows.map((row) => Number(row.split(',')[0]))).toEqual(FACTS.map(({ seq }) => seq));
    const { seq: _seq, more: _more, ...told } = WINDOW;
    expect(await fileResponse('facts', 'json', RANGE, factsJson(WINDOW)).json()).toEqual(told);

    const samples = await fileResponse('series', 'csv', RANGE, seriesCsv(SERIES)).text();
    const [head, first, second, ...more] = samples.trimEnd().split('\r\n');
    expect(head).toBe('time,epochMs,a (ms),b (ms)');
    expect(first).toBe('1970-01-01T00:00:00.000Z,0,,');
    expect(second).toBe('1970-01-01T00:00:01.000Z,1000,1,1');
    expect(more).toHaveLength(1201);
    expect(await fileResponse('series', 'json', RANGE, seriesJson(RANGE, SERIES)).json()).toEqual({
      ...RANGE,
      series: SERIES,
    });
  });

  it('of nothing is whole as well', async () => {
    expect(await fileResponse('facts', 'csv', RANGE, factsCsv([])).text()).toMatch(/^seq,time.*\r\n$/);
    const none = await fileResponse('facts', 'json', RANGE, factsJson({ ...WINDOW, facts: [] })).json();
    expect(none).toMatchObject({ facts: [] });
    expect(await fileResponse('series', 'json', RANGE, seriesJson(RANGE, [])).json()).toMatchObject({
      series: [],
    });
  });

  it('lets other work go on between two parts', async () => {
    let ended = false;
    const reading = fileResponse('facts', 'csv', RANGE, factsCsv(FACTS))
      .text()
      .finally(() => {
        ended = true;
      });
    let turns = 0;
    while (!ended) {
      await new Promise((resolve) => setImmediate(resolve));
      turns++;
    }
    await reading;
    expect(turns).toBeGreaterThan(3); // its head, and three parts of 500 rows
  });
});
