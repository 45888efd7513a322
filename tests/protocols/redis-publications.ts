import type { Redis } from 'ioredis';
import type { Random } from '#lib/chaos/random.ts';
import { RawClient } from '#tests/support/raw-client.ts';
import { completeReplies, encodeCommand, type RespValue, type Word } from '#tests/support/resp.ts';

/** Receivers of a message as its publisher was told; undefined when no reply came. */
interface Message {
  readonly text: string;
  told: number | 'refused' | undefined;
}

const PATIENCE_MS = 400;

/** A client that publishes messages in pipelines and transactions, and subscribes on a connection of its own. */
export class Publications {
  readonly #port: number;
  readonly #random: Random;
  readonly #name: string;
  readonly #protocol: 2 | 3;
  readonly #messages: Message[] = [];
  readonly #faults: string[] = [];
  #client: RawClient | undefined;

  constructor(port: number, random: Random, name: string, protocol: 2 | 3) {
    this.#port = port;
    this.#random = random;
    this.#name = name;
    this.#protocol = protocol;
  }

  /** Subscribes to some channels one by one and leaves some; both sides must know the same afterwards. */
  async subscribe(server: Redis): Promise<void> {
    const client = this.#opened();
    const channels = Array.from({ length: 6 }, (_, index) => `subscribed-${this.#name}-${index}`);
    const leaves = channels.filter(() => this.#random() < 0.3);
    const commands: Word[][] = channels.map((channel) => ['SUBSCRIBE', channel]);
    commands.push(...leaves.map((channel) => ['UNSUBSCRIBE', channel]));
    await client.sendInPieces(Buffer.concat(commands.map(encodeCommand)), this.#random);
    const greetings = this.#protocol === 3 ? 1 : 0;
    const replies = (await this.#values(client, commands.length + greetings)).slice(greetings);
    if (replies.length < commands.length) {
      client.close(); // it was reset: it knows that it is subscribed to nothing
      return;
    }
    const believed = new Set<string>();
    for (const [index, reply] of replies.entries()) {
      const [verb, channel = ''] = (commands[index] ?? []).map(String);
      if (reply.type === '-') {
        if (!reply.text.includes('[brownout:')) this.#faults.push(`${verb} ${channel}: ${reply.text}`);
        continue;
      }
      if (reply.items[0]?.text !== verb?.toLowerCase() || reply.items[1]?.text !== channel) {
        this.#faults.push(`${verb} ${channel} was answered ${reply.raw}`);
      }
      if (verb === 'SUBSCRIBE') believed.add(channel);
      else believed.delete(channel);
    }
    const asked = (await server.pubsub('NUMSUB', ...channels)) as (string | number)[];
    client.send(encodeCommand(['PING']));
    const ponged =
      (await this.#values(client, commands.length + greetings + 1)).length > replies.length + greetings;
    for (const [index, channel] of channels.entries()) {
      const subscribed = Number(asked[index * 2 + 1]) > 0;
      if (ponged && subscribed !== believed.has(channel)) {
        this.#faults.push(`${channel}: the client believes ${believed.has(channel)}`);
      }
    }
    client.close();
  }

  async sequence(): Promise<void> {
    this.#client = this.#client && !this.#client.isOver ? this.#client : this.#opened();
    const client = this.#client;
    const greetings =
      completeReplies(client.pending).length > 0 || client.record.down.bytes > 0 ? 0 : this.#protocol - 2;
    const commands: Word[][] = [];
    const judges: ((replies: readonly RespValue[]) => void)[] = [];
    for (let left = 1 + Math.floor(this.#random() * 4); left > 0; left--) {
      const at = commands.length;
      const message = this.#message();
      const publish: Word[] = ['PUBLISH', this.#name, message.text];
      if (this.#random() < 0.3) {
        commands.push(['MULTI'], publish, ['EXEC']);
        judges.push((replies) => tell(message, transacted(replies[at + 2])));
      } else {
        commands.push(publish);
        judges.push((replies) => tell(message, replies[at]));
      }
    }
    await client.sendInPieces(Buffer.concat(commands.map(encodeCommand)), this.#random);
    const replies = (await this.#values(client, commands.length + greetings)).slice(greetings);
    for (const judge of judges) judge(replies);
    if (replies.length < commands.length) this.close();
    else client.take();
  }

  async marker(): Promise<string> {
    this.close();
    const client = new RawClient(this.#port);
    client.send(encodeCommand(['ECHO', this.#name]));
    const [reply] = await this.#values(client, 1, 10_000);
    client.close();
    return reply?.text === this.#name ? 'the token alone' : String(reply?.raw);
  }

  disagreements(heard: readonly string[]): string[] {
    const found = [...this.#faults];
    for (const { text, told } of this.#messages) {
      const times = heard.filter((each) => each === text).length;
      const most = told === undefined ? 1 : told === 'refused' ? 0 : told;
      const least = typeof told === 'number' ? told : 0;
      if (times > most || times < least) found.push(`${text}: told ${told}, heard ${times} times`);
    }
    return found;
  }

  close(): void {
    this.#client?.close();
    this.#client = undefined;
  }

  #message(): Message {
    const message: Message = { text: `${this.#name}#${this.#messages.length}`, told: undefined };
    this.#messages.push(message);
    return message;
  }

  #opened(): RawClient {
    const client = new RawClient(this.#port);
    if (this.#protocol === 3) client.send(encodeCommand(['HELLO', 3]));
    return client;
  }

  async #values(client: RawClient, count: number, patienceMs = PATIENCE_MS): Promise<RespValue[]> {
    const until = performance.now() + patienceMs;
    let values = completeReplies(client.pending);
    while (values.length < count && !client.isOver && performance.now() < until) {
      await client.changed(until - performance.now());
      values = completeReplies(client.pending);
    }
    return values;
  }
}

function transacted(reply: RespValue | undefined): RespValue | undefined {
  return reply?.type === '*' ? reply.items[0] : reply;
}

/** @throws {Error} for a reply that is no number and no error of a fault */
function tell(message: Message, reply: RespValue | undefined): void {
  if (!reply) return;
  if (reply.type === ':') message.told = Number(reply.text);
  else if (/\[brownout:|^EXECABORT/.test(reply.text)) message.told = 'refused';
  else throw new Error(`A reply in the wrong place: ${reply.raw}`);
}
