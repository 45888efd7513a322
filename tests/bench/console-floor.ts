import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CHARTS } from '#components/charts/chart-definitions.ts';
import type { TestBrowser } from '#tests/support/browser.ts';
import { type ProbedPage, probed } from './console-page.ts';

const FILES: Readonly<Record<string, { type: string; body: string }>> = {
  '/bench-floor.html': {
    type: 'text/html',
    body: `<!doctype html><title>Floor</title><link rel="stylesheet" href="/bench-floor.css">
<script src="/bench-floor-uplot.js"></script><script src="/bench-floor-io.js"></script>
<body style="display:grid;grid-template-columns:repeat(4,200px);gap:6px;background:#0b0e13"></body>`,
  },
  '/bench-floor.css': { type: 'text/css', body: packaged('uplot/dist/uPlot.min.css') },
  '/bench-floor-uplot.js': { type: 'text/javascript', body: packaged('uplot/dist/uPlot.iife.min.js') },
  '/bench-floor-io.js': { type: 'text/javascript', body: packaged('socket.io-client/dist/socket.io.js') },
};

function packaged(path: string): string {
  return readFileSync(fileURLToPath(import.meta.resolve(path)), 'utf8');
}

const CHARTS_OF_FLOOR = CHARTS.map(({ series }) =>
  series.map(({ metric, factor = 1 }) => ({ metric, factor })),
);
type FloorChart = (typeof CHARTS_OF_FLOOR)[number];

/** The same series, live and from the same history, in eight bare uPlot charts, in a page of the same origin. */
export async function openFloor(browser: TestBrowser, url: string, windowMs: number): Promise<ProbedPage> {
  const page = await browser.context.newPage();
  for (const [path, { type, body }] of Object.entries(FILES))
    await page.route(`${url}${path}`, (route) => route.fulfill({ contentType: type, body }));
  await page.goto(`${url}/bench-floor.html`);
  await page.evaluate(drawFloor, { charts: CHARTS_OF_FLOOR, windowMs });
  return probed(page, browser);
}

/** Runs in the page. Every chart is drawn anew once a second, as often as each of the console's. */
async function drawFloor({ charts, windowMs }: { charts: FloorChart[]; windowMs: number }): Promise<void> {
  interface Plot {
    setData(data: (number | null)[][]): void;
  }
  interface Tick {
    at: number;
    values: (number | null)[];
  }
  const { uPlot, io } = window as unknown as {
    uPlot: new (options: object, data: (number | null)[][], target: HTMLElement) => Plot;
    io(namespace: string, options: object): { on(event: string, take: (sent: never) => void): void };
  };
  const metrics = [...new Set(charts.flat().map(({ metric }) => metric))];
  const times: number[] = [];
  const values = new Map<string, (number | null)[]>(metrics.map((metric) => [metric, []]));
  const query = new URLSearchParams({
    names: metrics.join(','),
    fromMs: String(Math.round(Date.now() - windowMs)),
    stepMs: '500',
  });
  const { series } = (await (await fetch(`/api/v1/series?${query}`)).json()) as {
    series: { name: string; startAt: number; stepMs: number; values: (number | null)[] }[];
  };
  const length = series[0]?.values.length ?? 0;
  for (let index = 0; index < length; index++) times.push((series[0]?.startAt ?? 0) + index * 500);
  for (const [metric, kept] of values) {
    const past = series.find(({ name }) => name === metric)?.values;
    kept.push(...(past ?? new Array<null>(length).fill(null)));
  }
  const dataOf = (chart: FloorChart) => [
    times.map((at) => at / 1000),
    ...chart.map(({ metric, factor }) =>
      (values.get(metric) ?? []).map((value) => (value === null ? null : value * factor)),
    ),
  ];
  const plots = charts.map((chart) => {
    const options = {
      width: 200,
      height: 120,
      legend: { show: false },
      cursor: { show: false },
      axes: [{ show: false }, { size: 34, stroke: '#9aa4b2' }],
      series: [{}, ...chart.map((_, index) => ({ stroke: ['#9aa4b2', '#56b4e9', '#e69f00'][index % 3] }))],
    };
    return { chart, plot: new uPlot(options, dataOf(chart), document.body) };
  });
  let layout: string[] = [];
  let drawnMs = 0;
  const live = io('/live', { transports: ['websocket'] });
  live.on('layout', ({ metrics: declared }: { metrics: { name: string }[] }) => {
    layout = declared.map(({ name }) => name);
  });
  live.on('tick', ({ at, values: newest }: Tick) => {
    times.push(at);
    for (const [metric, kept] of values) kept.push(newest[layout.indexOf(metric)] ?? null);
    while ((times[0] ?? at) < at - windowMs) {
      times.shift();
      for (const kept of values.values()) kept.shift();
    }
    if (performance.now() - drawnMs < 900) return;
    drawnMs = performance.now();
    requestAnimationFrame(() => {
      for (const { chart, plot } of plots) plot.setData(dataOf(chart));
    });
  });
}
