import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Logger } from '#server/logging.ts';
import { type EventMessage, parseEventMessage } from './event-message.ts';

/** The oldest beyond this many is dropped, with a warning. */
const MAX_KEPT = 1000;

/**
 * Critical events that Redis could not take: the newest version of each, oldest first, to be replayed.
 *
 * With a file they outlive the process. The events themselves are safe in PostgreSQL; this is about telling them.
 */
export class KeptEvents {
  readonly #messages = new Map<string, EventMessage>();
  readonly #file: string | undefined;
  readonly #logger: Logger;
  #writing: Promise<void> = Promise.resolve();
  #rewrite = false;

  constructor(file: string | undefined, logger: Logger) {
    this.#file = file;
    this.#logger = logger;
  }

  get size(): number {
    return this.#messages.size;
  }

  /** Reads what an earlier process kept. What cannot be read is named and left out. */
  async load(): Promise<void> {
    if (this.#file === undefined) return;
    await mkdir(dirname(this.#file), { recursive: true });
    const text = await readFile(this.#file, 'utf8').catch(() => '');
    for (const line of text.split('\n')) {
      if (line === '') continue;
      try {
        const message = parseEventMessage(line);
        if (!this.#messages.has(message.event.id)) this.#messages.set(message.event.id, message);
      } catch (error) {
        this.#logger.warn({ err: error, file: this.#file }, 'kept event not readable');
      }
    }
  }

  oldest(): EventMessage | undefined {
    return this.#messages.values().next().value;
  }

  keep(message: EventMessage): void {
    const { id } = message.event;
    const older = this.#messages.get(id);
    if (older && older.event.updatedAt > message.event.updatedAt) return;
    this.#messages.set(id, message);
    if (this.#messages.size > MAX_KEPT) {
      const [dropped] = this.#messages.keys();
      if (dropped !== undefined) this.#messages.delete(dropped);
      this.#logger.warn({ eventId: dropped }, 'too many critical events kept: the oldest was dropped');
    }
    this.#save();
  }

  /** Forgets an event once this version of it, or a newer one, went through Redis. */
  settle({ event }: EventMessage): void {
    const kept = this.#messages.get(event.id);
    if (!kept || kept.event.updatedAt > event.updatedAt) return;
    this.#messages.delete(event.id);
    this.#save();
  }

  /** Resolves once what is kept is in the file. */
  async flushed(): Promise<void> {
    await this.#writing;
  }

  #save(): void {
    if (this.#file === undefined || this.#rewrite) return;
    this.#rewrite = true;
    const file = this.#file;
    this.#writing = this.#writing.then(async () => {
      this.#rewrite = false;
      const lines = [...this.#messages.values()].map((message) => `${JSON.stringify(message)}\n`);
      try {
        await writeFile(`${file}.new`, lines.join(''));
        await rename(`${file}.new`, file);
      } catch (error) {
        this.#logger.warn({ err: error, file }, 'kept events not written');
      }
    });
  }
}
