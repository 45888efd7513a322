import { readdir, readFile } from 'node:fs/promises';
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import type { FtpSequence, FtpStep } from './ftp-sequences.ts';
import { RawFtp } from './raw-ftp.ts';

/**
 * What differs between two servings of the same: the address of a data connection (227, 229), which the proxy
 * replaces by its own, and the ids of accepted uploads.
 */
export function masked(text: string): string {
  return text
    .replace(/\((?:\d{1,3},){5}\d{1,3}\)/g, '(h,h,h,h,p,p)')
    .replace(/\(\|\|\|\d+\|\)/g, '(|||p|)')
    .replace(/\b[0-9A-HJKMNP-TV-Z]{26}\b/g, 'ID');
}

export interface FtpLaneOptions {
  readonly port: number;
  readonly camera: string;
  readonly password: string;
  readonly incomingDir: string;
}

/** One camera that runs sequence after sequence against one port. */
export class FtpLane {
  readonly connections: RawFtp[] = [];
  readonly #options: FtpLaneOptions;
  #current: RawFtp | undefined;
  stored = 0;

  constructor(options: FtpLaneOptions) {
    this.#options = options;
  }

  /** All replies, and what was read from data connections; masked. `cut` false sends each step at once. */
  async run(sequence: FtpSequence, cut: boolean): Promise<string> {
    const ftp = sequence.fresh ? this.#open() : (this.#current ?? (await this.#login()));
    if (!sequence.fresh) this.#current = ftp;
    const told: string[] = sequence.fresh ? [await ftp.reply()] : [];
    for (const step of sequence.steps) {
      const cuts = cut ? sequence.cuts : [];
      told.push(
        ...(step.kind === 'commands' ? await commands(ftp, step, cuts) : await this.#transfer(ftp, step)),
      );
    }
    if (sequence.ends) await ftp.gone();
    if (sequence.ends && !sequence.fresh) this.#current = undefined;
    return masked(told.join(''));
  }

  end(): void {
    for (const connection of this.connections) connection.end();
  }

  #open(): RawFtp {
    const ftp = new RawFtp(this.#options.port);
    this.connections.push(ftp);
    return ftp;
  }

  async #login(): Promise<RawFtp> {
    const ftp = this.#open();
    await ftp.reply();
    await ftp.command(`USER ${this.#options.camera}`);
    const reply = await ftp.command(`PASS ${this.#options.password}`);
    if (!reply.startsWith('230')) throw new Error(`Not logged in: ${reply}`);
    return ftp;
  }

  async #transfer(ftp: RawFtp, step: FtpStep & { kind: 'transfer' }): Promise<string[]> {
    const told = [await ftp.command(step.passive)];
    const data = await ftp.openData(told[0] ?? '');
    if (!data) throw new Error('The data connection was refused');
    const read = received(data);
    const first = await ftp.command(step.command);
    told.push(first);
    if (step.bytes && first.startsWith('150')) await send(data, step.bytes, step.pieces);
    if (first.startsWith('150')) told.push(await ftp.reply());
    data.end();
    told.push(`data: ${await read}\r\n`);
    if (step.bytes) await this.#check(step.command.slice('STOR '.length), step.bytes);
    return told;
  }

  /** @throws {Error} unless the file on the server's disk has these bytes */
  async #check(name: string, bytes: Buffer): Promise<void> {
    const { incomingDir, camera } = this.#options;
    const suffix = `~${camera}~${encodeURIComponent(name)}`;
    const file = (await readdir(incomingDir)).find((each) => each.endsWith(suffix));
    if (!file) throw new Error(`${name} is not on the server's disk`);
    const stored = await readFile(join(incomingDir, file));
    if (!stored.equals(bytes))
      throw new Error(`${name}: ${stored.length} bytes stored of ${bytes.length} sent`);
    this.stored++;
  }
}

async function commands(ftp: RawFtp, { lines }: FtpStep & { kind: 'commands' }, cuts: readonly number[]) {
  const bytes = Buffer.from(lines.map((line) => `${line}\r\n`).join(''));
  await ftp.send(
    bytes,
    cuts.map((share) => Math.floor(share * bytes.length)),
  );
  const told: string[] = [];
  for (const line of lines) if (line !== '') told.push(await ftp.reply()); // nobody answers an empty line
  return told;
}

async function send(data: Socket, bytes: Buffer, pieces: number): Promise<void> {
  const pieceBytes = Math.ceil(bytes.length / pieces);
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    data.write(bytes.subarray(at, at + pieceBytes));
    await new Promise(setImmediate);
  }
  data.end();
}

function received(data: Socket): Promise<string> {
  let text = '';
  data.on('data', (chunk) => {
    text += chunk.toString('latin1');
  });
  return new Promise((resolve) => data.on('close', () => resolve(text)));
}

/** A relay in front of a server that keeps what goes through it, connection by connection. */
export async function startKeepingTap(upstream: { host: string; port: number }) {
  const kept: { up: Buffer[]; down: Buffer[] }[] = [];
  const server = createServer((client) => {
    const both = { up: [] as Buffer[], down: [] as Buffer[] };
    kept.push(both);
    const behind = createConnection({ ...upstream, noDelay: true });
    client.setNoDelay(true);
    client.on('data', (chunk) => both.up.push(chunk));
    behind.on('data', (chunk) => both.down.push(chunk));
    client.on('error', () => behind.destroy()).pipe(behind);
    behind.on('error', () => client.destroy()).pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { host: '127.0.0.1', port, kept, close: () => new Promise((resolve) => server.close(resolve)) };
}
