import { extname } from 'node:path';

const IMAGES = ['jpg', 'jpeg', 'png'];
const VIDEOS = ['mp4', 'mkv', 'avi', 'mov'];

/** Lower-case extension without its dot; "bin" when there is none that is safe in a file name. */
export function extensionOf(name: string): string {
  const extension = extname(name).slice(1).toLowerCase();
  return /^[a-z0-9]{1,8}$/.test(extension) ? extension : 'bin';
}

/** What an extension promises; undefined for formats that are not taken. */
export function kindOfExtension(extension: string): 'image' | 'video' | undefined {
  if (IMAGES.includes(extension)) return 'image';
  if (VIDEOS.includes(extension)) return 'video';
  return undefined;
}
