import type { DeadLetter } from './dead-letter.ts';

/** A letter as it is held. Replaced whole, never changed. */
export interface Kept {
  /** Grows with each arrival. */
  readonly order: number;
  readonly letter: DeadLetter;
  /** False while it is back in its queue. */
  readonly waiting: boolean;
}

/** Entries of letters that have left are cleared away when there are more than this of them, and more than of others. */
const TIDY_AFTER = 1000;

/** Every letter in memory, in the order of arrival; made so that 100 000 of them cost a page or a count no time. */
export class LetterIndex {
  readonly #kept = new Map<string, Kept>();
  readonly #byUpload = new Map<string, Set<string>>();
  readonly #byQueue = new Map<string, number>();
  /** Ids of those that are back in their queue, the longest ago first. */
  readonly #redriven = new Set<string>();
  /** Oldest first; an entry whose letter has left, or has arrived again since, is passed over. */
  #arrivals: { readonly order: number; readonly id: string }[] = [];
  #order = 0;
  #waiting = 0;

  /** Letters held, those that are back in their queue included. */
  get size(): number {
    return this.#kept.size;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /** Of the newest arrival; 0 before the first. */
  get newestOrder(): number {
    return this.#order;
  }

  get(id: string): Kept | undefined {
    return this.#kept.get(id);
  }

  /** Takes a letter in as the newest. */
  put(letter: DeadLetter, waiting: boolean): void {
    this.remove(letter.id);
    const order = ++this.#order;
    this.#kept.set(letter.id, { order, letter, waiting });
    if (letter.uploadId !== null) {
      const ids = this.#byUpload.get(letter.uploadId);
      if (ids) ids.add(letter.id);
      else this.#byUpload.set(letter.uploadId, new Set([letter.id]));
    }
    if (waiting) {
      this.#arrivals.push({ order, id: letter.id });
      this.#count(letter.queue, 1);
    } else this.#redriven.add(letter.id);
  }

  /** The same letter with other words in it; its place stays. */
  replace(letter: DeadLetter): void {
    const kept = this.#kept.get(letter.id);
    if (kept) this.#kept.set(letter.id, { ...kept, letter });
  }

  /** Out of sight, but not forgotten. */
  hide(letter: DeadLetter): void {
    const kept = this.#kept.get(letter.id);
    if (!kept) return;
    this.#kept.set(letter.id, { ...kept, letter, waiting: false });
    if (!kept.waiting) return;
    this.#redriven.add(letter.id);
    this.#count(letter.queue, -1);
    this.#tidy();
  }

  remove(id: string): void {
    const kept = this.#kept.get(id);
    if (!kept) return;
    this.#kept.delete(id);
    this.#redriven.delete(id);
    const { uploadId, queue } = kept.letter;
    const ids = uploadId === null ? undefined : this.#byUpload.get(uploadId);
    ids?.delete(id);
    if (uploadId !== null && ids?.size === 0) this.#byUpload.delete(uploadId);
    if (!kept.waiting) return;
    this.#count(queue, -1);
    this.#tidy();
  }

  /** Forgets the re-driven ones of the longest ago beyond `max`. */
  forgetRedriven(max: number): void {
    for (const id of this.#redriven) {
      if (this.#redriven.size <= max) return;
      this.remove(id);
    }
  }

  /** Those that wait and whose order is below `before`. */
  *newestFirst(before = Number.POSITIVE_INFINITY): Generator<Kept> {
    const arrivals = this.#arrivals;
    for (let at = firstFrom(arrivals, before) - 1; at >= 0; at--) {
      const arrival = arrivals[at];
      const kept = arrival && this.#kept.get(arrival.id);
      if (kept?.waiting && kept.order === arrival?.order) yield kept;
    }
  }

  /** All, those that are back in their queue included, oldest first. */
  all(): Kept[] {
    return [...this.#kept.values()].sort((a, b) => a.order - b.order);
  }

  idsOfUpload(uploadId: string): string[] {
    return [...(this.#byUpload.get(uploadId) ?? [])];
  }

  byQueue(): Record<string, number> {
    return Object.fromEntries(this.#byQueue);
  }

  #count(queue: string, change: 1 | -1): void {
    this.#waiting += change;
    const now = (this.#byQueue.get(queue) ?? 0) + change;
    if (now === 0) this.#byQueue.delete(queue);
    else this.#byQueue.set(queue, now);
  }

  #tidy(): void {
    if (this.#arrivals.length <= 2 * this.#waiting + TIDY_AFTER) return;
    this.#arrivals = this.#arrivals.filter(({ id, order }) => {
      const kept = this.#kept.get(id);
      return kept?.waiting === true && kept.order === order;
    });
  }
}

/** Index of the first entry whose order is `order` or above; the entries ascend. */
function firstFrom(entries: readonly { readonly order: number }[], order: number): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((entries[middle]?.order ?? 0) < order) low = middle + 1;
    else high = middle;
  }
  return low;
}
