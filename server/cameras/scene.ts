/**
 * Rendered surveillance pictures: a fixed background, and people and cars that cross it.
 *
 * Everything follows from the seed. The background (with its sensor noise) is rendered once; a frame is the background
 * with a few shapes on it, made when it is first asked for and then kept, so that a loop costs its rendering once.
 */
import sharp from 'sharp';
import { createRandom, type Random } from '#lib/chaos/random.ts';

const WIDTH = 640;
const HEIGHT = 480;
/** Frames of a loop; it begins and ends with an empty scene. */
const LOOP_FRAMES = 60;
const JPEG_QUALITY = 82;

export interface SceneOptions {
  /** Which background, 0 to SCENE_COUNT - 1. */
  scene: number;
  isNight: boolean;
  seed: number;
}

interface Walk {
  kind: 'person' | 'car';
  /** First frame in which it is seen. */
  from: number;
  frames: number;
  startX: number;
  endX: number;
  /** Of its feet or wheels. */
  startY: number;
  endY: number;
  scale: number;
  colour: string;
}

interface Scene {
  background: string;
  /** Line of the ground on which people and cars move, px from the top. */
  peopleY: number;
  carsY: number | null;
}

const rect = (x: number, y: number, width: number, height: number, fill: string) =>
  `<rect x="${x}" y="${y}" width="${width}" height="${height}" fill="${fill}"/>`;

function courtyard(): Scene {
  const windows = [60, 180, 380, 500].map((x) => rect(x, 60, 70, 90, '#4d5a66')).join('');
  const slabs = Array.from({ length: 11 }, (_, n) => rect(0, 250 + n * n * 2, WIDTH, 1.5, '#7b766d')).join(
    '',
  );
  return {
    background:
      rect(0, 0, WIDTH, 240, '#a89a86') +
      windows +
      rect(290, 90, 64, 150, '#5b4636') +
      rect(0, 240, WIDTH, 240, '#99948a') +
      slabs +
      '<ellipse cx="90" cy="330" rx="60" ry="26" fill="#5f6f4a"/><circle cx="90" cy="280" r="46" fill="#51663d"/>',
    peopleY: 400,
    carsY: null,
  };
}

function drive(): Scene {
  const dashes = Array.from({ length: 8 }, (_, n) => rect(n * 90, 368, 46, 5, '#c9c6b8')).join('');
  const hedge = Array.from(
    { length: 16 },
    (_, n) => `<circle cx="${n * 44}" cy="205" r="30" fill="#4b6138"/>`,
  ).join('');
  return {
    background:
      rect(0, 0, WIDTH, 225, '#9fb3c4') +
      rect(360, 60, 220, 140, '#b5a58d') +
      '<polygon points="345,64 470,10 595,64" fill="#7a4b3c"/>' +
      rect(440, 110, 100, 90, '#6f6a60') +
      hedge +
      rect(0, 220, WIDTH, 80, '#7d8a5c') +
      rect(0, 300, WIDTH, 180, '#77777a') +
      dashes,
    peopleY: 310,
    carsY: 420,
  };
}

function gate(): Scene {
  const bars = Array.from({ length: 12 }, (_, n) => rect(205 + n * 20, 120, 5, 150, '#3c3f44')).join('');
  return {
    background:
      rect(0, 0, WIDTH, 215, '#a9b7bf') +
      rect(0, 210, WIDTH, 70, '#7c8861') +
      rect(0, 110, 190, 170, '#8f6f5c') +
      rect(450, 110, 190, 170, '#8f6f5c') +
      rect(180, 90, 22, 190, '#6d5445') +
      rect(446, 90, 22, 190, '#6d5445') +
      rect(200, 118, 250, 8, '#3c3f44') +
      bars +
      rect(0, 276, WIDTH, 204, '#8b8c86') +
      '<polygon points="200,276 450,276 560,480 90,480" fill="#777872"/>',
    peopleY: 430,
    carsY: 455,
  };
}

const SCENES = [courtyard, drive, gate];
export const SCENE_COUNT = SCENES.length;

const COATS = ['#233a66', '#7a2320', '#2b2b2e', '#c9a227', '#37563a', '#e0ddd6'];
const PAINTS = ['#8d1f24', '#d9dadc', '#22344d', '#3a3d40', '#6b7d3d'];

export class SceneLoop {
  readonly #options: SceneOptions;
  readonly #scene: Scene;
  readonly #walks: readonly Walk[];
  readonly #frames = new Map<number, Promise<Buffer>>();
  #background: Promise<Buffer> | undefined;

  constructor(options: SceneOptions) {
    const make = SCENES[options.scene];
    if (!make) throw new RangeError(`Expected scene to be 0 to ${SCENE_COUNT - 1}, got ${options.scene}`);
    this.#options = options;
    this.#scene = make();
    this.#walks = planWalks(this.#scene, createRandom(options.seed));
  }

