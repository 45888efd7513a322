import { z } from 'zod';
import { defineFaultType } from '../define.ts';

export default defineFaultType({
  type: 'disk_full',
  order: 430,
  title: 'Disk full',
  description:
    "The intake's writes fail with ENOSPC, and the free space that it sees is none; with some left, it only sees so.",
  plane: 'agent',
  services: ['ftp'],
  injector: 'pipeline',
  params: z.strictObject({
    freeRatio: z.number().min(0).max(0.2).default(0).meta({
      title: 'Free space left',
      description: 'Above 0 no write fails; below 0.1 the intake warns, below 0.02 it refuses uploads',
      unit: 'ratio',
    }),
  }),
  fileError: { code: 'ENOSPC', text: 'no space left on device' },
  makes: [],
  promises: [
    {
      service: 'ftp',
      text: 'Uploads are refused with 452, an alert is raised, cameras keep their frames; with some space left, an alert only.',
    },
  ],
});
