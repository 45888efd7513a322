import type { Locator, Page } from 'playwright-core';
import sharp from 'sharp';

/** A part of a picture without colours: a lightness of 0–255 for each pixel. */
interface Grey {
  values: Uint8Array;
  width: number;
  height: number;
}

/** The page as somebody sees it who sees no colours: the parts of it where these elements are, `insetPx` off their edges. */
export async function greyParts(page: Page, places: readonly Locator[], insetPx = 0): Promise<Grey[]> {
  const boxes = await Promise.all(places.map((place) => place.boundingBox()));
  const picture = sharp(await page.screenshot())
    .removeAlpha()
    .greyscale();
  const { data, info } = await picture.raw().toBuffer({ resolveWithObject: true });
  return boxes.map((box, index) => {
    if (!box) throw new Error(`Nothing to see of ${places[index]}`);
    const left = Math.ceil(box.x + insetPx);
    const top = Math.ceil(box.y + insetPx);
    const width = Math.floor(box.x + box.width - insetPx) - left;
    const height = Math.floor(box.y + box.height - insetPx) - top;
    const values = new Uint8Array(width * height);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++)
        values[y * width + x] = data[((top + y) * info.width + left + x) * info.channels] ?? 0;
    }
    return { values, width, height };
  });
}

/** Pixels that make an ink; fewer are noise at the edges of letters. */
const INK_PIXELS = 4;

/** The lightness that most pixels have, and the one farthest from it that a few reach. */
function groundAndInk({ values }: Grey): { ground: number; ink: number } {
  const counts = new Array<number>(256).fill(0);
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  const ground = counts.indexOf(Math.max(...counts));
  let darker = 0;
  let lighter = 0;
  for (let distance = 255; distance > 0; distance--) {
    darker += counts[ground - distance] ?? 0;
    lighter += counts[ground + distance] ?? 0;
    if (darker >= INK_PIXELS) return { ground, ink: ground - distance };
    if (lighter >= INK_PIXELS) return { ground, ink: ground + distance };
  }
  return { ground, ink: ground };
}

/** Contrast of what is written on its ground, as WCAG counts it: 1–21. */
export function contrastOf(grey: Grey): number {
  const { ground, ink } = groundAndInk(grey);
  const luminance = (value: number) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  };
  const [dark = 0, light = 0] = [luminance(ground), luminance(ink)].sort((one, other) => one - other);
  return (light + 0.05) / (dark + 0.05);
}

/** How unlike two shapes of the same size are, whatever their lightness: share of the drawn pixels not in common, 0–1. */
export function unlikeness(one: Grey, other: Grey): number {
  const drawn = (grey: Grey) => {
    const { ground, ink } = groundAndInk(grey);
    return (index: number) => Math.abs((grey.values[index] ?? ground) - ground) > Math.abs(ink - ground) / 2;
  };
  const inOne = drawn(one);
  const inOther = drawn(other);
  let either = 0;
  let both = 0;
  for (let index = 0; index < one.values.length; index++) {
    if (inOne(index) || inOther(index)) either++;
    if (inOne(index) && inOther(index)) both++;
  }
  return either === 0 ? 0 : 1 - both / either;
}
