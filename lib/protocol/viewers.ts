import type { Ack } from './errors.ts';

/** The backend's own API (port 8000): what its viewers get. */

export const VIEWER_CHANNELS = ['events', 'service_status', 'alerts'] as const;
export type ViewerChannel = (typeof VIEWER_CHANNELS)[number];

/** An event as viewers see it. Times are epoch ms. */
export interface ViewerEvent {
  id: string;
  /** The database's; orders the events and is the cursor of `GET /api/events?before=`. */
  seq: number;
  camera: string;
  startedAt: number;
  endedAt: number;
  /** 0–100. */
  riskScore: number;
  riskLevel: 'low' | 'medium' | 'high' | 'critical';
  /** Anything but `llm` is a stand-in: the analysis is still owed. */
  riskSource: 'llm' | 'cache' | 'object_estimate' | 'default';
  summary: string;
  reasoning: string;
  degraded: boolean;
  uploads: {
    id: string;
    detections: {
      class: string;
      confidence: number;
      bbox: { x: number; y: number; width: number; height: number };
    }[];
    degraded: boolean;
    capturedAt: number | null;
  }[];
  createdAt: number;
  updatedAt: number;
  traceId: string;
}

/** An event as `GET /api/events` gives it. `media[i]` is the picture of `uploads[i]`, a path of this API. */
export interface ReviewedEvent extends ViewerEvent {
  media: string[];
  reviewedAt: number | null;
  reviewNote: string | null;
}

/** Fresh, or what was known `ageMs` ago because the database did not answer in time. */
type Freshness = { stale: false } | { stale: true; ageMs: number };

/** `GET /api/events`: newest first; `next` is the `before` of the next page, null on the last. */
export type EventPage = Freshness & { events: ReviewedEvent[]; next: number | null };
/** `GET /api/events/:id` */
export type EventAnswer = Freshness & { event: ReviewedEvent };

/** `auth` of the handshake; all of it may be left out. */
export interface ViewerAuth {
  /** @default all three */
  channels?: ViewerChannel[];
  /** The newest `seq` the viewer has: of `events`, or of each channel. */
  lastSeq?: number | Partial<Record<ViewerChannel, number>>;
}

/** A message of a channel. `seq` grows by at least one with each message of that channel, over restarts too. */
export interface ViewerMessage<T> {
  seq: number;
  /** Epoch ms of delivery. */
  at: number;
  data: T;
}

export interface ViewerEventChange {
  change: 'created' | 'updated';
  /** `direct`: it did not come through Redis. */
  via: 'redis' | 'direct';
  event: ViewerEvent;
}

export type ViewerNotice =
  | { type: 'timeout'; service: string; retryAfterMs: number }
  /** The backend is going down in good order. */
  | { type: 'shutdown' };

/** Where a viewer stands in a channel. `missed`: some messages after its `lastSeq` are gone, so fetch the events. */
export interface ViewerResume {
  channel: ViewerChannel;
  /** Of the newest message of the channel. */
  seq: number;
  missed: boolean;
}

/**
 * A viewer that cannot keep up (too much waits for it, or it takes nothing for seconds) is cut: WebSocket close code 1001, reason `slow_consumer`
 * (`details.context.reason` of Socket.IO's `disconnect`).
 */
export interface ViewerServerEvents {
  events: (message: ViewerMessage<ViewerEventChange>) => void;
  service_status: (message: ViewerMessage<Record<string, unknown>>) => void;
  alerts: (message: ViewerMessage<Record<string, unknown>>) => void;
  /** First after each (re)connect, one a channel, followed by the messages after `lastSeq`. */
  resumed: (resume: ViewerResume) => void;
  notice: (notice: ViewerNotice) => void;
}

export interface ViewerClientEvents {
  subscribe: (
    request: { channel: ViewerChannel; lastSeq?: number },
    ack: (answer: Ack<ViewerResume>) => void,
  ) => void;
  unsubscribe: (
    request: { channel: ViewerChannel },
    ack: (answer: Ack<{ channel: ViewerChannel }>) => void,
  ) => void;
}
