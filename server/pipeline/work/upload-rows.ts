import type { Detection, ValidUpload } from '../contracts.ts';
import type { Database, Queryable } from '../database/database.ts';
import { CACHE_DEFAULTS } from '../viewers/cache.ts';
import type { DetectionResult } from './detector.ts';

/** What became of detection for a frame. */
export type DetectionOutcome =
  | { kind: 'done'; result: DetectionResult }
  /** The detector timed out: nothing is known about the frame yet. */
  | { kind: 'unavailable' }
  /** A video: stored as media only. */
  | { kind: 'not_run' };

/** The upload as it is stored; everything else about it follows from these rows. */
export interface FrameRow {
  uploadId: string;
  camera: string;
  traceId: string;
  detections: Detection[];
  degraded: boolean;
  warmingUp: boolean;
  /** Epoch ms of the capture, or of the acceptance when the camera did not say. */
  at: number;
  capturedAt: number | null;
  acceptedAt: number;
}

interface FrameRecord {
  upload_id: string;
  camera: string;
  trace_id: string;
  detections: Detection[];
  degraded: boolean;
  warming_up: boolean;
  captured_at: Date | null;
  accepted_at: Date;
}

const FRAME_COLUMNS = `d.upload_id, d.camera, u.trace_id, d.detections, d.degraded, d.warming_up, d.captured_at,
  u.accepted_at`;

function frameOf(row: FrameRecord): FrameRow {
  const capturedAt = row.captured_at?.getTime() ?? null;
  return {
    uploadId: row.upload_id,
    camera: row.camera,
    traceId: row.trace_id,
    detections: row.detections,
    degraded: row.degraded,
    warmingUp: row.warming_up,
    at: capturedAt ?? row.accepted_at.getTime(),
    capturedAt,
    acceptedAt: row.accepted_at.getTime(),
  };
}

/** As long as the claim of a hash in the cache lives. */
const SAME_CONTENT_SECONDS = CACHE_DEFAULTS.ttlMs / 1000;

/**
 * Stores an upload and its detections in one transaction. Repeating it changes nothing.
 *
 * An upload whose content was stored under another id shortly before becomes its duplicate instead. The claim in the
 * cache finds nearly all of them earlier, but a claim can be skipped or lost with Redis; the rows cannot.
 */
export function storeUpload(
  db: Database,
  upload: ValidUpload,
  outcome: DetectionOutcome,
): Promise<{ status: 'stored' } | { status: 'duplicate'; originalId: string }> {
  return db.transaction(async (tx) => {
    const originalId = await sameContent(tx, upload);
    if (originalId !== undefined) {
      await insertUpload(tx, upload, 'duplicate', originalId);
      return { status: 'duplicate', originalId };
    }
    await insertUpload(tx, upload, 'stored', null);
    const result = outcome.kind === 'done' ? outcome.result : undefined;
    const unavailable = outcome.kind === 'unavailable';
    await tx.query(
      `INSERT INTO detections (upload_id, camera, degraded, warming_up, detection, detections, inference_time_ms,
         image_width, image_height, owed, captured_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (upload_id) DO NOTHING`,
      [
        upload.id,
        upload.camera,
        unavailable,
        result?.warmingUp ?? false,
        outcome.kind === 'not_run' ? 'not_run' : 'done',
        JSON.stringify(result?.detections ?? []),
        result?.inferenceTimeMs ?? null,
        result?.imageWidth ?? null,
        result?.imageHeight ?? null,
        unavailable || (result?.warmingUp ?? false),
        upload.capturedAt === null ? null : new Date(upload.capturedAt),
      ],
    );
    return { status: 'stored' };
  });
}

/** Id of the upload under which the same content is stored; of two that commit at once the second one sees the first. */
async function sameContent(
  tx: Queryable,
  { id, sha256, acceptedAt }: ValidUpload,
): Promise<string | undefined> {
  await tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [sha256]);
  const [row] = await tx.query<{ upload_id: string; duplicate_of: string | null }>(
    `SELECT upload_id, duplicate_of FROM uploads
     WHERE upload_id = $2 OR (sha256 = $1 AND status = 'stored'
       AND abs(extract(epoch FROM accepted_at - $3::timestamptz)) <= $4)
     ORDER BY upload_id <> $2, accepted_at LIMIT 1`,
    [sha256, id, new Date(acceptedAt), SAME_CONTENT_SECONDS],
  );
  // Its own row, from an earlier run of the same job, says what it is.
  if (row?.upload_id === id) return row.duplicate_of ?? undefined;
  return row?.upload_id;
}

/** Makes "duplicate" the upload's home. Repeating it changes nothing. */
export async function storeDuplicate(db: Queryable, upload: ValidUpload, originalId: string): Promise<void> {
  await insertUpload(db, upload, 'duplicate', originalId);
}

