import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startTestPostgres, type TestPostgres } from '#tests/support/postgres.ts';
import { Database } from '../database/database.ts';
import { migrate } from '../database/migrate.ts';
import { type Assessment, storeEvent } from './event-rows.ts';
import type { FrameRow } from './upload-rows.ts';

let postgres: TestPostgres;
let db: Database;
beforeAll(async () => {
  postgres = await startTestPostgres();
  const { host, port, user, password, database } = postgres;
  db = new Database({ host, port, user, password, database });
  await migrate(db, { signal: AbortSignal.timeout(20_000), onRetry: () => {} });
}, 60_000);
beforeEach(async () => {
  await db.query('TRUNCATE events, event_uploads, detections, uploads CASCADE');
});
afterAll(async () => {
  await db?.close();
  await postgres?.close();
});

const ASSESSMENT: Assessment = {
  riskScore: 40,
  riskLevel: 'medium',
  riskSource: 'llm',
  summary: 'a dog',
  reasoning: 'it barks',
  owed: false,
};

const frame = (uploadId: string): FrameRow => ({
  uploadId,
  camera: 'cam-01',
  traceId: 'trace',
  detections: [],
  degraded: false,
  warmingUp: false,
  at: 1000,
  capturedAt: null,
  acceptedAt: 1000,
});

const store = (id: string, uploadIds: string[]) =>
  storeEvent(db, { id, camera: 'cam-01', traceId: 'trace', frames: uploadIds.map(frame) }, ASSESSMENT);

const links = () => db.query('SELECT event_id, upload_id FROM event_uploads ORDER BY upload_id');

describe('storeEvent', () => {
  it('stores the event with its links, once however often it is repeated', async () => {
    for (let turn = 0; turn < 2; turn++) expect(await store('e1', ['u1', 'u2'])).toMatchObject({ id: 'e1' });
    expect(await db.query('SELECT event_id FROM events')).toEqual([{ event_id: 'e1' }]);
    expect(await links()).toEqual([
      { event_id: 'e1', upload_id: 'u1' },
      { event_id: 'e1', upload_id: 'u2' },
    ]);
  });

  it('puts no frame into two events, and stores none without a frame of its own', async () => {
    await store('e1', ['u1', 'u2']);
    await store('e2', ['u2', 'u3']);
    expect(await store('e3', ['u1', 'u3'])).toBeUndefined();
    expect(await links()).toEqual([
      { event_id: 'e1', upload_id: 'u1' },
      { event_id: 'e1', upload_id: 'u2' },
      { event_id: 'e2', upload_id: 'u3' },
    ]);
    expect(await db.query('SELECT event_id FROM events ORDER BY 1')).toEqual([
      { event_id: 'e1' },
      { event_id: 'e2' },
    ]);
  });

  it('leaves no event behind when its links cannot be stored', async () => {
    await db.query("ALTER TABLE event_uploads ADD CONSTRAINT refuse CHECK (upload_id <> 'refused')");
    await expect(store('e1', ['u1', 'refused'])).rejects.toMatchObject({ code: '23514' });
    expect(await db.query('SELECT event_id FROM events')).toEqual([]);
    await db.query('ALTER TABLE event_uploads DROP CONSTRAINT refuse');
  });
});
