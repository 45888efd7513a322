/** What the tests of the intake and of the cameras share: a sink that remembers, frames, and a plain FTP client. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { createLogger } from '../../logging.ts';
import type { IntakeDeadLetter, IntakeSink, ValidUpload } from '../contracts.ts';
import { cameraName, loadCredentials } from './credentials.ts';
import { type FrameComment, writeFrameComment } from './frame-comment.ts';
import { createIntake, type RunningIntake } from './intake.ts';
import type { IntakeOptions } from './intake-options.ts';

export const CAMERA = cameraName(0);

export class RecordingSink implements IntakeSink {
  /** False: equal bytes count as different, so that every accepted file stays in the inbox. */
  findsDuplicates = true;
  readonly submitted: ValidUpload[] = [];
  readonly duplicates: { id: string; originalId: string }[] = [];
  readonly letters: IntakeDeadLetter[] = [];
  readonly links: { key: string; uploadId: string }[] = [];
  readonly alerts: { code: string; count: number }[] = [];
  readonly dropped = new Map<string, string>();
  readonly hashes = new Map<string, string>();
  /** Called before a submit is remembered; throw to make it fail. */
  onSubmit: (upload: ValidUpload) => void | Promise<void> = () => {};

  async submit(upload: ValidUpload): Promise<void> {
    await this.onSubmit(upload);
    this.submitted.push(upload);
  }

  async recordDuplicate(upload: ValidUpload, originalId: string): Promise<void> {
    this.duplicates.push({ id: upload.id, originalId });
  }

  async deadLetter(letter: IntakeDeadLetter): Promise<void> {
    if (!this.letters.some(({ key }) => key === letter.key)) this.letters.push(letter);
  }

  async linkDeadLetter(key: string, uploadId: string): Promise<void> {
    this.links.push({ key, uploadId });
  }

  async drop(uploadId: string, reason: string): Promise<void> {
    this.dropped.set(uploadId, reason);
  }

  isDropped(uploadId: string): boolean {
    return this.dropped.has(uploadId);
  }

  alert(code: string, count: number): void {
    this.alerts.push({ code, count });
  }

  async claimHash(sha256: string, uploadId: string): Promise<string> {
    if (!this.findsDuplicates) return uploadId;
    const holder = this.hashes.get(sha256) ?? uploadId;
    this.hashes.set(sha256, holder);
    return holder;
  }

  async releaseHash(sha256: string, uploadId: string): Promise<void> {
    if (this.hashes.get(sha256) === uploadId) this.hashes.delete(sha256);
  }
}

/** A picture that does not compress, so that it is above the smallest size taken. */
export async function makeFrame(comment?: Partial<FrameComment>): Promise<Buffer> {
  const [width, height] = [160, 120];
  const pixels = randomBytes(width * height * 3);
  const jpeg = await sharp(pixels, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: 80 })
    .toBuffer();
  if (!comment) return jpeg;
  return writeFrameComment(jpeg, {
    camera: CAMERA,
    sequence: 1,
    capturedAt: 1_700_000_000_000,
    traceId: 'trace-0123456789',
    ...comment,
  });
}

const FIRST_PORT = 30_000;
const WINDOW_PORTS = 230;
const WINDOWS = 12;
let windowsUsed = Math.floor(Math.random() * WINDOWS);

/** Passive ports for one of several intakes in this process: they would race for those of a common range. */
function nextPassivePorts(): { min: number; max: number } {
  const min = FIRST_PORT + (windowsUsed++ % WINDOWS) * WINDOW_PORTS;
  return { min, max: min + WINDOW_PORTS - 1 };
}

export interface Bench {
  readonly dataDir: string;
  readonly intake: RunningIntake;
  readonly sink: RecordingSink;
  readonly password: string;
  /** Ends this intake and starts another one on the same data. */
  restart(overrides?: Partial<IntakeOptions>): Promise<void>;
  login(): Promise<PlainFtp>;
  close(): Promise<void>;
}

