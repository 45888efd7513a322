import type { Movement } from './background-model.ts';

/** A connected piece of movement. Box in pixels of the grey frame. */
export interface Blob {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** Pixels that moved. */
  readonly area: number;
  /** Mean difference from the background inside it, grey levels. */
  readonly contrast: number;
}

/** Connected components (8 neighbours) of at least `minArea` pixels, largest first. */
export function findBlobs({ width, height, mask, difference }: Movement, minArea: number): Blob[] {
  const open = Uint8Array.from(mask);
  const stack: number[] = [];
  const blobs: Blob[] = [];
  for (let start = 0; start < open.length; start++) {
    if (!open[start]) continue;
    let left = width;
    let right = 0;
    let top = height;
    let bottom = 0;
    let area = 0;
    let sum = 0;
    stack.push(start);
    open[start] = 0;
    for (let index = stack.pop(); index !== undefined; index = stack.pop()) {
      const x = index % width;
      const y = (index - x) / width;
      area++;
      sum += difference[index] ?? 0;
      if (x < left) left = x;
      if (x > right) right = x;
      if (y < top) top = y;
      if (y > bottom) bottom = y;
      for (let ny = Math.max(0, y - 1); ny <= Math.min(height - 1, y + 1); ny++) {
        for (let nx = Math.max(0, x - 1); nx <= Math.min(width - 1, x + 1); nx++) {
          const next = ny * width + nx;
          if (!open[next]) continue;
          open[next] = 0;
          stack.push(next);
        }
      }
    }
    if (area < minArea) continue;
    blobs.push({
      x: left,
      y: top,
      width: right - left + 1,
      height: bottom - top + 1,
      area,
      contrast: sum / area,
    });
  }
  return blobs.sort((a, b) => b.area - a.area);
}

/** Joins boxes that overlap or lie within `gap` pixels above each other: a head and a coat are one person. */
export function joinStacked(blobs: readonly Blob[], gap: number): Blob[] {
  const joined = [...blobs];
  for (let changed = true; changed; ) {
    changed = false;
    for (let a = 0; a < joined.length && !changed; a++) {
      for (let b = a + 1; b < joined.length && !changed; b++) {
        const [first, second] = [joined[a], joined[b]];
        if (!first || !second || !belongTogether(first, second, gap)) continue;
        joined.splice(b, 1);
        joined[a] = union(first, second);
        changed = true;
      }
    }
  }
  return joined;
}

function belongTogether(a: Blob, b: Blob, gap: number): boolean {
  const sharedWidth = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const between = Math.max(a.y, b.y) - Math.min(a.y + a.height, b.y + b.height);
  return sharedWidth >= 0.5 * Math.min(a.width, b.width) && between <= gap;
}

function union(a: Blob, b: Blob): Blob {
  const x = Math.min(a.x, b.x);
  const y = Math.min(a.y, b.y);
  const area = a.area + b.area;
  return {
    x,
    y,
    width: Math.max(a.x + a.width, b.x + b.width) - x,
    height: Math.max(a.y + a.height, b.y + b.height) - y,
    area,
    contrast: (a.contrast * a.area + b.contrast * b.area) / area,
  };
}
