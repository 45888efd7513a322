import type { IncomingHttpHeaders } from 'node:http';
import type { Namespace, Server } from 'socket.io';
import type { LiveClientEvents, LiveServerEvents, LiveTick, StateUpdate } from '../../lib/protocol/events.ts';
import type { State } from '../../lib/protocol/state.ts';
import { rounded } from './history.ts';
import type { Hub } from './hub.ts';
import { ToldState } from './told-state.ts';

export interface LiveGatewayOptions {
  hub: Hub;
  seq: () => number;
  state: () => State;
  /** @throws when this viewer may not look */
  admit: (handshake: { headers: IncomingHttpHeaders; auth: Record<string, unknown> }) => void;
}

type NoData = Record<never, never>;

/** Least time between two whole states that one viewer asks for. */
const WHOLE_PAUSE_MS = 250;

/**
 * The /live namespace: telemetry for viewers, volatile throughout. Who cannot keep up misses ticks, never gets old
 * ones late.
 */
export class LiveGateway {
  readonly #namespace: Namespace<LiveClientEvents, LiveServerEvents, NoData, NoData>;
  readonly #options: LiveGatewayOptions;
  readonly #stopLayout: () => void;
  readonly #told = new ToldState();

  constructor(io: Server, options: LiveGatewayOptions) {
    this.#options = options;
    this.#namespace = io.of('/live');
    this.#namespace.use((socket, next) => {
      try {
        options.admit(socket.handshake);
        next();
      } catch (error) {
        next(error instanceof Error ? error : new Error('not admitted'));
      }
    });
    this.#namespace.on('connection', (socket) => {
      socket.emit('layout', this.#layout());
      socket.emit('tick', this.#tick(this.#whole()));
      let askedAt = Number.NEGATIVE_INFINITY;
      socket.on('whole', () => {
        if (performance.now() - askedAt < WHOLE_PAUSE_MS) return;
        askedAt = performance.now();
        socket.volatile.emit('tick', this.#tick(this.#whole()));
      });
    });
    this.#stopLayout = options.hub.onLayout(() => this.#namespace.emit('layout', this.#layout()));
  }

  get viewers(): number {
    return this.#namespace.sockets.size;
  }

  sendTick(): void {
    if (this.viewers > 0) {
      this.#namespace.volatile.emit('tick', this.#tick(this.#told.next(this.#options.state())));
    } else {
      this.#told.forget();
    }
  }

  close(): void {
    this.#stopLayout();
  }

  #layout() {
    const { hub } = this.#options;
    return { layout: hub.layout, metrics: hub.metrics() };
  }

  #whole(): StateUpdate {
    return this.#told.whole() ?? this.#told.next(this.#options.state());
  }

  #tick(state: StateUpdate): LiveTick {
    const { hub, seq } = this.#options;
    const values = hub.values().map(rounded);
    return { at: Date.now(), seq: seq(), layout: hub.layout, values, state };
  }
}