async function insertUpload(
  db: Queryable,
  upload: ValidUpload,
  status: 'stored' | 'duplicate',
  duplicateOf: string | null,
): Promise<void> {
  await db.query(
    `INSERT INTO uploads (upload_id, camera, name, captured_at, accepted_at, size_bytes, sha256, status, duplicate_of,
       kind, trace_id)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (upload_id) DO NOTHING`,
    [
      upload.id,
      upload.camera,
      upload.name,
      upload.capturedAt === null ? null : new Date(upload.capturedAt),
      new Date(upload.acceptedAt),
      upload.sizeBytes,
      upload.sha256,
      status,
      duplicateOf,
      upload.kind,
      upload.traceId,
    ],
  );
}

/** Whether the upload has its terminal row, as a stored one or a duplicate. */
export async function uploadStatus(
  db: Queryable,
  uploadId: string,
): Promise<'stored' | 'duplicate' | undefined> {
  const [row] = await db.query<{ status: 'stored' | 'duplicate' }>(
    'SELECT status FROM uploads WHERE upload_id = $1',
    [uploadId],
  );
  return row?.status;
}

/** Of these frames the ones that are in no event yet, oldest first. */
export async function framesWithoutEvent(db: Queryable, uploadIds: readonly string[]): Promise<FrameRow[]> {
  const rows = await db.query<FrameRecord>(
    `SELECT ${FRAME_COLUMNS} FROM detections d JOIN uploads u USING (upload_id)
     WHERE d.upload_id = ANY($1)
       AND NOT EXISTS (SELECT FROM event_uploads e WHERE e.upload_id = d.upload_id)
     ORDER BY d.upload_id`,
    [[...uploadIds]],
  );
  return rows.map(frameOf);
}

/** Frames that were detected since `since` and are in no event, oldest first. */
export async function unbatchedFrames(db: Queryable, since: Date, limit: number): Promise<FrameRow[]> {
  const rows = await db.query<FrameRecord>(
    `SELECT ${FRAME_COLUMNS} FROM detections d JOIN uploads u USING (upload_id)
     WHERE d.detection = 'done' AND d.detected_at >= $1
       AND NOT EXISTS (SELECT FROM event_uploads e WHERE e.upload_id = d.upload_id)
     ORDER BY d.upload_id LIMIT $2`,
    [since, limit],
  );
  return rows.map(frameOf);
}

export interface OwedFrame extends FrameRow {
  name: string;
  /** The event that it is in, if that has been made. */
  eventId: string | null;
}

/** Frames whose detection is owed, oldest first, without the given ones. */
export async function owedFrames(
  db: Queryable,
  limit: number,
  without: readonly string[],
): Promise<OwedFrame[]> {
  const rows = await db.query<FrameRecord & { name: string; event_id: string | null }>(
    `SELECT ${FRAME_COLUMNS}, u.name, e.event_id
     FROM detections d JOIN uploads u USING (upload_id) LEFT JOIN event_uploads e USING (upload_id)
     WHERE d.owed AND NOT d.upload_id = ANY($2) ORDER BY d.detected_at, d.upload_id LIMIT $1`,
    [limit, [...without]],
  );
  return rows.map((row) => ({ ...frameOf(row), name: row.name, eventId: row.event_id }));
}

/**
 * Replaces a frame's detections by those that were owed. An event that holds it is no longer degraded once its last
 * missing frame is there, and owes a new analysis.
 */
export function settleFrame(db: Database, uploadId: string, result: DetectionResult): Promise<void> {
  return db.transaction(async (tx) => {
    await tx.query(
      `UPDATE detections SET degraded = false, warming_up = false, owed = false, detections = $2,
         inference_time_ms = $3, image_width = $4, image_height = $5, updated_at = now()
       WHERE upload_id = $1`,
      [
        uploadId,
        JSON.stringify(result.detections),
        result.inferenceTimeMs,
        result.imageWidth,
        result.imageHeight,
      ],
    );
    await tx.query(
      `UPDATE events SET owed = true, updated_at = now(), degraded = EXISTS (
         SELECT FROM event_uploads l JOIN detections d USING (upload_id)
         WHERE l.event_id = events.event_id AND d.degraded)
       WHERE event_id = (SELECT event_id FROM event_uploads WHERE upload_id = $1)`,
      [uploadId],
    );
  });
}

/** Gives up a re-detection that can never be made: the file is gone. The frame stays marked as it is. */
export async function forgiveFrame(db: Queryable, uploadId: string): Promise<void> {
  await db.query('UPDATE detections SET owed = false, updated_at = now() WHERE upload_id = $1', [uploadId]);
}
