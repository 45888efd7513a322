import type { Detection, EventRecord, RiskLevel, RiskSource } from '../contracts.ts';
import type { Database, Queryable } from '../database/database.ts';
import type { FrameRow } from './upload-rows.ts';

/** How risky an event is, and who says so. */
export interface Assessment {
  riskScore: number;
  riskLevel: RiskLevel;
  riskSource: RiskSource;
  summary: string;
  reasoning: string;
  /** The language model still has to judge it. */
  owed: boolean;
}

interface EventRow {
  event_id: string;
  seq: string;
  camera: string;
  started_at: Date;
  ended_at: Date;
  risk_score: number;
  risk_level: RiskLevel;
  risk_source: RiskSource;
  summary: string;
  reasoning: string;
  degraded: boolean;
  trace_id: string;
  created_at: Date;
  updated_at: Date;
}

/**
 * Stores an event with the frames that are in no other one; undefined when none is left.
 *
 * Repeating it gives the event that is there. The frames' links are unique, so no frame can be in two events.
 */
export async function storeEvent(
  db: Database,
  event: { id: string; camera: string; traceId: string; frames: readonly FrameRow[] },
  assessment: Assessment,
): Promise<EventRecord | undefined> {
  const { id, camera, traceId, frames } = event;
  if (frames.length === 0) return undefined;
  const times = frames.map(({ at }) => at);
  const stored = await db.transaction(async (tx) => {
    await tx.query(
      `INSERT INTO events (event_id, camera, started_at, ended_at, risk_score, risk_level, risk_source, summary,
         reasoning, degraded, owed, trace_id)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (event_id) DO NOTHING`,
      [
        id,
        camera,
        new Date(Math.min(...times)),
        new Date(Math.max(...times)),
        assessment.riskScore,
        assessment.riskLevel,
        assessment.riskSource,
        assessment.summary,
        assessment.reasoning,
        frames.some(({ degraded }) => degraded),
        assessment.owed,
        traceId,
      ],
    );
    await tx.query(
      `INSERT INTO event_uploads (upload_id, event_id) SELECT unnest($2::text[]), $1
       ON CONFLICT (upload_id) DO NOTHING`,
      [id, frames.map(({ uploadId }) => uploadId)],
    );
    const links = await tx.query('SELECT FROM event_uploads WHERE event_id = $1 LIMIT 1', [id]);
    if (links.length === 0) await tx.query('DELETE FROM events WHERE event_id = $1', [id]);
    return links.length > 0;
  });
  return stored ? loadEvent(db, id) : undefined;
}

export async function loadEvent(db: Queryable, eventId: string): Promise<EventRecord | undefined> {
  const [row] = await db.query<EventRow>('SELECT * FROM events WHERE event_id = $1', [eventId]);
  if (!row) return undefined;
  const frames = await db.query<{
    upload_id: string;
    detections: Detection[];
    degraded: boolean;
    captured_at: Date | null;
  }>(
    `SELECT d.upload_id, d.detections, d.degraded, d.captured_at
     FROM event_uploads e JOIN detections d USING (upload_id) WHERE e.event_id = $1 ORDER BY d.upload_id`,
    [eventId],
  );
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
    uploads: frames.map((frame) => ({
      id: frame.upload_id,
      detections: frame.detections,
      degraded: frame.degraded,
      capturedAt: frame.captured_at?.getTime() ?? null,
    })),
    createdAt: row.created_at.getTime(),
    updatedAt: row.updated_at.getTime(),
    traceId: row.trace_id,
  };
}

/** Ids of events whose analysis is owed, oldest first, without the given ones and those that wait for a frame. */
export async function owedEvents(
  db: Queryable,
  limit: number,
  without: readonly string[],
): Promise<string[]> {
  const rows = await db.query<{ event_id: string }>(
    `SELECT event_id FROM events e WHERE owed AND NOT event_id = ANY($2)
       AND NOT EXISTS (SELECT FROM event_uploads l JOIN detections d USING (upload_id)
         WHERE l.event_id = e.event_id AND d.owed)
     ORDER BY seq LIMIT $1`,
    [limit, [...without]],
  );
  return rows.map((row) => row.event_id);
}

/** Replaces an event's assessment by the one that was owed. */
export async function reassessEvent(db: Queryable, eventId: string, assessment: Assessment): Promise<void> {
  await db.query(
    `UPDATE events SET risk_score = $2, risk_level = $3, risk_source = $4, summary = $5, reasoning = $6, owed = $7,
       updated_at = now()
     WHERE event_id = $1`,
    [
      eventId,
      assessment.riskScore,
      assessment.riskLevel,
      assessment.riskSource,
      assessment.summary,
      assessment.reasoning,
      assessment.owed,
    ],
  );
}
