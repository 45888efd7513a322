import { chmod, copyFile, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ulid } from 'ulid';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createLogger } from '../../logging.ts';
import { loadCredentials } from './credentials.ts';
import { createIntake } from './intake.ts';
import { type Bench, CAMERA, makeBench, makeFrame, PlainFtp, RecordingSink } from './intake-fixture.ts';
import type { IntakeOptions } from './intake-options.ts';

const benches: Bench[] = [];

async function bench(overrides: Partial<IntakeOptions> = {}): Promise<Bench> {
  const made = await makeBench(overrides);
  benches.push(made);
  return made;
}

afterEach(async () => {
  for (const made of benches.splice(0)) await made.close();
});

const until = <T>(check: () => T | Promise<T>) => vi.waitFor(check, { timeout: 10_000, interval: 10 });

function idIn(reply: string): string {
  const id = /[0-9A-HJKMNP-TV-Z]{26}/.exec(reply)?.[0];
  if (!id) throw new Error(`No id in "${reply}"`);
  return id;
}

async function sidecars(dataDir: string): Promise<Record<string, unknown>[]> {
  const folder = join(dataDir, 'quarantine');
  const names = (await readdir(folder)).filter((name) => name.endsWith('.json'));
  return Promise.all(names.map(async (name) => JSON.parse(await readFile(join(folder, name), 'utf8'))));
}

describe('intake: the way of an upload', () => {
  it('accepts at the rename, names the id, submits once and keeps the file until it is stored', async () => {
    const { intake, sink, login, dataDir } = await bench();
    const frame = await makeFrame({ sequence: 7 });
    const ftp = await login();
    expect(await ftp.store('a.jpg.part', frame)).toMatch(/^226 Stored/);
    expect((await intake.acceptedIds()).size).toBe(0);
    expect(await ftp.command('SIZE a.jpg.part')).toBe(`213 ${frame.length}`);
    expect(await ftp.command('RNFR a.jpg.part')).toMatch(/^350/);
    const reply = await ftp.command('RNTO a.jpg');
    expect(reply).toMatch(/^250 Accepted as /);
    const id = idIn(reply);

    await until(() => expect(sink.submitted).toHaveLength(1));
    expect(sink.submitted[0]).toMatchObject({
      id,
      camera: CAMERA,
      name: 'a.jpg',
      sizeBytes: frame.length,
      kind: 'image',
      traceId: 'trace-0123456789',
      sequence: 7,
      capturedAt: 1_700_000_000_000,
    });
    expect([...(await intake.acceptedIds()).keys()]).toEqual([id]);
    expect([...(await intake.inboxIds())]).toEqual([id]);
    expect(await intake.locate(id)).toBe(join(dataDir, 'inbox', `${id}.jpg`));

    await intake.store(id);
    await intake.store(id);
    expect((await intake.inboxIds()).size).toBe(0);
    expect(await intake.locate(id)).toContain(join('media', new Date().toISOString().slice(0, 4)));
    expect(await readdir(join(dataDir, 'incoming'))).toEqual([]);
    expect(sink.letters).toEqual([]);
    expect(intake.metrics()).toMatchObject({ uploadsPerSecond: 0.1, sessions: 1, freeRatio: 0.5 });
  });

  it('accepts a direct STOR at its 226', async () => {
    const { intake, sink, login } = await bench();
    const ftp = await login();
    const reply = await ftp.store('direct.jpg', await makeFrame());
    expect(reply).toMatch(/^226 Accepted as /);
    expect((await intake.acceptedIds()).has(idIn(reply))).toBe(true);
    await until(() => expect(sink.submitted).toHaveLength(1));
    expect(sink.submitted[0]).toMatchObject({ capturedAt: null, sequence: null });
  });

  it('keeps two sessions with the same name apart', async () => {
    const { sink, login } = await bench();
    const [one, two] = [await login(), await login()];
    const [frameOne, frameTwo] = [await makeFrame(), Buffer.concat([await makeFrame(), Buffer.alloc(5)])];
    await one.store('same.jpg.part', frameOne);
    await two.store('same.jpg.part', frameTwo);
    expect(await one.command('SIZE same.jpg.part')).toBe(`213 ${frameOne.length}`);
    expect(await two.command('SIZE same.jpg.part')).toBe(`213 ${frameTwo.length}`);
    const ids: string[] = [];
    for (const ftp of [one, two]) {
      await ftp.command('RNFR same.jpg.part');
      ids.push(idIn(await ftp.command('RNTO same.jpg')));
    }
    expect(new Set(ids).size).toBe(2);
    await until(() => expect(sink.submitted.length + sink.letters.length).toBe(2));
  });

  it('lets a camera go on in a new session after its control connection broke', async () => {
    const { sink, login } = await bench();
    const first = await login();
    await first.store('b.jpg.part', await makeFrame());
    first.close();
    const second = await login();
    await until(async () => expect(await second.command('SIZE b.jpg.part')).toMatch(/^213/));
    await second.command('RNFR b.jpg.part');
    expect(await second.command('RNTO b.jpg')).toMatch(/^250/);
    await until(() => expect(sink.submitted).toHaveLength(1));
  });

  it('refuses what could lose or replace an upload', async () => {
    const { login, intake } = await bench();
    const ftp = await login();
    await ftp.store('c.jpg.part', await makeFrame());
    for (const command of [
      'DELE c.jpg.part',
      'APPE c.jpg.part',
      'REST 10',
      'RETR c.jpg.part',
      'MKD x',
      'STOU',
    ]) {
      expect(await ftp.command(command)).toMatch(/^502/);
    }
    await ftp.command('RNFR c.jpg.part');
    expect(await ftp.command('RNTO other.jpg')).toMatch(/^553/);
    await ftp.command('RNFR c.jpg.part');
    expect(await ftp.command('RNTO c.jpg.part')).toMatch(/^553/);
    expect(await ftp.command('RNFR never.part')).toMatch(/^550/);
    expect((await intake.acceptedIds()).size).toBe(0);
    const stranger = await PlainFtp.connect(intake.ftpPort);
    await stranger.command(`USER ${CAMERA}`);
    expect(await stranger.command('PASS wrong-password-here')).toMatch(/^530/);
    expect(await stranger.command('STOR x.jpg')).toMatch(/^530/);
    stranger.close();
  });
});

