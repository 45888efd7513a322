import { z } from 'zod';
import { PROXIED_SERVICES } from './fault.ts';

/** The `services` parameter that network faults share. */
export const networkTargets = z
  .array(z.enum(PROXIED_SERVICES))
  .default([])
  .meta({
    title: 'Services',
    description: 'For the service "network": which proxies act; empty means all',
    onlyFor: ['network'],
  });