/** @param overrides with a `dataDir` of the caller, which is then not removed */
export async function makeBench(overrides: Partial<IntakeOptions> = {}): Promise<Bench> {
  const dataDir = overrides.dataDir ?? (await mkdtemp(join(tmpdir(), 'brownout-intake-')));
  const credentials = await loadCredentials(dataDir);
  const logger = createLogger('test', 'silent');
  const clients: PlainFtp[] = [];
  const password = credentials[CAMERA] ?? '';
  const passivePorts = nextPassivePorts();
  const make = async (more: Partial<IntakeOptions>) => {
    const sink = new RecordingSink();
    const intake = createIntake({
      dataDir,
      ftp: { host: '127.0.0.1', port: 0 },
      credentials,
      profile: 'game-day',
      sink,
      logger,
      probeDisk: async () => 0.5,
      scanIntervalMs: 100,
      stableMs: 200,
      retryMs: 20,
      passivePorts,
      ...overrides,
      ...more,
    });
    await intake.start();
    return { sink, intake };
  };
  let running = await make({});
  return {
    dataDir,
    password,
    get intake() {
      return running.intake;
    },
    get sink() {
      return running.sink;
    },
    async restart(more = {}) {
      for (const client of clients) client.close();
      await running.intake.close();
      running = await make(more);
    },
    async login() {
      const client = await PlainFtp.connect(running.intake.ftpPort);
      clients.push(client);
      await client.command(`USER ${CAMERA}`);
      await client.command(`PASS ${password}`);
      return client;
    },
    async close() {
      for (const client of clients) client.close();
      await running.intake.close();
      if (overrides.dataDir === undefined) await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** An FTP client that does exactly what it is told, also what no proper client would do. */
export class PlainFtp {
  readonly #socket: Socket;
  readonly #replies: string[] = [];
  readonly #readers: ((reply: string) => void)[] = [];
  #rest = '';

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('utf8');
    socket.on('error', () => {});
    socket.on('data', (text: string) => {
      const lines = `${this.#rest}${text}`.split('\r\n');
      this.#rest = lines.pop() ?? '';
      for (const line of lines) {
        if (!/^\d{3} /.test(line)) continue; // a line of a longer reply
        const reader = this.#readers.shift();
        if (reader) reader(line);
        else this.#replies.push(line);
      }
    });
  }

  static async connect(port: number): Promise<PlainFtp> {
    const socket = connect(port, '127.0.0.1');
    const client = new PlainFtp(socket);
    await client.reply();
    return client;
  }

  reply(): Promise<string> {
    const waiting = this.#replies.shift();
    if (waiting !== undefined) return Promise.resolve(waiting);
    return new Promise((resolve) => this.#readers.push(resolve));
  }

  command(text: string): Promise<string> {
    this.#socket.write(`${text}\r\n`);
    return this.reply();
  }

  /** Opens a data connection and starts a STOR; gives the data connection once the server is ready for bytes. */
  async beginStore(name: string): Promise<Socket> {
    const port = /\|\|\|(\d+)\|/.exec(await this.command('EPSV'))?.[1];
    const data = connect(Number(port), '127.0.0.1');
    data.on('error', () => {});
    await new Promise((resolve) => data.once('connect', resolve));
    const reply = await this.command(`STOR ${name}`);
    if (!reply.startsWith('150')) {
      data.destroy();
      throw new Error(reply);
    }
    return data;
  }

  /** Sends a whole file; gives the final reply. */
  async store(name: string, bytes: Buffer): Promise<string> {
    const data = await this.beginStore(name);
    data.end(bytes);
    return this.reply();
  }

  /** As a camera does it: STOR of the part, SIZE, rename; gives the reply to the rename. */
  async upload(name: string, bytes: Buffer): Promise<string> {
    await this.store(`${name}.part`, bytes);
    await this.command(`SIZE ${name}.part`);
    await this.command(`RNFR ${name}.part`);
    return this.command(`RNTO ${name}`);
  }

  close(): void {
    this.#socket.destroy();
  }
}
