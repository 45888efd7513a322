import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import type { DlqPage } from '#lib/protocol/dead-letters.ts';
import type { Sidecar } from '#server/pipeline/intake/quarantine.ts';
import { untilAttribute } from './console-page.ts';
import type { System } from './system.ts';
import { until } from './until.ts';

/** A file in quarantine, with its reason; `path` is its own. */
type Quarantined = Sidecar & { path: string };

/** Sidecars of the quarantine, read from disk. */
export function quarantined(system: System): Quarantined[] {
  const directory = join(system.dataDir, 'quarantine');
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .filter((file) => file.endsWith('.json'))
    .map((file) => ({
      ...(JSON.parse(readFileSync(join(directory, file), 'utf8')) as Sidecar),
      path: join(directory, file.slice(0, -'.json'.length)),
    }));
}

export interface Accounts {
  /** Names the cameras know as accepted and that have no terminal home. */
  homeless: string[];
  /** In two terminal homes. */
  doubled: string[];
  /** Stored images that are in no event. */
  eventless: string[];
  accepted: number;
}

/**
 * Compares the cameras' own log with SQL, quarantine and dead letters, by upload, without asking the ledger.
 *
 * @param acceptedBefore only uploads accepted before this moment, epoch ms
 */
export async function accountFor(
  system: System,
  acceptedBefore = Number.POSITIVE_INFINITY,
): Promise<Accounts> {
  const accepted = system.accepted().filter((upload) => upload.acceptedAt < acceptedBefore);
  const rows = await system.sql<{ upload_id: string; name: string; status: string; event_id: string | null }>(
    'select u.upload_id, u.name, u.status, e.event_id from uploads u left join event_uploads e using (upload_id)',
  );
  const byName = new Map<string, typeof rows>();
  for (const row of rows) byName.set(row.name, [...(byName.get(row.name) ?? []), row]);
  const inQuarantine = new Set(
    quarantined(system)
      .filter((each) => each.uploadId !== null)
      .map((each) => each.name),
  );
  const dead = new Set(
    (await deadLetters(system))
      .filter((letter) => letter.queue !== 'upload')
      .map((letter) => letter.uploadId),
  );
  const result: Accounts = { homeless: [], doubled: [], eventless: [], accepted: accepted.length };
  for (const upload of accepted) {
    const stored = (byName.get(upload.name) ?? []).filter((row) => row.status === 'stored');
    const duplicate = (byName.get(upload.name) ?? []).filter((row) => row.status === 'duplicate');
    const homes =
      stored.length +
      (inQuarantine.has(upload.name) ? 1 : 0) +
      (upload.uploadId && dead.has(upload.uploadId) ? 1 : 0);
    if (homes === 0 && duplicate.length === 0) result.homeless.push(upload.name);
    if (homes > 1) result.doubled.push(upload.name);
    if (stored.some((row) => row.event_id === null)) result.eventless.push(upload.name);
  }
  return result;
}

export async function deadLetters(system: System): Promise<DlqPage['items']> {
  const items: DlqPage['items'] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const query: string = cursor ? `?cursor=${encodeURIComponent(cursor)}` : '';
    const page: DlqPage = (await system.api<DlqPage>('GET', `/dlq${query}`)).body;
    items.push(...page.items);
    cursor = page.nextCursor;
  }
  return items;
}

/**
 * After a fault's end, within `limitMs`: NORMAL, every upload accepted before has a terminal home and is in one event, the
 * oldest waiting upload is younger than 10 s, nothing lost, nothing doubled; and the page says so.
 */
export async function untilRecovered(system: System, page?: Page, limitMs = 60_000): Promise<void> {
  const endedAt = Date.now();
  const deadline = performance.now() + limitMs;
  const left = () => Math.max(0, deadline - performance.now());
  await until(
    'every upload accepted before the end of the fault has a terminal home',
    left(),
    async () => {
      const { homeless, doubled, eventless, accepted } = await accountFor(system, endedAt);
      if (doubled.length > 0) throw new Error(`doubled: ${doubled.join(', ')}`);
      if (homeless.length + eventless.length > 0) {
        throw new Error(
          `${accepted} accepted, without a home: ${homeless.join(', ')}; without an event: ${eventless.join(', ')}`,
        );
      }
      return true;
    },
    500,
  );
  await until('the oldest waiting upload is younger than 10 s', left(), async () => {
    const queues = (await system.state()).pipeline?.queues ?? [];
    return queues.length > 0 && queues.every((queue) => (queue.oldestAgeMs ?? 0) < 10_000);
  });
  await system.untilSteady(left());
  if (page) {
    await untilAttribute(page, 'mode', 'data-mode', 'NORMAL', left());
    await untilAttribute(page, 'ledger', 'data-lost', '0', left());
  }
}
