import { io, type Socket } from 'socket.io-client';
import type { Ack, Problem } from '#lib/protocol/errors.ts';
import type {
  ConsoleAuth,
  ConsoleClientEvents,
  ConsoleServerEvents,
  LiveClientEvents,
  LiveServerEvents,
} from '#lib/protocol/events.ts';
import type { Fact } from '#lib/protocol/facts.ts';
import type { HaltReceipt } from '#lib/protocol/faults.ts';
import type { State } from '#lib/protocol/state.ts';
import { fillLive, joinLive } from './history/history-store.ts';
import { forgetState, hearState } from './live/heard-state.ts';
import { beforeNextFrame, catchUp, watchPresses } from './live/next-frame.ts';
import { takeLayout, takeTick } from './live/series-buffers.ts';
import { loadCatalogue } from './stores/catalogue-store.ts';
import { loadIdentity, saveName, useConnection } from './stores/connection-store.ts';
import { takeFact, takeSnapshotFacts, useFacts } from './stores/facts-store.ts';
import { takeFaults, takeHits } from './stores/faults-store.ts';
import { takeServerTime, takeState, takeTransition, useSystem } from './stores/state-store.ts';

type ConsoleSocket = Socket<ConsoleServerEvents, ConsoleClientEvents>;
type LiveSocket = Socket<LiveServerEvents, LiveClientEvents>;

/** A command without an answer after this long is reported as failed; what it did is seen in the facts. */
const ACK_TIMEOUT_MS = 5_000;
/** Longest pause before the next attempt to connect, so that the picture is right within a second of the network's return. */
const RECONNECT_MAX_MS = 600;
/** Pause between two requests for a fresh snapshot, so that a confused server is not asked in a loop. */
const RESYNC_PAUSE_MS = 2_000;

let consoleSocket: ConsoleSocket | null = null;
let resyncAt = Number.NEGATIVE_INFINITY;
/** Only then is our newest fact one after which nothing is missing: history can come before the first snapshot. */
let hadSnapshot = false;

/**
 * Opens both sockets and fills the stores; a page without an operator says as what it looks. Returns the way to close
 * them.
 */
export function openSockets(lookingAs?: string): () => void {
  loadIdentity();
  if (lookingAs) useConnection.setState({ name: lookingAs });
  void fillLive(); // beside the handshakes: the charts are full as soon as the page is live
  const options = {
    transports: ['websocket'],
    reconnectionDelay: 200,
    reconnectionDelayMax: RECONNECT_MAX_MS,
  };
  const commands: ConsoleSocket = io('/console', { ...options, auth: (give) => give(handshake()) });
  const live: LiveSocket = io('/live', options);
  consoleSocket = commands;

  commands.on('connect', () => {
    useConnection.setState({ phase: 'connected', notice: null });
    void loadCatalogue();
  });
  commands.on('disconnect', (reason) => {
    catchUp();
    useConnection.setState({ phase: 'disconnected' });
    // After these the client does not come back by itself.
    if (reason === 'io server disconnect') commands.connect();
  });
  commands.on('connect_error', (error) => {
    useConnection.setState({ phase: 'disconnected', notice: error.message });
    // Refused by the server's middleware: the manager does not try again, so we do.
    if (!commands.active) setTimeout(() => commands.connect(), 2_000);
  });
  commands.on('snapshot', ({ state, facts, gap }) => {
    catchUp();
    hadSnapshot = true;
    takeServerTime(state.at);
    takeSnapshotFacts(facts, gap);
    takeState(state, newestFacts());
    takeFaults(state.faults, performance.now());
    joinLive(state.at);
    useConnection.setState({ tickAt: performance.now() }); // as fresh as a tick, and before the first one
  });
  commands.on('fact', (fact) =>
    beforeNextFrame(() => {
      const outcome = takeFact(fact);
      if (outcome === 'missing') resync();
      if (outcome === 'appended') takeTransition(fact);
    }),
  );
  commands.on('faults', ({ faults }) => {
    const nowMs = performance.now();
    beforeNextFrame(() => takeFaults(faults, nowMs));
  });
  // Answered here and not by a timer: browsers slow the timers of hidden tabs down.
  commands.on('lease', ({ n }, ack) => ack({ n }));
  commands.on('notice', ({ code, text }) => {
    useConnection.setState({ notice: text });
    if (code === 'RESYNC') resync();
  });

  live.on('layout', (layout) => beforeNextFrame(() => takeLayout(layout)));
  live.on('tick', (tick) => {
    takeServerTime(tick.at);
    const nowMs = performance.now();
    beforeNextFrame(() => {
      takeTick(tick);
      useConnection.setState({ tickAt: nowMs });
      // The newest fact can have been lost with the connection it came on.
      if (tick.seq > useFacts.getState().lastSeq) checkMissing(tick.seq);
      const state = hearState(tick.state);
      if (!state) live.emit('whole');
      else if (!isOvertaken(state)) {
        takeState(state, newestFacts());
        takeHits(state.faults, nowMs);
      }
    });
  });
  live.on('disconnect', (reason) => {
    catchUp();
    forgetState();
    if (reason === 'io server disconnect') live.connect();
  });

  const unwatch = watchPresses();
  return () => {
    unwatch();
    commands.disconnect();
    live.disconnect();
    if (consoleSocket === commands) consoleSocket = null; // another page may have opened its own
  };
}

