import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import sharp from 'sharp';
import { SCENE_COUNT, SceneLoop } from './scene.ts';

/** Where a camera's pictures come from: an endless sequence of JPEGs, the same for the same seed and sequence. */
export interface FrameSource {
  frame(sequence: number): Promise<Buffer>;
}

const IMAGE_EXTENSIONS = ['.jpg', '.jpeg', '.png'];
/** Loops that are kept decoded and encoded; more cameras than this share them, each at its own place. */
const MAX_LOOPS = 8;

export interface FrameSourceOptions {
  cameraCount: number;
  /** A directory of pictures, replayed in name order. @default rendered scenes */
  framesDir?: string | undefined;
  /** @default 1 */
  seed?: number;
}

/**
 * One source for each camera.
 * @throws {Error} when `framesDir` holds no picture
 */
export async function createFrameSources(options: FrameSourceOptions): Promise<FrameSource[]> {
  const { cameraCount, framesDir, seed = 1 } = options;
  return framesDir === undefined
    ? renderedSources(cameraCount, seed)
    : replayedSources(cameraCount, framesDir);
}

function renderedSources(cameraCount: number, seed: number): FrameSource[] {
  const loops = Array.from(
    { length: Math.min(cameraCount, MAX_LOOPS) },
    (_, index) => new SceneLoop({ scene: index % SCENE_COUNT, isNight: index % 4 === 3, seed: seed + index }),
  );
  return Array.from({ length: cameraCount }, (_, index) => {
    const loop = loops[index % loops.length] as SceneLoop;
    const offset = Math.floor(index / loops.length) * 7;
    return { frame: (sequence) => loop.frame(sequence + offset) };
  });
}

async function replayedSources(cameraCount: number, framesDir: string): Promise<FrameSource[]> {
  const names = (await readdir(framesDir))
    .filter((name) => IMAGE_EXTENSIONS.includes(extname(name).toLowerCase()))
    .sort();
  if (names.length === 0) throw new Error(`CAMERA_FRAMES_DIR=${framesDir} holds no .jpg or .png picture`);
  const cached = new Map<string, Promise<Buffer>>();
  const load = (name: string) => {
    const known = cached.get(name);
    if (known !== undefined) return known;
    const loading = readJpeg(join(framesDir, name));
    cached.set(name, loading);
    if (cached.size > 200) cached.delete(cached.keys().next().value ?? '');
    loading.catch(() => cached.delete(name));
    return loading;
  };
  return Array.from({ length: cameraCount }, (_, index) => {
    const offset = Math.floor((index * names.length) / cameraCount);
    return { frame: (sequence) => load(names[(sequence + offset) % names.length] as string) };
  });
}

async function readJpeg(path: string): Promise<Buffer> {
  const bytes = await readFile(path);
  const isJpeg = bytes[0] === 0xff && bytes[1] === 0xd8;
  return isJpeg ? bytes : sharp(bytes).jpeg({ quality: 85 }).toBuffer();
}
