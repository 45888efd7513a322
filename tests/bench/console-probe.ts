/** What the probe saw in a page. Times are epoch ms, on the page's monotonic clock; `paintedAt` is after the frame. */
export type Seen =
  | { kind: 'click'; at: number; testId: string }
  | { kind: 'acknowledged'; at: number; tookMs: number | null }
  | { kind: 'snapshot'; at: number }
  | { kind: 'fact'; at: number; type: string; subject: string; toldAt: number; to: string | null }
  | {
      kind: 'painted';
      at: number;
      paintedAt: number;
      testId: string;
      attribute: string;
      value: string | null;
    }
  | { kind: 'interaction'; id: number; name: string; durationMs: number }
  | { kind: 'longTask'; at: number; durationMs: number }
  | { kind: 'largestPaint'; afterMs: number }
  | { kind: 'shift'; score: number };

export interface Probe {
  /** What was seen since it was last asked. */
  take(): Seen[];
  /** Begins to count frames; `endFrames` gives the time between each two, ms. */
  beginFrames(): void;
  endFrames(): number[];
}

/**
 * Runs in the page before its own scripts, as an init script: it may use nothing from outside itself. It looks on from
 * outside the console: clicks, attributes of what carries a test id, the packets of the socket, the browser's own figures.
 */
export function installProbe(): void {
  const seen: Seen[] = [];
  const epoch = (monotonicMs: number) => performance.timeOrigin + monotonicMs;
  const now = () => epoch(performance.now());
  const nextTask = (then: () => void) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = then;
    channel.port2.postMessage(null);
  };
  // What the page changes in a callback of a frame is painted by that frame, everything else by the next one. After
  // input the next frame can come before the next task: the first of them tells that the frame is done.
  const nextFrame = window.requestAnimationFrame.bind(window);
  let isInFrame = false;
  window.requestAnimationFrame = (callback) =>
    nextFrame((atMs) => {
      if (!isInFrame) nextTask(() => (isInFrame = false));
      isInFrame = true;
      callback(atMs);
    });
  const afterThisFrame = (then: () => void) => {
    let isDone = false;
    const once = () => {
      if (!isDone) then();
      isDone = true;
    };
    nextTask(once);
    nextFrame(once);
  };
  const afterPaint = (then: () => void) => {
    if (isInFrame) afterThisFrame(then);
    else nextFrame(() => afterThisFrame(then));
  };
  const idOf = (element: Element | null) =>
    element?.closest('[data-testid]')?.getAttribute('data-testid') ?? '';

  addEventListener(
    'click',
    (event) => {
      isInFrame = false; // it can be handled before the task that ends the frame
      seen.push({ kind: 'click', at: epoch(event.timeStamp), testId: idOf(event.target as Element) });
    },
    true,
  );

  const watched = ['aria-busy', 'aria-checked', 'data-state', 'data-mode'];
  const tell = (element: Element, attribute: string) => {
    const testId = element.getAttribute('data-testid');
    if (testId === null) return;
    const record = { kind: 'painted' as const, at: now(), paintedAt: 0, testId, attribute };
    const value = element.getAttribute(attribute);
    afterPaint(() => seen.push({ ...record, value, paintedAt: now() }));
  };
  new MutationObserver((changes) => {
    for (const { type, target, attributeName, addedNodes } of changes) {
      if (type === 'attributes') tell(target as Element, attributeName ?? '');
      else for (const node of addedNodes) if (node instanceof Element) tell(node, 'data-testid');
    }
  }).observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: watched });

  const Native = WebSocket;
  const read = (text: string) => JSON.parse(text.slice(text.indexOf('[')))[1];
  window.WebSocket = class extends Native {
    constructor(url: string | URL, protocols?: string | string[]) {
      super(url, protocols);
      this.addEventListener('message', ({ data }) => {
        const at = now();
        if (typeof data !== 'string') return;
        if (data.startsWith('43/console,')) {
          const answer = JSON.parse(data.slice(data.indexOf('[')))[0];
          seen.push({
            kind: 'acknowledged',
            at,
            tookMs: answer?.data?.tookMs ?? answer?.data?.armedInMs ?? null,
          });
        } else if (data.startsWith('42/console,["snapshot"')) seen.push({ kind: 'snapshot', at });
        else if (data.startsWith('42/console,["fact"')) {
          const fact = read(data);
          const { type, subject, at: toldAt } = fact;
          seen.push({ kind: 'fact', at, type, subject, toldAt, to: fact.data.to ?? null });
        }
      });
    }
  };

  const observe = (type: string, take: (entry: PerformanceEntry) => Seen | null, more = {}) =>
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        const record = take(entry);
        if (record) seen.push(record);
      }
    }).observe({ type, buffered: true, ...more });
  observe('longtask', ({ startTime, duration }) => ({
    kind: 'longTask',
    at: epoch(startTime),
    durationMs: duration,
  }));
  observe('largest-contentful-paint', ({ startTime }) => ({ kind: 'largestPaint', afterMs: startTime }));
  observe('layout-shift', (entry) => {
    const { value, hadRecentInput } = entry as PerformanceEntry & { value: number; hadRecentInput: boolean };
    return hadRecentInput ? null : { kind: 'shift', score: value };
  });
  const event = (entry: PerformanceEntry): Seen | null => {
    const { interactionId, name, duration } = entry as PerformanceEntry & { interactionId?: number };
    return interactionId ? { kind: 'interaction', id: interactionId, name, durationMs: duration } : null;
  };
  observe('event', event, { durationThreshold: 16 });

  let frames: number[] | null = null;
  let lastFrameMs = 0;
  const frame = (atMs: number) => {
    if (!frames) return;
    if (lastFrameMs > 0) frames.push(atMs - lastFrameMs);
    lastFrameMs = atMs;
    requestAnimationFrame(frame);
  };
  const probe: Probe = {
    take: () => seen.splice(0),
    beginFrames() {
      frames = [];
      lastFrameMs = 0;
      requestAnimationFrame(frame);
    },
    endFrames() {
      const ended = frames ?? [];
      frames = null;
      return ended;
    },
  };
  Object.assign(window, { probe });
}
