import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JournalLine } from '#server/control/journal.ts';
import type { System } from './system.ts';

/** What the files of a system say about one fault, apart from what its control process answers. */
export interface LeaseRecord {
  id: string;
  started: number;
  /** Reasons of its `faultEnded` facts. */
  ends: string[];
  /** Announced to the journal, and not yet said to be over. */
  open: boolean;
  /** Said by the proxy process, epoch ms. */
  armedAt: number | null;
  endedAt: number | null;
}

/** Reads the journal's own lines, and the log of the proxy process. */
export function leaseRecords(system: System): Map<string, LeaseRecord> {
  const records = new Map<string, LeaseRecord>();
  const of = (id: string): LeaseRecord => {
    const known = records.get(id);
    if (known) return known;
    const made = { id, started: 0, ends: [], open: false, armedAt: null, endedAt: null };
    records.set(id, made);
    return made;
  };
  for (const line of journalLines(system)) {
    if (line.kind === 'arming') of(line.intent.id).open = true;
    if (line.kind === 'notArmed') of(line.id).open = false;
    if (line.kind !== 'fact') continue;
    if (line.fact.type === 'faultStarted') of(line.fact.data.fault.id).started++;
    if (line.fact.type === 'faultEnded') {
      const record = of(line.fact.data.faultId);
      record.ends.push(line.fact.data.reason);
      record.open = false;
    }
  }
  for (const { msg, fault, time } of system.log('proxy')) {
    if (msg === 'fault armed') of(String(fault)).armedAt = Date.parse(String(time));
    if (msg === 'fault ended') of(String(fault)).endedAt = Date.parse(String(time));
  }
  return records;
}

function journalLines(system: System): JournalLine[] {
  const directory = join(system.dataDir, 'journal');
  return readdirSync(directory)
    .sort()
    .flatMap((name) => readFileSync(join(directory, name), 'utf8').split('\n'))
    .filter((row) => row.endsWith('}'))
    .map((row) => JSON.parse(row) as JournalLine);
}
