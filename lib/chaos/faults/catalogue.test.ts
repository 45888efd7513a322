import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { FAULT_TYPES, faultTypesFor, findFaultType, injectorFor } from './catalogue.ts';
import { defineFaultType } from './define.ts';
import { INJECTOR_NAMES, SERVICE_NAMES } from './fault.ts';
import { loadFaultTypes } from './load-fault-types.ts';
import { PRESETS } from './presets.ts';
import { validateFault } from './validate.ts';

const SEED_SERVICES = ['yolo26', 'nemotron', 'redis', 'database', 'network', 'ftp', 'gpu', 'pubsub'] as const;
const SEED_TYPES = ['timeout', 'connection_error', 'server_error', 'intermittent', 'latency', 'unavailable'];

describe('catalogue', () => {
  it('declares each type once', () => {
    const names = FAULT_TYPES.map((declared) => declared.type);
    expect(names).toEqual([...new Set(names)]);
  });

  it.each(SEED_SERVICES)("offers the seed's six types on %s", (service) => {
    const names = faultTypesFor(service).map((declared) => declared.type);
    expect(names).toEqual(expect.arrayContaining(SEED_TYPES));
  });

  it.each(SERVICE_NAMES)('offers something on %s, with an injector for each type', (service) => {
    const types = faultTypesFor(service);
    expect(types.length).toBeGreaterThan(0);
    for (const type of types) expect(INJECTOR_NAMES).toContain(injectorFor(service, type));
  });

  it.each(FAULT_TYPES)(
    '$type has a complete, described form: every parameter has a title and a default',
    (declared) => {
      const schema = z.toJSONSchema(declared.params) as {
        properties: Record<string, { title?: string; description?: string; default?: unknown }>;
        additionalProperties: boolean;
      };
      expect(schema.additionalProperties).toBe(false);
      for (const [name, field] of Object.entries(schema.properties)) {
        expect(field.title, name).toBeTruthy();
        expect(field.description, name).toBeTruthy();
        expect(field, name).toHaveProperty('default');
        if (name.endsWith('Ms')) expect(field, name).toHaveProperty('unit', 'ms');
      }
      expect(declared.description).toMatch(/\.$/);
      const promised = (declared.promises ?? []).map(({ service }) => service);
      expect(promised.toSorted(), 'one promise for each service').toEqual(declared.services.toSorted());
    },
  );

  it('finds a type by its name only', () => {
    expect(findFaultType('latency')?.title).toBe('Latency');
    expect(findFaultType('toString')).toBeUndefined();
  });
});

describe('defineFaultType', () => {
  const good = {
    type: 'x_y',
    title: 'X',
    description: 'X.',
    plane: 'agent',
    services: ['gpu'],
    params: z.strictObject({}),
  } as const;

  it.each([
    ['a name that is not snake_case', { type: 'X-Y' }, TypeError],
    ['no service', { services: [] }, TypeError],
    ['a parameter without default', { params: z.strictObject({ n: z.number() }) }, TypeError],
    ['a ratio above 1', { defaultRatio: 1.1 }, RangeError],
  ])('refuses %s', (_, wrong, kind) => {
    expect(() => defineFaultType({ ...good, ...wrong })).toThrow(kind);
    expect(defineFaultType(good)).toBe(good);
  });
});

describe('loadFaultTypes', () => {
  it.each([
    ['exports nothing', ''],
    ['is named after another type', "export default { type: 'slow_open' };"],
  ])('refuses a file that %s, naming it', async (_, source) => {
    const folder = mkdtempSync(join(tmpdir(), 'brownout-types-'));
    writeFileSync(join(folder, 'slow-close.ts'), source);
    const loading = loadFaultTypes(pathToFileURL(`${folder}/`));
    await expect(loading).rejects.toThrow(
      'Expected the default export of slow-close.ts to be the fault type "slow_close"',
    );
    rmSync(folder, { recursive: true });
  });

  it('offers a type without a place after all the others', () => {
    const orders = FAULT_TYPES.map(({ order }) => order ?? Number.MAX_SAFE_INTEGER);
    expect(orders).toEqual([...orders].sort((a, b) => a - b));
    expect(FAULT_TYPES[0]?.type).toBe('timeout');
  });
});

describe('presets', () => {
  it('has the names of the seed document, each once', () => {
    expect(PRESETS.map((preset) => preset.name)).toEqual([
      'yolo26_timeout',
      'yolo26_connection_error',
      'yolo26_server_error',
      'yolo26_intermittent',
      'nemotron_timeout',
      'nemotron_unavailable',
      'nemotron_malformed_response',
      'redis_unavailable',
      'redis_timeout',
      'redis_intermittent',
      'database_unavailable',
      'database_slow',
      'database_intermittent',
      'high_latency',
      'packet_loss',
      'all_ai_services_down',
      'cache_and_ai_down',
    ]);
  });

  it.each(PRESETS)('$name holds faults that the catalogue accepts', (preset) => {
    for (const fault of preset.faults) {
      expect(() => validateFault(fault.service, fault.type, fault.params)).not.toThrow();
      if (fault.ratio !== undefined) expect(fault.ratio).toBeGreaterThan(0);
      if (fault.ratio !== undefined) expect(fault.ratio).toBeLessThanOrEqual(1);
    }
    const targets = preset.faults.map((fault) => `${fault.service}/${fault.type}`);
    expect(targets).toEqual([...new Set(targets)]);
  });
});
