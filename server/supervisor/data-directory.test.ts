import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { isAlive } from '#tests/support/is-alive.ts';
import { DataDirectory } from './data-directory.ts';
import { identityOf } from './process-identity.ts';

let path: string;
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'brownout-data-'));
});
afterEach(() => rmSync(path, { recursive: true, force: true }));

describe('DataDirectory', () => {
  it('is held by one at a time', () => {
    const first = new DataDirectory(path);
    expect(() => new DataDirectory(path)).toThrow(`in use by process ${process.pid}`);
    first.release();
    new DataDirectory(path).release();
    expect(existsSync(join(path, 'lock'))).toBe(false);
  });

  it('takes over a lock whose process is gone, also when its id is used again', () => {
    writeFileSync(
      join(path, 'lock'),
      JSON.stringify({ pid: process.pid, identity: 'started at another time' }),
    );
    new DataDirectory(path).release();
  });

  it('ends the recorded children of a killed supervisor, and nobody else', async () => {
    const left = spawn('sleep', ['60']);
    const stranger = spawn('sleep', ['60']);
    left.kill('SIGSTOP');
    writeFileSync(
      join(path, 'children.json'),
      JSON.stringify([
        { name: 'pipeline', pid: left.pid, identity: identityOf(left.pid ?? 0) },
        { name: 'proxy', pid: stranger.pid, identity: 'another start time' },
      ]),
    );
    const data = new DataDirectory(path);
    await vi.waitFor(() => expect(left.signalCode).toBe('SIGKILL'), 5000);
    expect(isAlive(stranger.pid ?? 0)).toBe(true);
    stranger.kill();
    data.release();
  });
});
