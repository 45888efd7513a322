import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT, startSystem } from '#tests/support/system.ts';
import { until } from '#tests/support/until.ts';
import { accountFor, untilRecovered } from '#tests/support/witness.ts';

const MINUTES = 5;
const RATE = 5;

/** The real frames when they are at hand, else the dozen in the fixtures. */
const FRAMES = process.env['CAMERA_FRAMES_DIR'] ?? join(ROOT, '..', 'shared', 'data', 'camera-frames');

describe(`real frames at ${RATE} a second for ${MINUTES} minutes without a fault`, () => {
  it('gives each upload one home and one event, in mode NORMAL, without an error in the log', async () => {
    const startedAt = new Date().toISOString();
    const system = await startSystem({ cameraRate: RATE, env: { CAMERA_FRAMES_DIR: FRAMES } });
    const modes = new Set<string | null>();
    await until('the mode is known', 30_000, async () => (await system.state()).mode === 'NORMAL');
    const endAt = performance.now() + MINUTES * 60_000;
    while (performance.now() < endAt) {
      modes.add((await system.state()).mode);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    const stoppedAt = Date.now();
    await untilRecovered(system);
    const accounts = await accountFor(system, stoppedAt);
    const ledger = (await system.state()).pipeline?.ledger;
    const errors = ['control', 'proxy', 'inference', 'pipeline', 'cameras'].flatMap((name) =>
      system.log(name).filter((line) => Number(line['level']) >= 50),
    );
    const infoLines = system.log('pipeline').filter((line) => Number(line['level']) === 30);
    const withInfo = new Set(infoLines.map((line) => line['uploadId']).filter((id) => id !== undefined));
    const accepted = system.accepted().filter((upload) => upload.acceptedAt < stoppedAt);
    const withoutInfo = accepted.filter(
      (upload) => upload.uploadId !== null && !withInfo.has(upload.uploadId),
    );

    const proof = {
      what: `the real frames at ${RATE} a second for ${MINUTES} minutes without a fault`,
      startedAt,
      commit: execFileSync('git', ['rev-parse', 'HEAD'], { cwd: ROOT, encoding: 'utf8' }).trim(),
      machine: {
        cpu: cpus()[0]?.model,
        cores: cpus().length,
        node: process.version,
        platform: process.platform,
      },
      seed: null,
      modes: [...modes],
      ...accounts,
      ledger,
      errorsInLog: errors.length,
      uploadsWithoutInfoLine: withoutInfo.length,
    };
    mkdirSync(join(ROOT, 'docs', 'proof'), { recursive: true });
    writeFileSync(
      join(ROOT, 'docs', 'proof', 'normal-operation.json'),
      `${JSON.stringify(proof, null, 2)}\n`,
    );
    await system.close();

    expect(accounts.accepted).toBeGreaterThan(RATE * MINUTES * 60 * 0.9);
    expect([accounts.homeless, accounts.doubled, accounts.eventless]).toEqual([[], [], []]);
    expect([...modes]).toEqual(['NORMAL']);
    expect(errors).toEqual([]);
    expect(withoutInfo).toEqual([]);
    expect([ledger?.lost, ledger?.doubled]).toEqual([0, 0]);
  });
});
