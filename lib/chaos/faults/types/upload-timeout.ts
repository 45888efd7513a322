import { z } from 'zod';
import { defineFaultType, milliseconds } from '../define.ts';

export default defineFaultType({
  type: 'upload_timeout',
  order: 380,
  title: 'Upload timeout',
  description: 'Half of a frame is sent, then silence; the camera tries again once the server gave up.',
  plane: 'agent',
  services: ['ftp'],
  injector: 'cameras',
  params: z.strictObject({
    stallMs: milliseconds(
      'Stall',
      { min: 100, max: 600_000, default: 60_000 },
      'Longest silence of the camera; the server gives up after its own time-out',
    ),
  }),
  makes: [],
  promises: [{ service: 'ftp', text: 'The half goes to quarantine; an alert after 5 time-outs in a row.' }],
});
