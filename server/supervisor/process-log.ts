import { join } from 'node:path';
import { createStream, type RotatingFileStream } from 'rotating-file-stream';

/** The log file of one process: JSON lines, at most 5 files of 20 MB. */
export function openProcessLog(dataDir: string, name: string): RotatingFileStream {
  const stream = createStream(`${name}.log`, { path: join(dataDir, 'logs'), size: '20M', maxFiles: 4 });
  stream.on('error', () => {}); // a full disk must not stop the system; the pipeline raises DISK_LOW
  return stream;
}
