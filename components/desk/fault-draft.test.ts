import { describe, expect, it } from 'vitest';
import type { Catalogue, Fault } from '#lib/protocol/faults.ts';
import {
  changeRequest,
  draftOf,
  editedDraft,
  fieldsFor,
  fittingModifiers,
  startRequest,
} from './fault-draft.ts';
import type { FormField } from './form-fields.ts';

const base = { description: '', title: '' };
const fields: FormField[] = [
  { ...base, name: 'latencyMs', kind: 'number', unit: 'ms', min: 0, max: 60_000, step: 1, default: 500 },
  { ...base, name: 'services', kind: 'many', options: ['redis'], default: [], onlyFor: ['network'] },
];
const type: Catalogue['types'][number] = {
  type: 'latency',
  title: 'Latency',
  description: '',
  plane: 'network',
  services: ['redis', 'gpu'],
  defaultRatio: 1,
  modifiers: {
    redis: { names: ['ratio', 'match', 'pulse', 'failFirst', 'rampMs'], match: ['command'] },
    gpu: { names: ['pulse'], match: [] },
  },
  params: {},
  promises: [],
};
const ttl = { minMs: 1000, defaultMs: 60_000, maxMs: 900_000 };
const fault: Fault = {
  id: 'f1',
  version: 3,
  service: 'redis',
  type: 'latency',
  title: 'Latency',
  params: { latencyMs: 900, services: ['redis'] },
  ratio: 0.5,
  seed: 42,
  match: { command: 'GET' },
  pulse: { activeMs: 500, dormantMs: 700 },
  ttlMs: 30_000,
  leftMs: 20_000,
  owner: { name: 'Ana', kind: 'browser' },
  startedAt: 0,
  expiresAt: 30_000,
  plane: 'network',
  injector: 'proxy',
  armedInMs: 1,
  hits: 0,
  hitsByKind: {},
  seen: 0,
};

describe('fieldsFor', () => {
  it('leaves out what the service ignores', () => {
    expect(fieldsFor(fields, 'redis').map(({ name }) => name)).toEqual(['latencyMs']);
    expect(fieldsFor(fields, 'network')).toHaveLength(2);
  });
});

describe('startRequest', () => {
  it('asks for what was typed only, and for no modifier that means nothing there', () => {
    const draft = draftOf(type, fields, ttl);
    expect(startRequest('redis', type, fields, draft)).toEqual({
      service: 'redis',
      type: 'latency',
      ratio: 1,
      ttlMs: 60_000,
    });
    const edited = editedDraft(draft, {
      params: { latencyMs: 9 },
      seed: '7',
      match: { command: ' SET' },
      turns: { activeMs: '500', dormantMs: '600', failFirst: '3', rampMs: '1000' },
    });
    expect(startRequest('redis', type, fields, edited)).toMatchObject({
      params: { latencyMs: 9 },
      seed: 7,
      match: { command: ' SET' },
      pulse: { activeMs: 500, dormantMs: 600 },
      failFirst: 3,
      rampMs: 1000,
    });
    expect(startRequest('gpu', type, fields, draft)).not.toHaveProperty('ratio');
    expect(fittingModifiers(type, 'ftp')).toEqual({ names: [], match: [] });
  });
});

describe('changeRequest', () => {
  const draft = draftOf(type, fields, ttl, fault);

  it('is empty for a draft that shows the fault as it is', () => {
    expect(changeRequest(fault, fields, draft)).toEqual({});
    expect(changeRequest(fault, fields, draft, { extend: true })).toEqual({ ttlMs: 30_000 });
  });

  it('names what differs, and takes away what was emptied', () => {
    const edited = editedDraft(draft, {
      params: { services: [] },
      ratio: 1,
      match: { command: '' },
      turns: { activeMs: '', dormantMs: '', rampMs: '2000' },
    });
    expect(changeRequest(fault, fields, edited)).toEqual({
      params: { services: [] },
      ratio: 1,
      match: null,
      pulse: null,
      rampMs: 2000,
    });
  });

  it('keeps what was typed while somebody else changes the rest', () => {
    const changed = { ...fault, ratio: 0.9, params: { latencyMs: 100, services: [] } };
    const edited = editedDraft(draftOf(type, fields, ttl, changed), { params: { latencyMs: 7 } });
    expect(changeRequest(changed, fields, edited)).toEqual({ params: { latencyMs: 7 } });
  });
});
