import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ServiceProxy } from '#lib/chaos/proxy/service-proxy.ts';
import { cameraName, loadCredentials } from '#server/pipeline/intake/credentials.ts';
import { type Bench, makeBench } from '#server/pipeline/intake/intake-fixture.ts';
import { type ProxyHarness, startProxyHarness } from '#tests/support/proxy-harness.ts';
import { FtpLane, masked, startKeepingTap } from './ftp-lane.ts';
import { ftpSequence } from './ftp-sequences.ts';

const SEED = 20_260_409;
const SEQUENCES = 10_000;
const LANES = 6;
/** Longer than the test. */
const TTL_MS = 600_000;
const STORED_AT_LEAST = 100;

let bench: Bench;
let harness: ProxyHarness;
let proxy: ServiceProxy;
let tap: Awaited<ReturnType<typeof startKeepingTap>>;
/** Clients of the proxy. */
const clients: FtpLane[] = [];

beforeAll(async () => {
  bench = await makeBench({ uploadTimeoutMs: 600_000 }); // nothing is given up meanwhile
  harness = startProxyHarness();
  tap = await startKeepingTap({ host: '127.0.0.1', port: bench.intake.ftpPort });
  proxy = await harness.open('ftp', tap);
}, 60_000);
afterAll(async () => {
  await harness?.close();
  await bench?.close();
  await tap?.close();
});

/** Runs sequences `from` to before `to`, each past the proxy and through it, on all lanes at once. */
async function runAll(from: number, to: number): Promise<void> {
  const credentials = await loadCredentials(bench.dataDir);
  const incomingDir = join(bench.dataDir, 'incoming');
  const makeLane = (port: number, index: number) => {
    const camera = cameraName(index);
    return new FtpLane({ port, camera, password: credentials[camera] ?? '', incomingDir });
  };
  let next = from;
  await Promise.all(
    Array.from({ length: LANES }, async (_, index) => {
      // Of two cameras, so that a file of the same name is one of each.
      const direct = makeLane(bench.intake.ftpPort, 2 * index);
      const proxied = makeLane(proxy.port, 2 * index + 1);
      clients.push(proxied);
      try {
        for (let n = next++; n < to; n = next++) {
          const sequence = ftpSequence(SEED, n);
          try {
            const [expected, got] = await Promise.all([
              direct.run(sequence, false),
              proxied.run(sequence, true),
            ]);
            expect(got).toBe(expected);
          } catch (error) {
            next = to;
            const told = JSON.stringify(sequence.steps).slice(0, 600);
            throw new Error(`Seed ${SEED}, sequence ${n}: ${(error as Error).message}\n${told}`, {
              cause: error,
            });
          }
        }
      } finally {
        direct.end();
        proxied.end();
      }
    }),
  );
}

describe('FTP through an idle aware proxy', () => {
  it('answers as without it, and stores what was sent, in every one of 10 000 random sequences', async () => {
    await runAll(0, SEQUENCES / 2);
    // The same while every command is judged, by faults that hit none.
    await harness.arm('ftp', 'intermittent', { ratio: 0, ttlMs: TTL_MS });
    await harness.arm('ftp', 'server_error', { match: { file: 'in no sequence' }, ttlMs: TTL_MS });
    await harness.arm('ftp', 'latency', { params: { latencyMs: 0 }, ttlMs: TTL_MS });
    await runAll(SEQUENCES / 2, SEQUENCES);
    const [uploads, , commands] = harness.injector.activity();
    expect(uploads).toMatchObject({ hits: 0 });
    expect(uploads?.seen).toBeGreaterThan(STORED_AT_LEAST / 2);
    expect(commands?.seen).toBeGreaterThan(SEQUENCES);
    expect(clients.reduce((sum, { stored }) => sum + stored, 0)).toBeGreaterThan(STORED_AT_LEAST);
  }, 240_000);

  it('passes the same bytes on both of its sides, the address of data connections apart', () => {
    const inside = tap.kept.map(({ up, down }) =>
      [Buffer.concat(up).toString('latin1'), text(down)].join('|'),
    );
    const outside = clients
      .flatMap(({ connections }) => connections)
      .map(({ sent, got }) => [Buffer.concat(sent).toString('latin1'), text(got)].join('|'));
    expect(outside.length).toBeGreaterThan(100);
    expect(inside.sort()).toEqual(outside.sort());
  });
});

function text(bytes: readonly Buffer[]): string {
  return masked(Buffer.concat(bytes).toString('latin1'));
}
