/** A frame that has not come by then is not waited for, ms: hidden tabs have none. */
const LATEST_MS = 100;

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

/** Whether the frame of this time stamp has drawn packets, or is about to: what can wait goes into the next one. */
export function isBusyFrame(frameMs: number): boolean {
  return frameMs === busyFrameMs || waiting.length > 0;
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
