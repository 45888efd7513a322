import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ManualClock } from '#lib/chaos/clock.ts';
import { IncomingFile, UploadTimeoutError } from './incoming-file.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'brownout-incoming-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function makeFile() {
  const clock = new ManualClock();
  const onEnd = vi.fn(async () => {});
  const onBroken = vi.fn(async () => {});
  const closed = Promise.withResolvers<void>();
  const path = join(folder, 'file');
  const file = new IncomingFile({
    handle: await open(path, 'wx'),
    maxBytes: 1000,
    timeoutMs: 100,
    clock,
    beforeWrite: () => {},
    refuse: (error) => error as Error,
    onEnd,
    onBroken,
    onClosed: () => closed.resolve(),
  });
  return { file, clock, onEnd, onBroken, path, closed: closed.promise };
}

const write = (file: IncomingFile, bytes: Buffer) =>
  new Promise<void>((resolve) => file.write(bytes, () => resolve()));

describe('IncomingFile', () => {
  it('ends once, with all bytes in the file', async () => {
    const { file, onEnd, onBroken, path, closed } = await makeFile();
    file.write(Buffer.alloc(400, 'a'));
    file.end(Buffer.alloc(400, 'b'));
    await closed;
    expect(onEnd).toHaveBeenCalledOnce();
    expect(onBroken).not.toHaveBeenCalled();
    expect((await readFile(path, 'latin1')).replace(/(.)\1+/g, '$1')).toBe('ab');
    expect(file.sizeBytes).toBe(800);
  });

  it('does not count as ended when it is ended and destroyed in one turn, as ftp-srv does after a reset', async () => {
    const { file, onEnd, onBroken, closed } = await makeFile();
    await write(file, Buffer.alloc(400));
    file.end();
    file.destroy(new Error('reset'));
    await closed;
    await new Promise((resolve) => setImmediate(resolve));
    expect(onEnd).not.toHaveBeenCalled();
    expect(onBroken).toHaveBeenCalledOnce();
  });

  it('is given up after the silence, counted from the last byte', async () => {
    const { file, clock, onBroken, closed } = await makeFile();
    clock.advance(90);
    await write(file, Buffer.alloc(10));
    clock.advance(90);
    expect(file.destroyed).toBe(false);
    clock.advance(10);
    await closed;
    expect(onBroken).toHaveBeenCalledWith(file, expect.any(UploadTimeoutError));
  });

  it('is cut off beyond its largest size', async () => {
    const { file, onEnd, onBroken, closed } = await makeFile();
    file.end(Buffer.alloc(1001));
    await closed;
    expect(onEnd).not.toHaveBeenCalled();
    expect(onBroken).toHaveBeenCalledWith(
      file,
      expect.objectContaining({ message: expect.stringMatching(/^552 /) }),
    );
  });
});
