import { createHash } from 'node:crypto';

/** The same frames of the same camera always make the same id, so that a batch made twice is one event. */
export function batchIdOf(camera: string, uploadIds: readonly string[]): string {
  const hash = createHash('sha256').update(camera);
  for (const id of [...uploadIds].sort()) hash.update('\0').update(id);
  return `ev_${hash.digest('hex').slice(0, 24)}`;
}