  /** JPEG, 640 × 480; the loop repeats. */
  frame(sequence: number): Promise<Buffer> {
    const index = sequence % LOOP_FRAMES;
    const known = this.#frames.get(index);
    if (known !== undefined) return known;
    const made = this.#render(index);
    this.#frames.set(index, made);
    made.catch(() => this.#frames.delete(index));
    return made;
  }

  async #render(index: number): Promise<Buffer> {
    this.#background ??= renderBackground(this.#scene, this.#options);
    const background = sharp(await this.#background, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } });
    const shapes = this.#walks.map((walk) => drawWalk(walk, index, this.#options.isNight)).join('');
    const picture = shapes === '' ? background : background.composite([{ input: Buffer.from(svg(shapes)) }]);
    return picture.jpeg({ quality: JPEG_QUALITY }).toBuffer();
  }
}

function svg(content: string): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}">${content}</svg>`;
}

async function renderBackground(scene: Scene, { isNight, seed }: SceneOptions): Promise<Buffer> {
  const { data } = await sharp(Buffer.from(svg(scene.background)))
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const random = createRandom(seed ^ 0x5eed);
  const light = isNight ? 0.32 : 1;
  const noise = isNight ? 14 : 9;
  for (let at = 0; at < data.length; at += 3) {
    const grain = (random() - 0.5) * 2 * noise;
    for (let channel = 0; channel < 3; channel++) {
      const tint = isNight && channel === 1 ? 1.15 : 1;
      data[at + channel] = Math.max(0, Math.min(255, (data[at + channel] ?? 0) * light * tint + grain));
    }
  }
  return data;
}

/** Two to four crossings, with empty frames at both ends of the loop and between most of them. */
function planWalks(scene: Scene, random: Random): Walk[] {
  const walks: Walk[] = [];
  for (let from = 4 + Math.floor(random() * 5); from < LOOP_FRAMES - 18; ) {
    const isCar = scene.carsY !== null && random() < 0.4;
    const frames = isCar ? 7 + Math.floor(random() * 3) : 12 + Math.floor(random() * 5);
    const goesRight = random() < 0.5;
    const groundY = isCar ? (scene.carsY ?? scene.peopleY) : scene.peopleY;
    const [left, right] = [40, WIDTH - 40];
    walks.push({
      kind: isCar ? 'car' : 'person',
      from,
      frames,
      startX: goesRight ? left : right,
      endX: goesRight ? right : left,
      startY: groundY,
      endY: groundY + (isCar ? 0 : Math.round((random() - 0.5) * 40)),
      scale: 0.9 + random() * 0.3,
      colour: pick(isCar ? PAINTS : COATS, random),
    });
    const isFollowed = !isCar && random() < 0.35;
    from += isFollowed ? 3 : frames + 4 + Math.floor(random() * 6);
  }
  return walks;
}

function pick(from: readonly string[], random: Random): string {
  return from[Math.floor(random() * from.length)] ?? '#808080';
}

function drawWalk(walk: Walk, index: number, isNight: boolean): string {
  const step = index - walk.from;
  if (step < 0 || step >= walk.frames) return '';
  const progress = step / (walk.frames - 1);
  const x = walk.startX + (walk.endX - walk.startX) * progress;
  const y = walk.startY + (walk.endY - walk.startY) * progress;
  const shape = walk.kind === 'car' ? drawCar(walk.colour, isNight) : drawPerson(walk.colour, step % 2 === 0);
  const facing = walk.endX < walk.startX ? -walk.scale : walk.scale;
  const opacity = isNight ? 0.75 : 1;
  return `<g opacity="${opacity}" transform="translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(${facing.toFixed(3)} ${walk.scale.toFixed(3)})">${shape}</g>`;
}

/** About 46 × 150 px, feet at the origin. */
function drawPerson(coat: string, isStriding: boolean): string {
  const spread = isStriding ? 15 : 5;
  return (
    '<ellipse cx="0" cy="0" rx="26" ry="6" fill="#000" opacity="0.25"/>' +
    `<path d="M-8 -70 L${-spread} 0 L${-spread + 11} 0 L0 -55 L${spread - 11} 0 L${spread} 0 L10 -70 Z" fill="#2d3038"/>` +
    `<rect x="-20" y="-122" width="40" height="62" rx="12" fill="${coat}"/>` +
    '<circle cx="0" cy="-136" r="13" fill="#c79a7b"/><path d="M-13 -138 A13 13 0 0 1 13 -138 Z" fill="#33271f"/>'
  );
}

/** About 200 × 80 px, wheels at the origin. */
function drawCar(paint: string, isNight: boolean): string {
  const lamp = isNight ? '#fff6c8' : '#e9e4cf';
  return (
    '<ellipse cx="0" cy="0" rx="106" ry="9" fill="#000" opacity="0.3"/>' +
    `<path d="M-100 -12 L-98 -42 L-62 -48 L-40 -78 L34 -78 L64 -48 L98 -40 L100 -12 Z" fill="${paint}"/>` +
    '<path d="M-52 -48 L-34 -72 L-6 -72 L-6 -48 Z M2 -48 L2 -72 L30 -72 L50 -48 Z" fill="#26313b"/>' +
    `<circle cx="-58" cy="-12" r="18" fill="#17181a"/><circle cx="58" cy="-12" r="18" fill="#17181a"/>` +
    `<rect x="90" y="-38" width="9" height="9" fill="${lamp}"/>`
  );
}
