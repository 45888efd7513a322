/** A frame that has not come by then is not waited for, ms: hidden tabs have none. */
const LATEST_MS = 100;
/** The frame of the packets and the one after it, in which details are drawn, ms. */
const BUSY_MS = 25;

const PRESSES = ['pointerdown', 'keydown'];

const waiting: (() => void)[] = [];
let frame = 0;
let timer: ReturnType<typeof setTimeout> | undefined;
let busyFrameMs = Number.NaN;

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
  const sinceMs = frameMs - busyFrameMs;
  return waiting.length > 0 || (sinceMs >= 0 && sinceMs < BUSY_MS);
}

/** Does the work in the frame after the one that is being drawn; at once in a hidden tab, which has none. */
export function inFrameAfter(work: () => void): void {
  if (hasFrames()) requestAnimationFrame(work);
  else work();
}

/**
 * Does the work in a frame without packets, after at most two that have some: they can come with every one. A hidden tab
 * has no frames; there it is done at once.
 */
export function inQuietFrame(work: () => void): void {
  if (hasFrames()) requestAnimationFrame((frameMs) => unlessBusy(work, frameMs, 2));
  else work();
}

const hasFrames = () => typeof document !== 'undefined' && document.visibilityState === 'visible';

function unlessBusy(work: () => void, frameMs: number, yieldsLeft: number): void {
  if (yieldsLeft === 0 || !isBusyFrame(frameMs)) work();
  else requestAnimationFrame((nextMs) => unlessBusy(work, nextMs, yieldsLeft - 1));
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
