import { z } from 'zod';
import { defineFaultType } from '../define.ts';

export default defineFaultType({
  type: 'disk_full',
  order: 430,
  title: 'Disk full',
  description: "The intake's writes fail with ENOSPC, and the free space that it sees is none.",
  plane: 'agent',
  services: ['ftp'],
  injector: 'pipeline',
  params: z.strictObject({}),
  fileError: { code: 'ENOSPC', text: 'no space left on device' },
  makes: [],
  promises: [
    { service: 'ftp', text: 'Uploads are refused with 452, an alert is raised, cameras keep their frames.' },
  ],
});
