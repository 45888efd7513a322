import { WebSocket } from 'ws';
import type { Fact } from '#lib/protocol/facts.ts';
import type { State } from '#lib/protocol/state.ts';

/** One packet as it came. `stampAt`, epoch ms, is when the control process made it, where the packet says so. */
export interface ViewerPacket {
  event: string;
  bytes: number;
  stampAt: number | null;
  data: Buffer;
}

export interface LightViewerOptions {
  url: string;
  name: string;
  tabId: string;
  /** @default false */
  keepsFacts?: boolean;
  onPacket?: (packet: ViewerPacket) => void;
}

/** Namespace, name and stamp stand in the first bytes of what is worth timing. */
const HEAD_BYTES = 120;
const PACKET = /^42\/(console|live),(\d*)\["([^"]+)"/;
const STAMP = /"at":(\d+(?:\.\d+)?)/;

/**
 * A tab of the console on the wire: both namespaces over one connection, pings and lease questions answered, every fact
 * checked for its place. It reads no more of a packet than that, so that a thousand fit beside the system they watch.
 */
export class LightViewer {
  /** Of the newest fact. */
  lastSeq = 0;
  /** Facts that were never given to it, and those given twice. */
  missed = 0;
  repeated = 0;
  /** With `keepsFacts`, those of the snapshot and all after it. */
  readonly facts: Fact[] = [];
  readonly notices: string[] = [];
  closed = false;
  readonly #socket: WebSocket;
  readonly #options: LightViewerOptions;
  #live = false;
  #pongs: NodeJS.Timeout | undefined;

  private constructor(options: LightViewerOptions) {
    this.#options = options;
    const address = `${options.url.replace(/^http/, 'ws')}/socket.io/?EIO=4&transport=websocket`;
    this.#socket = new WebSocket(address, { perMessageDeflate: false, skipUTF8Validation: true });
  }

  /** Resolves with its first snapshot. @throws when it is refused */
  static connect(options: LightViewerOptions): Promise<LightViewer> {
    const viewer = new LightViewer(options);
    return new Promise((resolve, reject) => {
      viewer.#socket.on('error', reject);
      viewer.#socket.on('close', () => {
        viewer.closed = true;
        clearInterval(viewer.#pongs);
        reject(new Error(`${options.tabId} was cut`)); // in vain once it is connected
      });
      viewer.#socket.on('message', (data: Buffer) => viewer.#take(data, () => resolve(viewer), reject));
    });
  }

  /** Comes to or leaves the telemetry; the facts go on. */
  watch(live: boolean): void {
    if (live === this.#live) return; // told twice, the server would cut us
    this.#live = live;
    this.#socket.send(live ? '40/live,' : '41/live,');
  }

  /** Takes nothing more from its connection, but goes on to say that it is there. */
  stall(): void {
    this.#socket.pause();
    this.#pongs = setInterval(() => this.#socket.send('3'), 2000);
  }

  close(): void {
    this.#socket.terminate();
  }

  #take(data: Buffer, welcome: () => void, refuse: (error: Error) => void): void {
    const head = data.toString('latin1', 0, HEAD_BYTES);
    if (head.startsWith('0')) {
      const { name, tabId } = this.#options;
      this.#socket.send(`40/console,${JSON.stringify({ name, tabId })}`);
      this.watch(true);
    } else if (head === '2') this.#socket.send('3');
    else if (head.startsWith('44')) refuse(new Error(data.toString()));
    const [matched, namespace, id, event] = PACKET.exec(head) ?? [];
    if (matched === undefined || event === undefined) return;
    const body = () => JSON.parse(data.toString('utf8', head.indexOf('[')))[1];
    if (namespace === 'console') {
      if (event === 'lease') this.#socket.send(`43/console,${id}[${JSON.stringify(body())}]`);
      if (event === 'notice') this.notices.push((body() as { code: string }).code);
      if (event === 'fact') this.#takeFact(body() as Fact);
      if (event === 'snapshot') {
        const { state, facts } = body() as { state: State; facts: Fact[] };
        this.lastSeq = facts.at(-1)?.seq ?? state.seq;
        if (this.#options.keepsFacts) this.facts.push(...facts);
        welcome();
      }
    }
    const stamp = event === 'snapshot' ? undefined : STAMP.exec(head)?.[1];
    this.#options.onPacket?.({
      event,
      bytes: data.length,
      stampAt: stamp === undefined ? null : Number(stamp),
      data,
    });
  }

  #takeFact(fact: Fact): void {
    if (fact.seq <= this.lastSeq) this.repeated++;
    else this.missed += fact.seq - this.lastSeq - 1;
    this.lastSeq = Math.max(this.lastSeq, fact.seq);
    if (this.#options.keepsFacts) this.facts.push(fact);
  }
}
