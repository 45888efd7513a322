import { describe, expect, it } from 'vitest';
import { InvalidFaultError, validateFault } from './validate.ts';

function refusal(service: string, type: string, params?: unknown): InvalidFaultError {
  try {
    validateFault(service, type, params);
  } catch (error) {
    if (error instanceof InvalidFaultError) return error;
    throw error;
  }
  throw new Error('accepted');
}

describe('validateFault', () => {
  it('completes parameters with their defaults', () => {
    const { service, type, params } = validateFault('redis', 'latency', { latencyMs: 20 });
    expect(service).toBe('redis');
    expect(type.type).toBe('latency');
    expect(params).toEqual({ latencyMs: 20, jitterMs: 0, services: [] });
    expect(validateFault('redis', 'latency', undefined).params).toMatchObject({ latencyMs: 500 });
  });

  it.each([
    ['unknown service', ['mysql', 'latency'], 'service', 'mysql', /yolo26.*database/],
    ['name of the prototype as service', ['constructor', 'latency'], 'service', 'constructor', /yolo26/],
    ['unknown type', ['redis', 'meteor'], 'type', 'meteor', /timeout.*latency/],
    [
      'type of another service',
      ['redis', 'thermal_throttle'],
      'type',
      'thermal_throttle',
      /for redis.*latency/,
    ],
    ['too small', ['redis', 'latency', { latencyMs: -1 }], 'params.latencyMs', -1, /at least 0/],
    ['too large', ['redis', 'latency', { latencyMs: 60_001 }], 'params.latencyMs', 60_001, /at most 60000/],
    ['wrong kind', ['redis', 'latency', { latencyMs: '9' }], 'params.latencyMs', '9', /number/],
    ['unknown field', ['redis', 'latency', { delay: 3 }], 'params.delay', 3, /absent/],
    ['not in the list', ['nemotron', 'malformed_response', { mode: 'x' }], 'params.mode', 'x', /not_json/],
    ['inside a list', ['network', 'latency', { services: ['gpu'] }], 'params.services.0', 'gpu', /yolo26/],
    ['not an object', ['redis', 'latency', 7], 'params', 7, /object/],
  ] as const)(
    'names field, value and what is allowed: %s',
    (_, [service, type, params], field, value, allowed) => {
      const error = refusal(service, type, params);
      expect(error).toMatchObject({ code: 'INVALID_FAULT', field, value });
      expect(error.allowed).toMatch(allowed);
      expect(error.message).toContain(field);
    },
  );
});
