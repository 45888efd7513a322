import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startTestPostgres, type TestPostgres } from '#tests/support/postgres.ts';
import type { ValidUpload } from '../contracts.ts';
import { Database } from '../database/database.ts';
import { migrate } from '../database/migrate.ts';
import { storeDuplicate, storeUpload } from './upload-rows.ts';

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

const NOW = Date.UTC(2026, 10, 22);
const upload = (id: string, more: Partial<ValidUpload> = {}): ValidUpload => ({
  id,
  camera: 'cam-01',
  name: 'frame.jpg',
  sizeBytes: 1,
  acceptedAt: NOW,
  traceId: 'trace',
  kind: 'image',
  path: '/nowhere',
  sha256: 'same',
  capturedAt: null,
  sequence: null,
  ...more,
});
const store = (each: ValidUpload) => storeUpload(db, each, { kind: 'not_run' });
const rows = () =>
  db.query(
    `SELECT u.upload_id AS id, status, duplicate_of AS original, d.upload_id IS NOT NULL AS detected
     FROM uploads u LEFT JOIN detections d USING (upload_id) ORDER BY 1`,
  );

describe('storeUpload', () => {
  it('makes the second of two uploads of the same content its duplicate, once however often it is repeated', async () => {
    for (let turn = 0; turn < 2; turn++) {
      expect(await store(upload('a'))).toEqual({ status: 'stored' });
      expect(await store(upload('b', { acceptedAt: NOW + 300_000 }))).toEqual({
        status: 'duplicate',
        originalId: 'a',
      });
    }
    expect(await rows()).toEqual([
      { id: 'a', status: 'stored', original: null, detected: true },
      { id: 'b', status: 'duplicate', original: 'a', detected: false },
    ]);
  });

  it('stores both when the content differs or comes again after 300 s', async () => {
    await store(upload('a'));
    expect(await store(upload('b', { sha256: 'other' }))).toEqual({ status: 'stored' });
    expect(await store(upload('c', { acceptedAt: NOW + 300_001 }))).toEqual({ status: 'stored' });
  });

  it('stores one of many that commit at once', async () => {
    const ids = ['a', 'b', 'c', 'd', 'e', 'f'];
    const homes = await Promise.all(ids.map((id) => store(upload(id))));
    expect(homes.filter(({ status }) => status === 'stored')).toHaveLength(1);
  });

  it('leaves what was found to be a duplicate before as it is', async () => {
    await storeDuplicate(db, upload('b'), 'a');
    expect(await store(upload('b'))).toEqual({ status: 'duplicate', originalId: 'a' });
    expect(await rows()).toEqual([{ id: 'b', status: 'duplicate', original: 'a', detected: false }]);
    expect(await store(upload('a'))).toEqual({ status: 'stored' });
  });
});
