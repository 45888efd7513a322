import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { changedValues, formFields, initialValues } from './form-fields.ts';

const schema = z.toJSONSchema(
  z.strictObject({
    latencyMs: z.number().int().min(0).max(60_000).default(500).meta({ title: 'Latency', unit: 'ms' }),
    load: z.number().min(0).max(1).default(1).meta({ title: 'Load', unit: 'ratio' }),
    mode: z.enum(['leak', 'spike']).default('spike'),
    governor: z.boolean().default(true),
    sqlState: z
      .string()
      .regex(/^[0-9A-Z]{5}$/)
      .default('40001'),
    services: z
      .array(z.enum(['redis', 'ftp']))
      .default([])
      .meta({ title: 'Services' }),
  }),
  { io: 'input' },
) as Record<string, unknown>;

describe('formFields', () => {
  it('makes a control for each property that zod declares', () => {
    expect(formFields(schema).map((field) => [field.name, field.kind, field.default])).toEqual([
      ['latencyMs', 'number', 500],
      ['load', 'number', 1],
      ['mode', 'choice', 'spike'],
      ['governor', 'switch', true],
      ['sqlState', 'text', '40001'],
      ['services', 'many', []],
    ]);
    expect(formFields(schema)[0]).toMatchObject({
      unit: 'ms',
      min: 0,
      max: 60_000,
      step: 1,
      title: 'Latency',
    });
  });

  it('lets the browser check what a text must look like', () => {
    expect(formFields(schema).find((field) => field.kind === 'text')).toMatchObject({
      pattern: '^[0-9A-Z]{5}$',
      maxLength: undefined,
    });
  });

  it('gives no fields for a type without parameters', () => {
    expect(formFields({ type: 'object', properties: {} })).toEqual([]);
  });
});

describe('changedValues', () => {
  it('sends only what differs from the defaults', () => {
    const fields = formFields(schema);
    const values = initialValues(fields);
    expect(changedValues(fields, values)).toEqual({});
    expect(changedValues(fields, { ...values, latencyMs: 900, services: ['ftp'] })).toEqual({
      latencyMs: 900,
      services: ['ftp'],
    });
  });
});
