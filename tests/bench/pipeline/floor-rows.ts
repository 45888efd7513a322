import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import type { Detection } from '#server/pipeline/contracts.ts';
import type { BenchFrame } from './bench-frames.ts';

/** Upload and detections in one prepared statement: one round trip, one commit. */
export async function insertFrame(
  pool: Pool,
  id: string,
  {
    camera,
    name,
    capturedAt,
    traceId,
    bytes,
    sha256,
    detections,
  }: BenchFrame & { sha256: string; detections: readonly Detection[] },
): Promise<void> {
  await pool.query({
    name: 'frame',
    text: `WITH upload AS (
        INSERT INTO uploads (upload_id, camera, name, captured_at, accepted_at, size_bytes, sha256, status, kind, trace_id)
        VALUES ($1, $2, $3, $4, $4, $5, $6, 'stored', 'image', $7))
      INSERT INTO detections (upload_id, camera, detection, detections, captured_at) VALUES ($1, $2, 'done', $8, $4)`,
    values: [
      id,
      camera,
      name,
      new Date(capturedAt),
      bytes.length,
      sha256,
      traceId,
      JSON.stringify(detections),
    ],
  });
}

/** An event and its links, in one prepared statement. */
export async function insertEvent(
  pool: Pool,
  camera: string,
  ids: readonly string[],
  frames: readonly BenchFrame[],
): Promise<void> {
  const times = frames.map(({ capturedAt }) => capturedAt);
  await pool.query({
    name: 'event',
    text: `WITH event AS (
        INSERT INTO events (event_id, camera, started_at, ended_at, risk_score, risk_level, risk_source, summary,
          reasoning, trace_id)
        VALUES ($1, $2, $3, $4, 40, 'medium', 'llm', 'A person walks by.', 'One person.', $5))
      INSERT INTO event_uploads (upload_id, event_id) SELECT unnest($6::text[]), $1`,
    values: [randomUUID(), camera, new Date(Math.min(...times)), new Date(Math.max(...times)), ids[0], ids],
  });
}