/** The state told last, which a newcomer gets, can be half a second older than its snapshot. */
function isOvertaken(state: State): boolean {
  const shown = useSystem.getState().state;
  return shown?.runId === state.runId && shown.at > state.at && shown.at - state.at < 1_000;
}

/** Those that a state which has just come may lack. */
function newestFacts(): readonly Fact[] {
  return useFacts.getState().facts.slice(-200);
}

function handshake(): ConsoleAuth {
  const { name, tabId } = useConnection.getState();
  const { lastSeq } = useFacts.getState();
  return { name, tabId, ...(hadSnapshot && lastSeq > 0 ? { lastSeq } : {}) };
}

let missingSince: { seq: number; at: number } | null = null;

/** A fact that telemetry knows of and that has not come within a second is asked for. */
function checkMissing(seq: number): void {
  const nowMs = performance.now();
  if (!missingSince || useFacts.getState().lastSeq >= missingSince.seq) missingSince = { seq, at: nowMs };
  else if (nowMs - missingSince.at > 1_000 && useConnection.getState().phase === 'connected') {
    missingSince = null;
    resync();
  }
}

/** Starts the command socket over; the handshake then carries the newest fact we have. */
function resync(): void {
  const nowMs = performance.now();
  if (!consoleSocket || nowMs - resyncAt < RESYNC_PAUSE_MS) return;
  resyncAt = nowMs;
  consoleSocket.disconnect().connect();
}

/** Gives this browser another name; the tab keeps its leases. */
export function rename(name: string): void {
  saveName(name);
  consoleSocket?.disconnect().connect();
}

export type CommandName = keyof ConsoleClientEvents;
type Request<C extends CommandName> = Parameters<ConsoleClientEvents[C]>[0];
type Answer<C extends CommandName> = Parameters<Parameters<ConsoleClientEvents[C]>[1]>[0];

function offline(detail: string): { ok: false; error: Problem } {
  return {
    ok: false,
    error: { type: 'about:blank', title: 'No answer', status: 503, code: 'PROCESS_UNAVAILABLE', detail },
  };
}

/** Sends a command and gives the answer. Never queued while offline: an old command must not act later. */
export async function command<C extends CommandName>(name: C, request: Request<C>): Promise<Answer<C>> {
  if (!consoleSocket?.connected) return offline('Not connected to the control process') as Answer<C>;
  try {
    // The typed emitter cannot follow a generic event name; the cast restores what the signature promises.
    const emit = consoleSocket
      .timeout(ACK_TIMEOUT_MS)
      .emitWithAck.bind(consoleSocket.timeout(ACK_TIMEOUT_MS)) as (
      event: C,
      request: Request<C>,
    ) => Promise<Answer<C>>;
    return await emit(name, request);
  } catch {
    return offline('The control process did not answer within 5 s') as Answer<C>;
  }
}

/** Halts by socket, and by HTTP when the socket is down or silent. */
export async function halt(reason?: string): Promise<Ack<HaltReceipt>> {
  const request = reason ? { reason } : {};
  const answer = await command('halt:start', request);
  if (answer.ok || answer.error.code !== 'PROCESS_UNAVAILABLE') return answer;
  try {
    const response = await fetch('/api/v1/halt', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(request),
      signal: AbortSignal.timeout(5_000),
    });
    const body: unknown = await response.json();
    return response.ok ? { ok: true, data: body as HaltReceipt } : { ok: false, error: body as Problem };
  } catch (error) {
    return offline(
      `Halt did not reach the control process: ${error instanceof Error ? error.message : error}`,
    );
  }
}
