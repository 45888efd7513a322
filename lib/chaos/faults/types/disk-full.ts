import { z } from 'zod';
import { defineFaultType } from '../define.ts';

export const diskFull = defineFaultType({
  type: 'disk_full',
  title: 'Disk full',
  description: "The intake's writes fail with ENOSPC, and the free space that it sees is none.",
  plane: 'agent',
  services: ['ftp'],
  injector: 'pipeline',
  params: z.strictObject({}),
  promises: [
    { service: 'ftp', text: 'Uploads are refused with 452, an alert is raised, cameras keep their frames.' },
  ],
});