describe('intake: uploads that break', () => {
  it('quarantines an upload that falls silent, alerts at the fifth and links the one that replaces it', async () => {
    const { sink, login, dataDir } = await bench({ uploadTimeoutMs: 500 });
    const frame = await makeFrame({ traceId: 'trace-of-the-slow' });
    for (let round = 1; round <= 5; round++) {
      const ftp = await login();
      const data = await ftp.beginStore('slow.jpg.part');
      data.write(frame.subarray(0, 4000));
      expect(await ftp.reply()).toMatch(/^426 Upload timed out/);
    }
    await until(() => expect(sink.letters).toHaveLength(5));
    expect(sink.letters[0]).toMatchObject({
      code: 'UPLOAD_TIMEOUT',
      uploadId: null,
      camera: CAMERA,
      name: 'slow.jpg',
      traceId: 'trace-of-the-slow',
    });
    expect(sink.alerts).toEqual([{ code: 'UPLOAD_TIMEOUTS', count: 5 }]);
    expect((await sidecars(dataDir))[0]).toMatchObject({ code: 'UPLOAD_TIMEOUT', sizeBytes: 4000 });

    const id = idIn(await (await login()).upload('slow.jpg', frame));
    await until(() => expect(sink.links).toHaveLength(5));
    expect(sink.links.every(({ uploadId }) => uploadId === id)).toBe(true);
    await until(async () =>
      expect((await sidecars(dataDir)).every(({ resentAs }) => resentAs === id)).toBe(true),
    );
  });

  it('quarantines an upload whose data connection is reset, also of a direct STOR', async () => {
    const { intake, sink, login } = await bench();
    for (const name of ['reset.jpg.part', 'reset.jpg']) {
      const ftp = await login();
      const data = await ftp.beginStore(name);
      await new Promise((resolve) => data.write(Buffer.alloc(20_000, 1), resolve));
      data.resetAndDestroy();
      expect(await ftp.reply()).toMatch(/^426/);
    }
    await until(() =>
      expect(sink.letters.map(({ code }) => code)).toEqual(['INCOMPLETE_UPLOAD', 'INCOMPLETE_UPLOAD']),
    );
    expect((await intake.acceptedIds()).size).toBe(0);
    const ftp = await login();
    expect(await ftp.upload('reset.jpg', await makeFrame())).toMatch(/^250/);
  });

  it('says the true size of an upload cut by FIN, and quarantines the cut one when it is sent again', async () => {
    const { sink, login } = await bench();
    const frame = await makeFrame();
    const ftp = await login();
    expect(await ftp.store('cut.jpg.part', frame.subarray(0, 5000))).toMatch(/^226/);
    expect(await ftp.command('SIZE cut.jpg.part')).toBe('213 5000');
    expect(await ftp.upload('cut.jpg', frame)).toMatch(/^250/);
    await until(() => expect(sink.letters).toMatchObject([{ code: 'INCOMPLETE_UPLOAD', name: 'cut.jpg' }]));
    await until(() => expect(sink.submitted).toMatchObject([{ sizeBytes: frame.length }]));
  });

  it('quarantines a whole part that its vanished camera never renames', async () => {
    const { sink, login, dataDir } = await bench({ uploadTimeoutMs: 150 });
    const ftp = await login();
    await ftp.store('left.jpg.part', await makeFrame());
    ftp.close();
    await until(() => expect(sink.letters).toMatchObject([{ code: 'UPLOAD_TIMEOUT', name: 'left.jpg' }]));
    await until(async () => expect(await readdir(join(dataDir, 'incoming'))).toEqual([]));
  });

  it('links a first try that is given up only after the second was accepted', async () => {
    const { sink, login } = await bench({ uploadTimeoutMs: 2500 });
    const frame = await makeFrame();
    const first = await login();
    await first.store('again.jpg.part', frame.subarray(0, 5000));
    const id = idIn(await (await login()).upload('again.jpg', frame));
    expect(sink.letters).toEqual([]);
    first.close();
    await until(() => expect(sink.links).toMatchObject([{ uploadId: id }]));
    expect(sink.letters).toMatchObject([{ key: sink.links[0]?.key, code: 'UPLOAD_TIMEOUT' }]);
  });

  it('refuses with 452 while the disk is full, warns while it is low', async () => {
    let freeRatio = 0.05;
    const { sink, login } = await bench({ probeDisk: async () => freeRatio, diskProbeMs: 20 });
    expect(sink.alerts).toEqual([{ code: 'DISK_LOW', count: 1 }]);
    const ftp = await login();
    expect(await ftp.upload('low.jpg', await makeFrame())).toMatch(/^250/);
    freeRatio = 0.01;
    await until(() => expect(sink.alerts).toContainEqual({ code: 'DISK_FULL', count: 1 }));
    await expect(ftp.beginStore('full.jpg')).rejects.toThrow(/^452/);
    freeRatio = 0.5;
    await until(async () => expect(await ftp.upload('after.jpg', await makeFrame())).toMatch(/^250/));
  });
});

