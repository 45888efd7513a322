import { createHash } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { createRandom } from '#lib/chaos/random.ts';
import { MODELS, type ModelName } from './inference-profile.ts';

export type ModelFileErrorCode = 'MODEL_CORRUPTED' | 'MODEL_VERSION_MISMATCH';

/** A model cannot be served from the file on the disk. */
export class ModelFileError extends Error {
  readonly code: ModelFileErrorCode;

  constructor(code: ModelFileErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** Stand-in weights: real bytes with a real checksum, small enough to be read at every load. */
const WEIGHT_BYTES = 256 * 1024;
const MODEL_NAMES = Object.keys(MODELS) as ModelName[];

interface Header {
  readonly model: ModelName;
  readonly version: string;
  readonly sha256: string;
}

/**
 * The models' files: those that are served, and the model store from which they are fetched.
 *
 *     DATA_DIR/models/<model>.model          one JSON line {model, version, sha256}, then the weights
 *     DATA_DIR/models/store/<model>.model
 *
 * Read at every load of a model, as a process does when it starts. All calls block, as loading does.
 */
export class ModelFiles {
  readonly #directory: string;
  readonly #store: string;
  #fetched = 0;
  /** Why the store does not answer. */
  storeProblem: string | undefined;

  /** @param directory made when it is missing; absent files are put there from a store that is made as well */
  constructor(directory: string) {
    this.#directory = directory;
    this.#store = join(directory, 'store');
    mkdirSync(this.#store, { recursive: true });
    for (const model of MODEL_NAMES) {
      const stored = join(this.#store, fileName(model));
      if (!isWhole(stored, model)) writeWhole(stored, makeModelFile(model, MODELS[model].version));
      // A start is a deployment: another version is replaced. A damaged file is found when it is loaded.
      if (!existsSync(this.pathOf(model)) || isOtherVersion(this.pathOf(model), model)) this.#copy(model);
    }
  }

  /** How often a file was fetched again from the store. */
  get fetched(): number {
    return this.#fetched;
  }

  pathOf(model: ModelName): string {
    return join(this.#directory, fileName(model));
  }

  /** @throws {ModelFileError} when the file is missing or damaged, or a whole one of another version */
  verify(model: ModelName): void {
    const header = readHeader(this.pathOf(model), model);
    const expected = MODELS[model].version;
    if (header.version !== expected) {
      throw new ModelFileError(
        'MODEL_VERSION_MISMATCH',
        `${model}: expected version ${expected}, found ${header.version}`,
      );
    }
  }

  /**
   * Replaces the file by the store's copy.
   * @throws {Error} when the store does not answer
   */
  fetch(model: ModelName): void {
    if (this.storeProblem !== undefined) throw new Error(this.storeProblem);
    this.#copy(model);
    this.#fetched++;
  }

  /** Changes bytes in the middle of the weights. */
  corrupt(model: ModelName): void {
    const bytes = readFileSync(this.pathOf(model));
    const middle = bytes.length - WEIGHT_BYTES / 2;
    for (let at = middle; at < middle + 64; at++) bytes[at] = (bytes[at] ?? 0) ^ 0xff;
    writeWhole(this.pathOf(model), bytes);
  }

  /** Puts a whole file of another version in its place. */
  replaceByVersion(model: ModelName, version: string): void {
    writeWhole(this.pathOf(model), makeModelFile(model, version));
  }

  #copy(model: ModelName): void {
    const temporary = `${this.pathOf(model)}.tmp`;
    copyFileSync(join(this.#store, fileName(model)), temporary);
    renameSync(temporary, this.pathOf(model));
  }
}

function fileName(model: ModelName): string {
  return `${model}.model`;
}

function makeModelFile(model: ModelName, version: string): Buffer {
  const random = createRandom(model.length * 1000 + version.length);
  const weights = Buffer.alloc(WEIGHT_BYTES);
  for (let at = 0; at < WEIGHT_BYTES; at += 4) weights.writeUInt32LE(Math.floor(random() * 2 ** 32), at);
  const header: Header = { model, version, sha256: digest(weights) };
  return Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), weights]);
}

/** @throws {ModelFileError} MODEL_CORRUPTED */
function readHeader(path: string, model: ModelName): Header {
  let header: Header;
  let weights: Buffer;
  try {
    const bytes = readFileSync(path);
    const end = bytes.indexOf(0x0a);
    header = JSON.parse(bytes.toString('utf8', 0, end)) as Header;
    weights = bytes.subarray(end + 1);
  } catch (cause) {
    throw new ModelFileError('MODEL_CORRUPTED', `${model}: the model file cannot be read`, { cause });
  }
  const found = digest(weights);
  if (header.sha256 === found && header.model === model && typeof header.version === 'string') return header;
  throw new ModelFileError(
    'MODEL_CORRUPTED',
    `${model}: checksum of the model file is wrong: expected sha256 ${String(header.sha256).slice(0, 12)}…, found ${found.slice(0, 12)}…`,
  );
}

function isWhole(path: string, model: ModelName): boolean {
  return versionOf(path, model) === MODELS[model].version;
}

function isOtherVersion(path: string, model: ModelName): boolean {
  const version = versionOf(path, model);
  return version !== undefined && version !== MODELS[model].version;
}

/** Undefined when the file is missing or damaged. */
function versionOf(path: string, model: ModelName): string | undefined {
  try {
    return readHeader(path, model).version;
  } catch {
    return undefined;
  }
}

function writeWhole(path: string, bytes: Buffer): void {
  const temporary = `${path}.tmp`;
  writeFileSync(temporary, bytes, { mode: 0o600 });
  const file = openSync(temporary, 'r+');
  fsyncSync(file);
  closeSync(file);
  renameSync(temporary, path);
}

function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
