import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { MAX_KEPT_BYTES } from '#lib/chaos/proxy/http/http-session.ts';

const MIB = 1024 * 1024;
/**
 * What one session may make the process keep. The largest is a body kept to be spoilt: its buffer is copied while it
 * grows and once more when it is sent. The parsers' own bounds (`MAX_HEAD_BYTES`, `MAX_LINE_BYTES`, `MAX_SQL_BYTES`,
 * `MAX_EARLY_BYTES`, `MAX_DEPTH`) are far below.
 */
const BOUND_BYTES = 3 * MAX_KEPT_BYTES + 4 * MIB;

interface Report {
  name: string;
  fed: number;
  peakBytes: number;
  end: string;
}

/** How each flood ends; "open" ones pass through. */
const ENDS: Readonly<Record<string, string>> = {
  'Redis: a line without end': 'not RESP',
  'Redis: a name of 2^31 bytes': 'not RESP',
  'Redis: an argument of 2^53 bytes': 'open',
  'Redis: channels without end': 'paused',
  'Redis: commands that nobody answers': 'paused',
  'Redis: replies that nobody asked for': 'open',
  'Redis: arrays inside arrays': 'replies are not RESP',
  'Redis: attributes inside attributes': 'replies are not RESP',
  'Redis: a status without end': 'open',
  'PostgreSQL: a query of 2^30 bytes': 'open',
  'PostgreSQL: Syncs that nobody answers': 'paused',
  'PostgreSQL: statements without end': 'open',
  'PostgreSQL: bytes before the answer about TLS': 'paused',
  'PostgreSQL: one row of 2^30 bytes': 'open',
  'HTTP: header lines without end': 'not HTTP',
  'HTTP: requests that nobody answers': 'paused',
  'HTTP: a body of 2^64 bytes': 'open',
  'HTTP: an answer without headers’ end': 'answers are not HTTP',
  'HTTP: a chunk size without end': 'open',
  'HTTP: chunks of four bytes, kept to be spoilt': 'finished',
  'HTTP: an answer of 2^31 bytes, kept to be spoilt': 'finished',
  'FTP: a line without end': 'not FTP',
  'FTP: commands that nobody answers': 'paused',
  'FTP: a reply without end': 'answers are not FTP',
  'FTP: lines of a reply without end': 'open',
};

describe('A session flooded without end', () => {
  let reports: Report[] = [];

  beforeAll(async () => {
    // In a process whose heap is too small for a leak of one object per message.
    const flags = ['--expose-gc', '--max-old-space-size=48'];
    const script = join(import.meta.dirname, 'flood.ts');
    const { stdout } = await promisify(execFile)(process.execPath, [...flags, script]);
    reports = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Report);
  }, 180_000);

  it.each(Object.entries(ENDS))('keeps little: %s', (name, end) => {
    const report = reports.find((each) => each.name === name);
    expect(report?.end).toBe(end);
    expect(report?.peakBytes).toBeLessThan(BOUND_BYTES);
    // Whoever is not paused or closed has really been flooded.
    const stopped = end === 'paused' || end === 'finished';
    expect(report?.fed).toBeGreaterThan(stopped ? 0 : 6 * MIB - 1);
  });

  it('has nothing else to report', () => {
    expect(reports.map(({ name }) => name).sort()).toEqual(Object.keys(ENDS).sort());
  });
});