describe('intake: uploads that are refused after acceptance', () => {
  it.each([
    ['UNSUPPORTED_FORMAT', 'report.pdf', async () => Buffer.alloc(20_000, 1)],
    ['TOO_SMALL', 'zero.jpg', async () => Buffer.alloc(0)],
    ['TOO_SMALL', 'small.jpg', async () => (await makeFrame()).subarray(0, 5000)],
    ['TOO_LARGE', 'large.jpg', async () => Buffer.concat([await makeFrame(), Buffer.alloc(200_000)])],
    ['CORRUPT_IMAGE', 'text.jpg', async () => Buffer.from('not a picture '.repeat(1000))],
    ['CORRUPT_IMAGE', 'truncated.jpg', async () => (await makeFrame()).subarray(0, -2000)],
    ['CORRUPT_VIDEO', 'clip.mp4', async () => Buffer.alloc(20_000, 1)],
  ])('%s: %s', async (code, name, content) => {
    const { intake, sink, login, dataDir } = await bench({ maxBytes: 150_000 });
    const id = idIn(await (await login()).upload(name, await content()));
    await until(() => expect(sink.letters).toMatchObject([{ code, name, uploadId: id }]));
    expect([...(await intake.quarantinedIds())]).toEqual([id]);
    expect((await intake.inboxIds()).size).toBe(0);
    expect((await intake.acceptedIds()).has(id)).toBe(true);
    expect(sink.submitted).toEqual([]);
    await until(async () =>
      expect(await sidecars(dataDir)).toMatchObject([{ code, uploadId: id, reported: true }]),
    );
  });

  it('puts a quarantined upload through validation again when its dead letter is re-driven', async () => {
    const { intake, sink, login } = await bench();
    const id = idIn(await (await login()).upload('bad.jpg', Buffer.alloc(20_000, 1)));
    await until(() => expect(sink.letters).toHaveLength(1));
    await until(() => expect(sink.letters).toHaveLength(1));
    await intake.resubmit(id);
    await until(() => expect(sink.letters).toHaveLength(2));
    expect([...(await intake.quarantinedIds())]).toEqual([id]);
    expect((await intake.inboxIds()).size).toBe(0);
  });
});

