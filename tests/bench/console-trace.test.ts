import { expect, it } from 'vitest';
import { inWords } from './console-trace.ts';

const on = (tid: number) => ({ ph: 'X', pid: 1, tid });

it('names the longest tasks of the busiest main thread with their largest part', () => {
  const words = inWords(
    [
      { ...on(1), name: 'thread_name', ts: 0, args: { name: 'CrRendererMain' } },
      { ...on(2), name: 'thread_name', ts: 0, args: { name: 'CrRendererMain' } },
      { ...on(3), name: 'thread_name', ts: 0, args: { name: 'Compositor' } },
      { ...on(1), name: 'ThreadControllerImpl::RunTask', ts: 0, dur: 900_000 },
      { ...on(3), name: 'RunTask', ts: 0, dur: 800_000 },
      { ...on(3), name: 'RunTask', ts: 900_000, dur: 800_000 },
      { ...on(3), name: 'Paint', ts: 900_000, dur: 800_000 },
      { ...on(2), name: 'ThreadControllerImpl::RunTask', ts: 0, dur: 5000 },
      { ...on(2), name: 'ThreadControllerImpl::RunTask', ts: 10_000, dur: 61_000 },
      { ...on(2), name: 'Layout', ts: 11_000, dur: 2000 },
      {
        ...on(2),
        name: 'FunctionCall',
        ts: 12_000,
        dur: 50_000,
        args: { data: { functionName: 'draw', url: 'http://x/_next/a.js?v=1' } },
      },
    ],
    10_000,
  );
  expect(words).toBe(
    'Longest tasks of the main thread in a trace of 10 s: 61.0 ms (FunctionCall 50.0 ms, draw in a.js), 5.0 ms.',
  );
});
