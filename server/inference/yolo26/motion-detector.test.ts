import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import type { Detection } from '../../pipeline/contracts.ts';
import { decodeFrame, type GreyFrame, UndecodableImageError } from './decode-frame.ts';
import { MotionDetector } from './motion-detector.ts';

async function courtyard(number: number): Promise<GreyFrame> {
  const path = new URL(`../../../tests/fixtures/camera-frames/courtyard-0${number}.jpg`, import.meta.url);
  return decodeFrame(await readFile(path));
}

const SCENE = { width: 640, height: 480 };

/** An even grey scene with dark boxes in it, as a real JPEG. */
async function scene(
  boxes: { x: number; y: number; width: number; height: number }[] = [],
): Promise<GreyFrame> {
  const image = sharp({ create: { ...SCENE, channels: 3, background: '#a0a0a0' } }).composite(
    boxes.map(({ x, y, width, height }) => ({
      input: { create: { width, height, channels: 3, background: '#202020' } },
      left: x,
      top: y,
    })),
  );
  return decodeFrame(await image.jpeg().toBuffer());
}

const WALKER = { x: 300, y: 200, width: 40, height: 90 };

async function warmDetector(): Promise<MotionDetector> {
  const detector = new MotionDetector();
  for (let at = 1; at <= 5; at++) detector.see('cam', await scene(), at * 1000);
  return detector;
}

function holds({ bbox }: Detection, point: { x: number; y: number }): boolean {
  const { x, y, width, height } = bbox;
  return point.x >= x && point.x <= x + width && point.y >= y && point.y <= y + height;
}

describe('MotionDetector on the courtyard frames', () => {
  it('puts a box of walker size on each of the five walkers of frame 20', async () => {
    const detector = new MotionDetector();
    for (let number = 14; number < 20; number++) {
      detector.see('cam', await courtyard(number), number * 1000);
    }
    const { detections } = detector.see('cam', await courtyard(20), 20_000);
    // Found by eye: the middles of the people.
    const walkers = [
      { x: 125, y: 158 },
      { x: 243, y: 207 },
      { x: 463, y: 144 },
      { x: 478, y: 243 },
      { x: 561, y: 232 },
    ];
    for (const walker of walkers) {
      const box = detections.find((detection) => holds(detection, walker));
      expect(box, `walker at ${walker.x},${walker.y}`).toBeDefined();
      expect(box?.class).toBe('person');
      expect(box?.bbox.width).toBeLessThan(80);
      expect(box?.bbox.height).toBeLessThan(120);
      expect(box?.confidence).toBeGreaterThan(0.5);
    }
    expect(detections.length).toBeLessThanOrEqual(9); // not boxes everywhere
    // Lawn, sky and the parked van do not move.
    for (const still of [
      { x: 100, y: 350 },
      { x: 560, y: 60 },
      { x: 300, y: 440 },
    ]) {
      expect(detections.filter((detection) => holds(detection, still))).toEqual([]);
    }
  });
});

describe('MotionDetector', () => {
  it('says that it is warming up for the first five frames of each camera, and again when it has forgotten', async () => {
    const detector = new MotionDetector();
    const said: boolean[] = [];
    for (let at = 1; at <= 7; at++) said.push(detector.see('a', await scene(), at).warmingUp);
    expect(said).toEqual([true, true, true, true, true, false, false]);
    expect(detector.see('b', await scene(), 1).warmingUp).toBe(true);
    detector.forget();
    expect(detector.see('a', await scene(), 99).warmingUp).toBe(true);
  });

  it('finds nothing in a still scene and exactly what came into it', async () => {
    const detector = await warmDetector();
    expect(detector.see('cam', await scene(), 6000).detections).toEqual([]);
    const { detections } = detector.see('cam', await scene([WALKER]), 7000);
    expect(detections).toHaveLength(1);
    const { bbox, class: name } = detections[0] as Detection;
    expect(name).toBe('person');
    expect(Math.abs(bbox.x - WALKER.x)).toBeLessThanOrEqual(8);
    expect(Math.abs(bbox.y - WALKER.y)).toBeLessThanOrEqual(8);
    expect(Math.abs(bbox.width - WALKER.width)).toBeLessThanOrEqual(12);
    expect(Math.abs(bbox.height - WALKER.height)).toBeLessThanOrEqual(12);
  });

  it('names by shape and size', async () => {
    const detector = await warmDetector();
    const boxes = [
      WALKER,
      { x: 60, y: 300, width: 150, height: 70 },
      { x: 500, y: 400, width: 50, height: 24 },
    ];
    const { detections } = detector.see('cam', await scene(boxes), 7000);
    expect(detections.map((each) => each.class).sort()).toEqual(['car', 'dog', 'person']);
  });

  it('compares frames older than the newest one but does not learn from them', async () => {
    const detector = await warmDetector();
    const old = await scene([WALKER]);
    for (let round = 0; round < 200; round++) detector.see('cam', old, 3000);
    expect(detector.see('cam', await scene([WALKER]), 6000).detections).toHaveLength(1);
    expect(detector.see('cam', await scene(), 7000).detections).toEqual([]);
  });

  it('learns what stays', async () => {
    const detector = await warmDetector();
    const parked = await scene([WALKER]);
    for (let at = 6; at <= 120; at++) detector.see('cam', parked, at * 1000);
    expect(detector.see('cam', parked, 200_000).detections).toEqual([]);
  });
});

describe('decodeFrame', () => {
  it('refuses what is no picture and what is cut off', async () => {
    const whole = await readFile(
      new URL('../../../tests/fixtures/camera-frames/courtyard-014.jpg', import.meta.url),
    );
    await expect(decodeFrame(Buffer.from('not a picture'))).rejects.toBeInstanceOf(UndecodableImageError);
    await expect(decodeFrame(whole.subarray(0, whole.length / 2))).rejects.toBeInstanceOf(
      UndecodableImageError,
    );
    await expect(decodeFrame(whole)).resolves.toMatchObject({ imageWidth: 640, imageHeight: 480 });
  });
});