describe('intake: hand-over', () => {
  it('records equal bytes as a duplicate and takes the file away', async () => {
    const { intake, sink, login } = await bench();
    const frame = await makeFrame();
    const ftp = await login();
    const first = idIn(await ftp.upload('one.jpg', frame));
    await until(() => expect(sink.submitted).toHaveLength(1));
    const second = idIn(await ftp.upload('two.jpg', frame));
    await until(() => expect(sink.duplicates).toEqual([{ id: second, originalId: first }]));
    await until(async () => expect([...(await intake.inboxIds())]).toEqual([first]));
    expect(sink.submitted).toHaveLength(1);
  });

  it('tries again when queuing fails, gives the hash back each time, and says when it is stuck', async () => {
    const { sink, login } = await bench();
    let calls = 0;
    sink.onSubmit = ({ sha256 }) => {
      calls++;
      expect(sink.hashes.has(sha256)).toBe(true);
      if (calls <= 5) throw new Error('no tier takes it');
    };
    const release = vi.spyOn(sink, 'releaseHash');
    await (await login()).upload('retry.jpg', await makeFrame());
    await until(() => expect(sink.submitted).toHaveLength(1));
    expect(release).toHaveBeenCalledTimes(5);
    expect(sink.alerts).toEqual([{ code: 'UPLOAD_STUCK', count: 5 }]);
  });

  it('goes on counting the failed tries of an upload that is submitted again meanwhile', async () => {
    const { intake, sink, login } = await bench({ retryMs: 60_000 });
    sink.onSubmit = () => {
      throw new Error('no tier takes it');
    };
    const id = idIn(await (await login()).upload('retry.jpg', await makeFrame()));
    await until(async () => {
      await intake.resubmit(id);
      expect(sink.alerts).toEqual([{ code: 'UPLOAD_STUCK', count: 5 }]);
    });
  });

  it('submits each upload once however often it is looked at, and again when asked to', async () => {
    const { intake, sink, login } = await bench({ scanIntervalMs: 10 });
    const ftp = await login();
    const gate = Promise.withResolvers<void>();
    sink.onSubmit = () => gate.promise;
    const ids: string[] = [];
    for (let n = 0; n < 4; n++) ids.push(idIn(await ftp.upload(`f${n}.jpg`, await makeFrame())));
    const look = vi.spyOn(sink, 'claimHash');
    gate.resolve();
    await until(() => expect(sink.submitted).toHaveLength(4));
    expect(look.mock.calls.length).toBeLessThanOrEqual(4);
    expect(new Set(sink.submitted.map(({ id }) => id))).toEqual(new Set(ids));
    await intake.resubmit(ids[0] ?? '');
    await until(() => expect(sink.submitted).toHaveLength(5));
    await intake.resubmit(ulid()); // unknown: nothing
    expect(sink.submitted).toHaveLength(5);
  });

  it('goes on when a file vanishes between acceptance and validation', async () => {
    const { intake, sink, login, dataDir } = await bench({ concurrency: 1 });
    const gate = Promise.withResolvers<void>();
    sink.onSubmit = () => gate.promise;
    const ftp = await login();
    await ftp.upload('first.jpg', await makeFrame());
    const id = idIn(await ftp.upload('gone.jpg', await makeFrame()));
    await rm(join(dataDir, 'inbox', `${id}.jpg`));
    gate.resolve();
    await ftp.upload('last.jpg', await makeFrame());
    await until(() => expect(sink.submitted.map(({ name }) => name)).toEqual(['first.jpg', 'last.jpg']));
    expect(sink.letters).toEqual([]);
    expect((await intake.acceptedIds()).has(id)).toBe(true);
    expect(await intake.locate(id)).toBeUndefined();
  });

  it('adopts a file put into the inbox by hand once it no longer grows', async () => {
    const { intake, sink, dataDir } = await bench();
    const frame = await makeFrame({ camera: 'porch' });
    const path = join(dataDir, 'inbox', 'by-hand.jpg');
    await writeFile(join(dataDir, 'inbox', 'half.jpg.part'), frame);
    await writeFile(path, frame.subarray(0, 9000));
    await until(() => stat(path));
    await writeFile(path, frame);
    await until(() => expect(sink.submitted).toMatchObject([{ name: 'by-hand.jpg', camera: 'porch' }]));
    expect(sink.submitted[0]?.sizeBytes).toBe(frame.length);
    expect((await intake.inboxIds()).size).toBe(1);
    expect(await readdir(join(dataDir, 'inbox'))).toContain('half.jpg.part');
  });
});

