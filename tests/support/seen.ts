import type { Locator } from 'playwright-core';

/** Smaller letters do not count as read, px. */
const READABLE_PX = 11;

/**
 * The words of an element that a person can read now: in the window without scrolling, neither clipped nor covered, at
 * least 11 px high. Judged word by word at both of its ends, so a word that is cut is not seen.
 */
export async function seenText(place: Locator): Promise<string> {
  return place.evaluate(readSeen, READABLE_PX);
}

/** Runs in the page. */
function readSeen(root: Element, readablePx: number): string {
  const paints = (element: Element): boolean => {
    const { backgroundColor, backgroundImage } = getComputedStyle(element);
    return (
      element instanceof SVGElement ||
      /^(img|canvas|video|input|select|textarea)$/i.test(element.tagName) ||
      backgroundImage !== 'none' ||
      !/transparent|[,/] 0\)$/.test(backgroundColor)
    );
  };
  const reaches = (element: Element, x: number, y: number): boolean => {
    for (const top of document.elementsFromPoint(x, y)) {
      if (top === element) return true;
      if (top.contains(element) || paints(top)) return false; // clipped away, or covered
    }
    return false;
  };
  const readable = (element: Element): boolean => {
    if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) return false;
    const scale = element instanceof SVGGraphicsElement ? (element.getScreenCTM()?.a ?? 1) : 1;
    return Number.parseFloat(getComputedStyle(element).fontSize) * scale >= readablePx;
  };
  const seen: string[] = [];
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!element || !readable(element)) continue;
    for (const word of (node.textContent ?? '').matchAll(/\S+/g)) {
      const range = document.createRange();
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      const { left, right, top, bottom } = range.getBoundingClientRect();
      if (left < 0 || top < 0 || right > innerWidth || bottom > innerHeight) continue;
      const middle = (top + bottom) / 2;
      if (reaches(element, left + 1, middle) && reaches(element, right - 1, middle)) seen.push(word[0]);
    }
  }
  return seen.join(' ');
}
