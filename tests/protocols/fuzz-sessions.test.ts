import { describe, expect, it } from 'vitest';
import { createRandom } from '#lib/chaos/random.ts';
import { cuttings, hostileStreams, mutate, randomCut } from '#tests/support/hostile-bytes.ts';
import {
  armedFaults,
  type BenchFault,
  type BenchResult,
  SessionBench,
} from '#tests/support/session-bench.ts';
import { TRANSCRIPTS, type Transcript } from '#tests/support/transcripts.ts';

/** The parser is on, and nothing is hit. */
const NOTHING: BenchFault = {
  type: 'intermittent',
  match: { command: 'no such command', route: 'no such route', sql: 'no such sql', file: 'no such file' },
};
const HALF: BenchFault = { type: 'intermittent', ratio: 0.5 };
const MALFORMED: BenchFault = { type: 'malformed_response', params: { mode: 'score_out_of_range' } };
const CASES = 1000;

async function play(
  { service, createSession }: Transcript,
  fault: BenchFault,
  turns: readonly (readonly ['client' | 'server', Iterable<Buffer>])[],
): Promise<BenchResult> {
  const { faults, injector } = await armedFaults(service, fault);
  const bench = new SessionBench(faults, createSession);
  for (const [from, chunks] of turns) {
    for (const chunk of chunks) {
      if (from === 'client') bench.fromClient(chunk);
      else bench.fromServer(chunk);
    }
  }
  bench.end();
  await injector.close();
  return bench.result;
}

const whole = ({ turns }: Transcript) => turns.map(([from, bytes]) => [from, [bytes]] as const);
const sentBy = ({ turns }: Transcript, side: 'client' | 'server') =>
  Buffer.concat(turns.filter(([from]) => from === side).map(([, bytes]) => bytes)).toString('latin1');

describe.each(TRANSCRIPTS)('A $name session', (transcript) => {
  it('passes a valid conversation as it is when no fault hits', async () => {
    const result = await play(transcript, NOTHING, whole(transcript));
    expect(result).toMatchObject({ degraded: '', gone: '', hits: 0 });
    expect(result.toServer).toBe(sentBy(transcript, 'client'));
    expect(result.toClient).toBe(sentBy(transcript, 'server'));
    expect(result.requests).toBeGreaterThan(2);
  });

  it.each([
    ['no call', NOTHING],
    ['half of the calls', HALF],
  ])('reads the same at every boundary when %s is hit', async (_, fault) => {
    const expected = await play(transcript, fault, whole(transcript));
    if (fault === HALF) expect(expected.hits).toBeGreaterThan(0);
    for (const [index, [from, bytes]] of transcript.turns.entries()) {
      for (const chunks of cuttings(bytes)) {
        const turns = whole(transcript).map((turn, at) => (at === index ? ([from, chunks] as const) : turn));
        expect(await play(transcript, fault, turns), `turn ${index}: ${chunks.length} pieces`).toEqual(
          expected,
        );
      }
    }
  });

  it.each(['client', 'server'] as const)('passes whatever a hostile %s sends, in order', async (side) => {
    const random = createRandom(11);
    const ends = new Map<string, number>();
    for (let n = 0; n < CASES; n++) {
      // Everything up to one turn is valid, and that turn and what follows it of this side are not.
      const turns = transcript.turns.filter(([from]) => from === side).length;
      const spoilt = Math.floor(random() * turns);
      let seen = 0;
      const fed = { client: '', server: '' };
      const hostile = transcript.turns.map(([from, bytes]) => {
        const valid = from !== side || seen++ !== spoilt;
        const sent = valid ? bytes : mutate(bytes, random);
        fed[from] += sent.toString('latin1');
        return [from, valid ? [sent] : randomCut(sent, random)] as const;
      });
      const result = await play(transcript, NOTHING, hostile);
      const what = `case ${n}`;
      expect(fed.client.startsWith(result.toServer), what).toBe(true);
      expect(fed.server.startsWith(result.toClient), what).toBe(true);
      // Bytes that are not understood go on as they are, every one of them.
      if (result.degraded && !result.gone && side === 'client')
        expect(result.toServer, what).toBe(fed.client);
      if (result.degraded && !result.gone) expect(result.toClient, what).toBe(fed.server);
      const end = result.gone || (result.degraded ? 'degraded' : 'open');
      ends.set(end, (ends.get(end) ?? 0) + 1);
    }
    expect([...ends.keys()].every((end) => ['open', 'degraded', 'reset', 'finished'].includes(end))).toBe(
      true,
    );
    expect(ends.get('open') ?? 0).toBeGreaterThan(0);
  });

  it('throws at nothing while half of the calls are hit', async () => {
    const random = createRandom(12);
    const faults = transcript.service === 'yolo26' ? [HALF, MALFORMED] : [HALF];
    const models = transcript.turns.map(([, bytes]) => bytes);
    for (const fault of faults) {
      let hits = 0;
      for (const stream of hostileStreams(13, CASES, models)) {
        const at = Math.floor(random() * transcript.turns.length);
        const turns = whole(transcript).slice(0, at);
        const from = transcript.turns[at]?.[0] ?? 'client';
        const result = await play(transcript, fault, [...turns, [from, randomCut(stream, random)]]);
        expect(['', 'reset', 'finished', 'held']).toContain(result.gone);
        hits += result.hits;
      }
      expect(hits).toBeGreaterThan(CASES / 10);
    }
  });
});
