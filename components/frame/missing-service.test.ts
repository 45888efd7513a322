import { expect, it } from 'vitest';
import { missingService } from './missing-service.ts';

it('reads the service out of an address, whatever stands there', () => {
  expect(missingService('/services/postgres')).toBe('postgres');
  expect(missingService('/services/caf%C3%A9/')).toBe('café');
  expect(missingService('/services/50%')).toBe('50%');
  expect(missingService(`/services/${'x'.repeat(80)}`)).toBe(`${'x'.repeat(60)}…`);
});

it('knows when another page was asked for', () => {
  for (const path of ['', '/', '/services', '/services/', '/services/redis/deep', '/nowhere']) {
    expect(missingService(path), path).toBeNull();
  }
});
