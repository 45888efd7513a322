type Kind = 'channel' | 'pattern' | 'shard';

/** What a client is subscribed to, as the server's confirmations say. */
export class Subscriptions {
  readonly #counts: Record<Kind, number> = { channel: 0, pattern: 0, shard: 0 };
  #unread = false;

  /** A server of RESP2 may send what nobody asked for. */
  get any(): boolean {
    return this.#unread || this.#counts.channel + this.#counts.pattern + this.#counts.shard > 0;
  }

  /** How many confirmations answer an unsubscription that names nothing, by its first confirmation. */
  answersToAll(word: string): number {
    return Math.max(1, this.#counts[kindOf(word)]);
  }

  /** `total` is the count in the confirmation: channels and patterns together, shard channels apart. */
  confirmed(word: string, total: number): void {
    const kind = kindOf(word);
    const counts = this.#counts;
    if (kind === 'shard') counts.shard = total;
    else counts[kind] = Math.max(0, counts[kind] + total - counts.channel - counts.pattern);
  }

  /** Something was subscribed to inside a transaction, where the confirmations are part of the answer to EXEC. */
  addUnread(): void {
    this.#unread = true;
  }

  clear(): void {
    Object.assign(this.#counts, { channel: 0, pattern: 0, shard: 0 });
    this.#unread = false;
  }
}

function kindOf(word: string): Kind {
  if (/^p/i.test(word)) return 'pattern';
  return /^s(s|un)/i.test(word) ? 'shard' : 'channel';
}
