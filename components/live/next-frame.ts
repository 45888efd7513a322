/** A frame that has not come by then is not waited for, ms: hidden tabs have none. */
const LATEST_MS = 100;
/** Around a press or a frame that draws packets, ms. A frame's stamp can be older than the press that it answers. */
const BUSY_MS = 25;
/** Frames that what can wait leaves to others, one after the other: packets can come with every one. */
export const YIELDS_MAX = 2;
/** What buttons act on, by hand or by key, and what shortcuts do. */
const PRESSES = ['click', 'keydown'];

const waiting: (() => void)[] = [];
let frame = 0;
let timer: ReturnType<typeof setTimeout> | undefined;
let busyFrameMs = Number.NaN;
/** Each at most once, however long a window that counts as visible has no frames. */
const details = new Set<() => void>();
const quiet = new Set<() => void>();

/**
 * Does the work right before the next frame, in the order in which it was given: what several packets bring is then
 * drawn once, instead of each by itself with a frame between them.
 */
export function beforeNextFrame(work: () => void): void {
  waiting.push(work);
  if (waiting.length > 1) return;
  frame = requestAnimationFrame((frameMs) => {
    busyFrameMs = frameMs;
    catchUp();
  });
  timer = setTimeout(catchUp, LATEST_MS);
}

/** What can wait goes into a later frame than this one: packets are drawn in it, or what they bring that can wait. */
export function isBusyFrame(frameMs: number): boolean {
  return waiting.length > 0 || details.size > 0 || Math.abs(frameMs - busyFrameMs) < BUSY_MS;
}

/** Does the work in the frame after the one that is being drawn; at once in a hidden tab, which has none. */
export function inFrameAfter(work: () => void): void {
  if (!hasFrames()) {
    work();
    return;
  }
  const isAsked = details.size > 0;
  details.add(work);
  if (isAsked) return;
  requestAnimationFrame((frameMs) => {
    busyFrameMs = frameMs;
    const all = [...details];
    details.clear();
    for (const each of all) each();
  });
}

/**
 * Does the work in a frame without packets, after at most two that have some, and once however often it is asked for. A
 * hidden tab has no frames; there it is done at once.
 */
export function inQuietFrame(work: () => void): void {
  if (!hasFrames()) {
    work();
    return;
  }
  if (quiet.has(work)) return;
  quiet.add(work);
  requestAnimationFrame((frameMs) => unlessBusy(work, frameMs, YIELDS_MAX));
}

const hasFrames = () => typeof document !== 'undefined' && document.visibilityState === 'visible';

function unlessBusy(work: () => void, frameMs: number, yieldsLeft: number): void {
  if (yieldsLeft > 0 && isBusyFrame(frameMs)) {
    requestAnimationFrame((nextMs) => unlessBusy(work, nextMs, yieldsLeft - 1));
    return;
  }
  quiet.delete(work);
  work();
}

/** From now on the frame that answers a press is left alone as those of packets are. Returns the way to end that. */
export function watchPresses(): () => void {
  const pressed = () => {
    busyFrameMs = performance.now();
  };
  for (const kind of PRESSES) window.addEventListener(kind, pressed, { capture: true, passive: true });
  return () => {
    for (const kind of PRESSES) window.removeEventListener(kind, pressed, { capture: true });
  };
}

/** Does now what waits. What fails is told to the page and keeps nothing else from being done. */
export function catchUp(): void {
  cancelAnimationFrame(frame);
  clearTimeout(timer);
  for (const work of waiting.splice(0)) {
    try {
      work();
    } catch (error) {
      reportError(error);
    }
  }
}
