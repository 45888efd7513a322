import { describe, expect, it } from 'vitest';
import type { ProcessStatus, State } from '#lib/protocol/state.ts';
import { silentPipeline } from './silent-pipeline.ts';

function makeState(state: ProcessStatus['state'], faults: Partial<State['faults'][number]>[] = []) {
  const processes = [{ name: 'pipeline', state }];
  return { supervisor: { processes, ageMs: 0 }, faults } as unknown as State;
}

describe('silentPipeline', () => {
  it('is ours while a fault holds or pauses it, or acts on it', () => {
    expect(silentPipeline(makeState('held'))).toMatchObject({
      origin: 'injected',
      text: 'pipeline is HELD DOWN',
    });
    expect(silentPipeline(makeState('paused')).origin).toBe('injected');
    expect(silentPipeline(makeState('starting', [{ service: 'pipeline', params: {} }])).origin).toBe(
      'injected',
    );
  });

  it('is not ours when it hangs, or went by itself', () => {
    expect(silentPipeline(makeState('up'))).toMatchObject({
      service: 'pipeline',
      origin: 'organic',
      text: 'pipeline does not report',
    });
    expect(silentPipeline(makeState('down'))).toMatchObject({ origin: 'organic', text: 'pipeline is DOWN' });
    expect(silentPipeline({ supervisor: null, faults: [] }).origin).toBe('organic');
  });
});