describe('intake: between two scans', () => {
  it('notices a file put into the inbox by hand', async () => {
    const { sink, dataDir } = await bench({ scanIntervalMs: 60_000 });
    await writeFile(join(dataDir, 'inbox', 'by-hand.jpg'), await makeFrame({ camera: 'porch' }));
    await until(() => expect(sink.submitted).toMatchObject([{ name: 'by-hand.jpg', camera: 'porch' }]));
  });
});

describe('intake: after a crash', () => {
  it('submits what lies in the inbox, under the same ids', async () => {
    const made = await bench();
    const ids: string[] = [];
    const ftp = await made.login();
    for (let n = 0; n < 3; n++) ids.push(idIn(await ftp.upload(`f${n}.jpg`, await makeFrame())));
    await until(() => expect(made.sink.submitted).toHaveLength(3));
    await made.intake.store(ids[0] ?? '');
    await made.restart();
    await until(() => expect(made.sink.submitted.map(({ id }) => id).sort()).toEqual(ids.slice(1)));
    expect([...(await made.intake.acceptedIds()).keys()]).toEqual(ids);
    expect(await made.intake.locate(ids[0] ?? '')).toContain('media');
  });

  it('cuts a torn record off and removes the file that was never answered', async () => {
    const made = await bench();
    const ftp = await made.login();
    const kept = idIn(await ftp.upload('kept.jpg', await makeFrame()));
    const torn = idIn(await ftp.upload('torn.jpg', await makeFrame()));
    await until(() => expect(made.sink.submitted).toHaveLength(2));
    await made.intake.close();
    const log = join(made.dataDir, 'intake', 'records-00000001.jsonl');
    const text = await readFile(log, 'utf8');
    await writeFile(log, text.slice(0, -20));
    await made.restart();
    expect([...(await made.intake.acceptedIds()).keys()]).toEqual([kept]);
    expect(await readdir(join(made.dataDir, 'inbox'))).toEqual([`${kept}.jpg`]);
    expect(text).toContain(torn);
    const again = idIn(await (await made.login()).upload('torn.jpg', await makeFrame()));
    expect([...(await made.intake.acceptedIds()).keys()]).toEqual([kept, again]);
    await made.restart();
    expect([...(await made.intake.acceptedIds()).keys()]).toEqual([kept, again]);
  });

  it('keeps every inbox file when a record in the middle was spoilt', async () => {
    const made = await bench();
    const ftp = await made.login();
    for (const name of ['one.jpg', 'two.jpg']) await ftp.upload(name, await makeFrame());
    await until(() => expect(made.sink.submitted).toHaveLength(2));
    await made.intake.close();
    const log = join(made.dataDir, 'intake', 'records-00000001.jsonl');
    const [first, second] = (await readFile(log, 'utf8')).split('\n');
    await writeFile(log, `#${first}\n${second}\n`);
    await made.restart();
    await until(() => expect(made.sink.submitted).toHaveLength(2));
    expect((await made.intake.inboxIds()).size).toBe(2);
  });

  it('quarantines what was half received, and writes the dead letter that is owed', async () => {
    const made = await bench();
    const ftp = await made.login();
    await ftp.store('half.jpg.part', await makeFrame());
    const [half] = await readdir(join(made.dataDir, 'incoming'));
    const copy = join(made.dataDir, 'copy');
    await copyFile(join(made.dataDir, 'incoming', half ?? ''), copy);
    await made.intake.close();
    await rename(copy, join(made.dataDir, 'incoming', half ?? ''));
    await made.restart();
    await until(() =>
      expect(made.sink.letters).toMatchObject([
        { code: 'INCOMPLETE_UPLOAD', camera: CAMERA, name: 'half.jpg' },
      ]),
    );
    const [sidecar] = (await readdir(join(made.dataDir, 'quarantine'))).filter((name) =>
      name.endsWith('.json'),
    );
    const path = join(made.dataDir, 'quarantine', sidecar ?? '');
    await until(async () => expect(await readFile(path, 'utf8')).toContain('"reported": true'));
    await writeFile(path, (await readFile(path, 'utf8')).replace('"reported": true', '"reported": false'));
    await made.restart();
    await until(() => expect(made.sink.letters).toMatchObject([{ code: 'INCOMPLETE_UPLOAD' }]));
  });

  it('does not start without an inbox that it can read', async () => {
    const made = await bench();
    await made.intake.close();
    await rm(join(made.dataDir, 'inbox'), { recursive: true });
    await writeFile(join(made.dataDir, 'inbox'), 'a file');
    const intake = createIntake({
      dataDir: made.dataDir,
      ftp: { host: '127.0.0.1', port: 0 },
      credentials: await loadCredentials(made.dataDir),
      profile: 'game-day',
      sink: new RecordingSink(),
      logger: createLogger('test', 'silent'),
    });
    await expect(intake.start()).rejects.toThrow(/EEXIST|ENOTDIR/);
    await chmod(join(made.dataDir, 'inbox'), 0o600);
    await intake.close();
    await rm(join(made.dataDir, 'inbox'));
  });
});

