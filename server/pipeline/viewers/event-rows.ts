import type { ReviewedEvent } from '#lib/protocol/viewers.ts';
import type { Row } from '../database/database.ts';
import { mediaPath } from './recent-events.ts';

const COLUMNS = `e.event_id, e.seq, e.camera, e.started_at, e.ended_at, e.risk_score, e.risk_level, e.risk_source,
  e.summary, e.reasoning, e.degraded, e.trace_id, e.created_at, e.updated_at, e.reviewed_at, e.review_note, u.uploads`;

const UPLOADS = `LEFT JOIN LATERAL (
    SELECT json_agg(json_build_object(
        'id', l.upload_id,
        'detections', coalesce(d.detections, '[]'::jsonb),
        'degraded', coalesce(d.degraded, false),
        'capturedAt', (extract(epoch FROM d.captured_at) * 1000)::bigint
      ) ORDER BY d.captured_at, l.upload_id) AS uploads
    FROM event_uploads l LEFT JOIN detections d USING (upload_id)
    WHERE l.event_id = e.event_id
  ) u ON true`;

/** $1: only events with a smaller seq, null for the newest; $2: how many. */
export const EVENT_PAGE_SQL = `SELECT ${COLUMNS}
  FROM (SELECT * FROM events WHERE $1::bigint IS NULL OR seq < $1::bigint ORDER BY seq DESC LIMIT $2) e
  ${UPLOADS}
  ORDER BY e.seq DESC`;

/** $1: id. */
export const EVENT_SQL = `SELECT ${COLUMNS} FROM events e ${UPLOADS} WHERE e.event_id = $1`;

/** $1: id, $2: note. Said twice it is the same review at a later time. */
export const REVIEW_SQL = `UPDATE events SET reviewed_at = now(), review_note = $2 WHERE event_id = $1
  RETURNING event_id, reviewed_at, review_note`;

/** As the two selects above give it. */
export interface EventRow extends Row {
  event_id: string;
  /** bigint comes as text. */
  seq: string;
  camera: string;
  started_at: Date;
  ended_at: Date;
  risk_score: number;
  risk_level: ReviewedEvent['riskLevel'];
  risk_source: ReviewedEvent['riskSource'];
  summary: string;
  reasoning: string;
  degraded: boolean;
  trace_id: string;
  created_at: Date;
  updated_at: Date;
  reviewed_at: Date | null;
  review_note: string | null;
  uploads: ReviewedEvent['uploads'] | null;
}

export interface ReviewRow extends Row {
  event_id: string;
  reviewed_at: Date;
  review_note: string | null;
}

export function eventOfRow(row: EventRow): ReviewedEvent {
  const uploads = row.uploads ?? [];
  return {
    id: row.event_id,
    seq: Number(row.seq),
    camera: row.camera,
    startedAt: row.started_at.getTime(),
    endedAt: row.ended_at.getTime(),
    riskScore: row.risk_score,
    riskLevel: row.risk_level,
    riskSource: row.risk_source,
    summary: row.summary,
    reasoning: row.reasoning,
    degraded: row.degraded,
    uploads,
    createdAt: row.created_at.getTime(),
    updatedAt: row.updated_at.getTime(),
    traceId: row.trace_id,
    media: uploads.map((upload) => mediaPath(upload.id)),
    reviewedAt: row.reviewed_at?.getTime() ?? null,
    reviewNote: row.review_note,
  };
}
