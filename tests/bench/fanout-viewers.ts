import { WebSocket } from 'ws';
import { LightViewer, type ViewerPacket } from '#tests/support/light-viewer.ts';
import type { FloorMessage } from './fanout-floor.ts';
import { Latencies } from './fanout-latencies.ts';
import { answerCalls } from './measure-child.ts';
import { stepBackForGood } from './step-back.ts';

/** What the viewers of this process got since `begin`. */
export interface Received {
  messages: number;
  bytes: number;
  /** Pairs of ms and count, from the making of a packet to its arrival. */
  telemetry: [number, number][];
  facts: [number, number][];
}

let telemetry = new Latencies();
let facts = new Latencies();
let messages = 0;
let bytes = 0;
let beganAt = 0;
/** What one of them got, to be sent again by the floor. */
let record: FloorMessage[] = [];

const viewers: LightViewer[] = [];
const floorViewers: WebSocket[] = [];
let stalled: LightViewer | undefined;

const now = () => performance.timeOrigin + performance.now();

function count({ event, bytes: size, stampAt }: ViewerPacket): void {
  messages++;
  bytes += size;
  if (stampAt !== null) (event === 'fact' ? facts : telemetry).add(now() - stampAt);
}

function countAndRecord(packet: ViewerPacket): void {
  count(packet);
  record.push({ afterMs: now() - beganAt, bytes: packet.bytes });
}

/** So many handshakes at once, as after a restart of the control process. */
const AT_ONCE = 50;

async function inBatches<T>(wanted: number, connect: (n: number) => Promise<T>): Promise<T[]> {
  const done: T[] = [];
  while (done.length < wanted) {
    const size = Math.min(AT_ONCE, wanted - done.length);
    done.push(...(await Promise.all(Array.from({ length: size }, (_, n) => connect(done.length + n)))));
  }
  return done;
}

function connectFloor(url: string): Promise<WebSocket> {
  const socket = new WebSocket(url, { perMessageDeflate: false, skipUTF8Validation: true });
  socket.on('message', (data: Buffer) => {
    messages++;
    bytes += data.length;
    telemetry.add(now() - Number(data.toString('latin1', 0, 13)));
  });
  return new Promise((resolve, reject) => {
    socket.once('open', () => resolve(socket));
    socket.once('error', reject);
  });
}

const calls = {
  /** Until there are `upTo` viewers; names begin with `group`. */
  async connect({ url, upTo, group }: { url: string; upTo: number; group: string }) {
    const have = viewers.length;
    const added = await inBatches(upTo - have, (n) =>
      LightViewer.connect({
        url,
        name: `${group} ${have + n}`,
        tabId: `${group}-${have + n}`,
        onPacket: have + n === 0 ? countAndRecord : count,
      }),
    );
    viewers.push(...added);
  },
  async connectFloor({ url, upTo }: { url: string; upTo: number }) {
    floorViewers.push(...(await inBatches(upTo - floorViewers.length, () => connectFloor(url))));
  },
  watch(live: boolean) {
    for (const viewer of viewers) viewer.watch(live);
  },
  begin() {
    telemetry = new Latencies();
    facts = new Latencies();
    messages = 0;
    bytes = 0;
    record = [];
    beganAt = now();
  },
  received(): Received {
    return { messages, bytes, telemetry: telemetry.counts(), facts: facts.counts() };
  },
  recorded: (): FloorMessage[] => record,
  /** One more viewer that takes nothing from its first snapshot on. */
  async stall({ url }: { url: string }) {
    stalled = await LightViewer.connect({ url, name: 'Stalled', tabId: 'stalled' });
    stalled.stall();
  },
  stallIsCut: () => stalled?.closed ?? false,
  /** Over the whole life of each. */
  standing() {
    const sum = (of: (viewer: LightViewer) => number) => viewers.reduce((all, each) => all + of(each), 0);
    return {
      connected: sum((viewer) => (viewer.closed ? 0 : 1)),
      missed: sum((viewer) => viewer.missed),
      repeated: sum((viewer) => viewer.repeated),
      warned: sum((viewer) => (viewer.notices.includes('SHUTDOWN') ? 1 : 0)),
      lowestSeq: viewers.reduce(
        (lowest, viewer) => Math.min(lowest, viewer.lastSeq),
        Number.MAX_SAFE_INTEGER,
      ),
    };
  },
  stepBack: stepBackForGood,
  closeAll() {
    for (const viewer of viewers.splice(0)) viewer.close();
    for (const socket of floorViewers.splice(0)) socket.terminate();
    stalled?.close();
  },
};
export type ViewersCalls = typeof calls;

answerCalls(calls);