describe('intake: housekeeping', () => {
  it('removes the oldest media beyond the limit and nothing else', async () => {
    const frame = await makeFrame();
    const { intake, sink, login, dataDir } = await bench({ mediaMaxBytes: frame.length * 3 });
    const ftp = await login();
    const ids: string[] = [];
    for (let n = 0; n < 5; n++) ids.push(idIn(await ftp.upload(`f${n}.jpg`, await makeFrame())));
    await until(() => expect(sink.submitted).toHaveLength(5));
    for (const id of ids.slice(0, 4)) await intake.store(id);
    await until(async () => expect(await intake.locate(ids[1] ?? '')).toBeUndefined());
    expect(await intake.locate(ids[3] ?? '')).toContain(join(dataDir, 'media'));
    expect(await intake.locate(ids[4] ?? '')).toContain(join(dataDir, 'inbox'));
  });

  it('removes old partial files from a full quarantine, never accepted ones, and says when that is not enough', async () => {
    const { intake, sink, login, dataDir } = await bench({ quarantineMaxBytes: 25_000 });
    const ftp = await login();
    const id = idIn(await ftp.upload('bad.jpg', Buffer.alloc(20_000, 1)));
    await until(() => expect(sink.letters).toHaveLength(1));
    for (const round of [1, 2]) {
      await ftp.store('cut.jpg.part', Buffer.alloc(10_000, 1));
      await ftp.store('cut.jpg.part', Buffer.alloc(0)); // replaces it
      await until(() => expect(sink.letters.length).toBeGreaterThan(round));
    }
    const files = async () =>
      (await readdir(join(dataDir, 'quarantine'))).filter((name) => !name.endsWith('.json'));
    await until(async () =>
      expect((await files()).filter((name) => name.endsWith('.part')).length).toBeLessThan(2),
    );
    expect([...(await intake.quarantinedIds())]).toEqual([id]);
    expect(sink.alerts).toEqual([]);
    await ftp.upload('worse.jpg', Buffer.alloc(21_000, 1));
    await until(() => expect(sink.alerts).toEqual([{ code: 'QUARANTINE_FULL', count: 2 }]));
    await until(async () => expect(await files()).toHaveLength(2));
  });

  it('leaves the signals of the process alone', async () => {
    const before = process.listenerCount('SIGTERM');
    await bench();
    expect(process.listenerCount('SIGTERM')).toBe(before);
  });

  it('makes one set of passwords, readable by its owner only, however many ask at once', async () => {
    const { dataDir } = await bench();
    await rm(join(dataDir, 'credentials.json'));
    const [one, two] = await Promise.all([loadCredentials(dataDir), loadCredentials(dataDir)]);
    expect(one).toEqual(two);
    expect(Object.keys(one)).toHaveLength(64);
    expect((await stat(join(dataDir, 'credentials.json'))).mode & 0o777).toBe(0o600);
  });
});
