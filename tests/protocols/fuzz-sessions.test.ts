import { describe, expect, it } from 'vitest';
import { systemClock } from '#lib/chaos/clock.ts';
import { FtpSession } from '#lib/chaos/proxy/ftp/ftp-session.ts';
import { passivePort } from '#lib/chaos/proxy/ftp/replies.ts';
import { createRandom } from '#lib/chaos/random.ts';
import { cuttings, hostileStreams, mutate, randomCut } from '#tests/support/hostile-bytes.ts';
import {
  armedFaults,
  type BenchFault,
  type BenchResult,
  SessionBench,
} from '#tests/support/session-bench.ts';
import { TRANSCRIPTS, type Transcript } from '#tests/support/transcripts.ts';
import { until } from '#tests/support/until.ts';

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

describe('Passive replies', () => {
  const replies =
    '220 hi\r\n227 Go (127,0,0,1,78,32)\r\n229 Go (|||20001|)\r\n227 Go (127,0,0,1,999,999)\r\n200 ok\r\n';

  it('are rewritten to ports of the proxy, in order, cut at every boundary', async () => {
    const { faults, injector } = await armedFaults('ftp', NOTHING);
    for (const chunks of cuttings(Buffer.from(replies))) {
      const bench = new SessionBench(faults, (link) => new FtpSession(link, systemClock));
      for (const chunk of chunks) bench.fromServer(chunk);
      const text = await until(
        'all replies have come',
        10_000,
        () => {
          bench.fromServer(Buffer.alloc(0)); // whatever waited for a port goes on
          return bench.result.toClient.endsWith('200 ok\r\n') ? bench.result.toClient : undefined;
        },
        1,
      );
      const [, passive = '', extended = '', unknown = ''] = text.split('\r\n');
      const ports = [passivePort(passive), passivePort(extended)];
      expect(
        ports.every((port) => port !== undefined && port !== 20_000 && port !== 20_001),
        text,
      ).toBe(true);
      expect(passive).toMatch(/^227 Go \(127,0,0,1,\d+,\d+\)$/);
      expect(unknown).toBe('227 Go (127,0,0,1,999,999)'); // no port that could be dialled
      bench.end();
    }
    await injector.close();
  });
});
