import type { RecentEvent } from '#lib/protocol/state.ts';
import type { ReviewedEvent, ViewerEvent } from '#lib/protocol/viewers.ts';

/** Events remembered. */
const MAX_EVENTS = 100;

/** Path of an upload's picture in the backend's own API. */
export function mediaPath(uploadId: string): string {
  return `/api/media/${uploadId}`;
}

/** The newest events that this process has made or read, for the console's report and as the last cached page. */
export class RecentEvents {
  readonly #events = new Map<string, ReviewedEvent>();

  /** A new event, or a new version of one. What is known of its review stays. */
  remember(event: ViewerEvent | ReviewedEvent): void {
    const known = this.#events.get(event.id);
    if (known && known.updatedAt > event.updatedAt) return;
    const review = 'media' in event ? event : known;
    this.#events.set(event.id, {
      ...event,
      media: event.uploads.map((upload) => mediaPath(upload.id)),
      reviewedAt: review?.reviewedAt ?? null,
      reviewNote: review?.reviewNote ?? null,
    });
    if (this.#events.size > MAX_EVENTS) {
      const oldest = this.#newestFirst().at(-1);
      if (oldest) this.#events.delete(oldest.id);
    }
  }

  find(id: string): ReviewedEvent | undefined {
    return this.#events.get(id);
  }

  /** Newest first. */
  list(limit: number): ReviewedEvent[] {
    return this.#newestFirst().slice(0, limit);
  }

  /** For the console's report, newest first. */
  report(limit: number): RecentEvent[] {
    return this.list(limit).map((event) => ({
      id: event.id,
      camera: event.camera,
      at: event.createdAt,
      riskScore: event.riskScore,
      riskLevel: event.riskLevel,
      riskSource: event.riskSource,
      summary: event.summary,
      detections: event.uploads.reduce((sum, upload) => sum + upload.detections.length, 0),
      degraded: event.degraded,
      media: event.media,
    }));
  }

  #newestFirst(): ReviewedEvent[] {
    return [...this.#events.values()].sort((a, b) => b.seq - a.seq);
  }
}
