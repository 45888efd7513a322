import { accessSync, constants, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from '../config.ts';
import { identityOf } from './process-identity.ts';
import { signalTree } from './process-tree.ts';

/** Version of the layout under DATA_DIR. An older one is migrated here, a newer one is refused. */
const FORMAT_VERSION = 1;

interface ProcessRecord {
  name: string;
  pid: number;
  identity: string;
}

/**
 * The data directory, held by one supervisor at a time.
 *
 * It records the children, so that a start after a kill -9 of the supervisor ends what is left of them, and nothing else.
 */
export class DataDirectory {
  readonly path: string;
  readonly #lock: string;
  readonly #childrenFile: string;
  readonly #children = new Map<string, ProcessRecord>();

  /** @throws {ConfigError} when it cannot be written, is of a newer version, or is held by a running supervisor */
  constructor(path: string) {
    this.path = path;
    this.#lock = join(path, 'lock');
    this.#childrenFile = join(path, 'children.json');
    try {
      mkdirSync(path, { recursive: true });
      accessSync(path, constants.W_OK);
      writeFileSync(join(path, '.writable'), '');
      rmSync(join(path, '.writable'));
    } catch (cause) {
      throw new ConfigError('DATA_DIR', `DATA_DIR=${path} cannot be written: choose another directory`, {
        cause,
      });
    }
    this.#take();
    this.#checkFormat();
    this.#endLeftovers();
  }

  recordChild(name: string, pid: number | undefined): void {
    const identity = pid === undefined ? undefined : identityOf(pid);
    if (pid === undefined || identity === undefined) this.#children.delete(name);
    else this.#children.set(name, { name, pid, identity });
    writeFileSync(this.#childrenFile, JSON.stringify([...this.#children.values()]));
  }

  release(): void {
    rmSync(this.#childrenFile, { force: true });
    rmSync(this.#lock, { force: true });
  }

  #take(): void {
    const mine = JSON.stringify({ pid: process.pid, identity: identityOf(process.pid) });
    for (let attempt = 0; attempt < 2; attempt++) {
      try {
        writeFileSync(this.#lock, mine, { flag: 'wx' });
        return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
        const holder = readRecord(this.#lock);
        if (holder && identityOf(holder.pid) === holder.identity) {
          throw new ConfigError(
            'DATA_DIR',
            `DATA_DIR=${this.path} is in use by process ${holder.pid}: stop it, or choose another directory`,
          );
        }
        rmSync(this.#lock, { force: true });
      }
    }
    throw new ConfigError('DATA_DIR', `DATA_DIR=${this.path} could not be locked`);
  }

  #checkFormat(): void {
    const file = join(this.path, 'format.json');
    if (!existsSync(file)) {
      writeFileSync(file, JSON.stringify({ version: FORMAT_VERSION }));
      return;
    }
    const version: unknown = JSON.parse(readFileSync(file, 'utf8')).version;
    if (version !== FORMAT_VERSION) {
      this.release();
      throw new ConfigError(
        'DATA_DIR',
        `DATA_DIR=${this.path} has format ${String(version)}, this Brownout reads ${FORMAT_VERSION}: update Brownout, or run npm run reset`,
      );
    }
  }

  #endLeftovers(): void {
    if (!existsSync(this.#childrenFile)) return;
    let records: ProcessRecord[] = [];
    try {
      records = JSON.parse(readFileSync(this.#childrenFile, 'utf8'));
    } catch {
      return; // cut off in mid-write: the children have ended with their channel
    }
    for (const { pid, identity } of records) {
      if (identityOf(pid) !== identity) continue;
      signalTree(pid, 'SIGKILL'); // also what it had forked: that may be paused, and would never see its end
    }
  }
}

function readRecord(file: string): { pid: number; identity: string } | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}
