import { describe, expect, it } from 'vitest';
import type { FormField } from '../desk/form-fields.ts';
import { kindWords, settingWords } from './fault-words.ts';

const fault = { params: {}, seed: 7, hitsByKind: {} };

function numberField(name: string, title: string, unit: string): FormField {
  return { name, title, description: '', kind: 'number', unit, min: 0, max: 60_000, step: 1, default: 0 };
}

const LATENCY = numberField('latencyMs', 'Latency', 'ms');
const SERVICES: FormField = {
  name: 'services',
  title: 'Services',
  description: '',
  kind: 'many',
  options: ['redis', 'ftp'],
  default: [],
};

describe('settingWords', () => {
  it('names parameters and every modifier, and leaves out what means all', () => {
    expect(
      settingWords(
        {
          ...fault,
          params: { latencyMs: 500, services: [] },
          match: { sql: 'insert', command: 'GET' },
          pulse: { activeMs: 500, dormantMs: 1500 },
          failFirst: 3,
          rampMs: 10_000,
        },
        [LATENCY, SERVICES],
      ),
    ).toEqual([
      'latency 500 ms',
      'only where command has “GET”',
      'only where SQL has “insert”',
      'acts 500 ms, rests 1.5 s',
      'first 3 calls only',
      'grows over 10 s',
    ]);
    expect(settingWords(fault, [LATENCY])).toEqual([]);
  });

  it('says values with their unit, exactly, and only what the form asks for on this service', () => {
    const values = (params: Record<string, unknown>, ...fields: FormField[]) =>
      settingWords({ ...fault, params }, fields);
    expect(values({ latencyMs: 1500, channel: 'data' }, LATENCY)).toEqual(['latency 1.5 s']);
    expect(values({ latencyMs: 1234 }, LATENCY)).toEqual(['latency 1\u202f234 ms']);
    expect(values({ latencyMs: 30_000 }, LATENCY)).toEqual(['latency 30 s']);
    expect(values({ share: 0.25 }, numberField('share', 'Tenant load', 'ratio'))).toEqual([
      'tenant load 25 %',
    ]);
    expect(values({ services: ['redis', 'ftp'] }, SERVICES)).toEqual(['services redis, ftp']);
    expect(values({ status: 503 }, numberField('status', 'HTTP status', ''))).toEqual(['HTTP status 503']);
  });
});

describe('kindWords', () => {
  it('begins with the most frequent kind and says how many are left out', () => {
    const hitsByKind = { 'GET /health': 2, 'POST /detect': 12, PING: 1 };
    expect(kindWords({ hitsByKind })).toEqual(['POST /detect 12', 'GET /health 2', 'PING 1']);
    expect(kindWords({ hitsByKind }, 1)).toEqual(['POST /detect 12', '2 more']);
  });
});
