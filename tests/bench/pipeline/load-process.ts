import { io } from 'socket.io-client';
import type { ViewerEventChange, ViewerMessage } from '#lib/protocol/viewers.ts';
import { FtpUploader } from '#server/cameras/ftp-uploader.ts';
import { cameraName, loadCredentials } from '#server/pipeline/intake/credentials.ts';
import { until } from '#tests/support/until.ts';
import { answerCalls } from '../measure-child.ts';
import { CAMERAS, nextFrame } from './bench-frames.ts';

/** Connections of each camera, so that one upload's waiting does not hold up the next. */
const CONNECTIONS = 2;
/** What was accepted must have been seen so long after the last upload, ms. */
const SEEN_LIMIT_MS = 50_000;

/** When a frame was where, epoch ms. */
export interface FrameTimes {
  uploadId: string;
  startedAt: number;
  acceptedAt: number;
  /** By a viewer, in an event. */
  seenAt: number;
}

export interface Counts {
  accepted: number;
  seen: number;
  /** Uploads that were refused or broke, and were given up. */
  failed: number;
}

let uploaders: { camera: string; uploader: FtpUploader }[] = [];
let viewer: ReturnType<typeof io> | undefined;
const open = new Map<string, Omit<FrameTimes, 'seenAt'>>();
/** Seen before the camera had read the answer. */
const early = new Map<string, number>();
let seen: FrameTimes[] = [];
let counts: Counts = { accepted: 0, seen: 0, failed: 0 };
let uploading = 0;
let running: Promise<unknown> = Promise.resolve();
let stopped = true;

function see(uploadId: string, seenAt: number): void {
  const times = open.get(uploadId);
  if (!times) {
    early.set(uploadId, seenAt);
    return;
  }
  open.delete(uploadId);
  counts.seen++;
  seen.push({ ...times, seenAt });
}

async function upload(uploader: FtpUploader, camera: string): Promise<void> {
  uploading++;
  try {
    const frame = nextFrame();
    const startedAt = Date.now();
    const uploadId = await uploader.upload(frame.name, frame.bytes);
    if (uploadId === null) throw new Error(`an upload of ${camera} was accepted without an id`);
    counts.accepted++;
    open.set(uploadId, { uploadId, startedAt, acceptedAt: Date.now() });
    const seenAt = early.get(uploadId);
    early.delete(uploadId);
    if (seenAt !== undefined) see(uploadId, seenAt);
  } catch (error) {
    counts.failed++;
    if (counts.failed > 100) throw error;
  } finally {
    uploading--;
  }
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const handlers = {
  async open({
    dataDir,
    host,
    port,
    viewerUrl,
  }: {
    dataDir: string;
    host: string;
    port: number;
    viewerUrl: string;
  }) {
    const credentials = await loadCredentials(dataDir);
    uploaders = Array.from({ length: CAMERAS * CONNECTIONS }, (_, index) => {
      const camera = cameraName(index % CAMERAS);
      const account = { user: camera, password: credentials[camera] ?? '' };
      return { camera, uploader: new FtpUploader({ host, port, ...account, timeoutMs: 10_000 }) };
    });
    const socket = io(viewerUrl, { transports: ['websocket'], auth: { channels: ['events'] } });
    viewer = socket;
    socket.on('events', ({ data }: ViewerMessage<ViewerEventChange>) => {
      if (data.change !== 'created') return;
      const at = Date.now();
      for (const { id } of data.event.uploads) see(id, at);
    });
    await until('the viewer is connected', 10_000, () => socket.connected);
  },
  /** Uploads as fast as it goes while fewer than `inFlight` frames are on their way to a viewer, until `stop`. */
  saturate({ inFlight }: { inFlight: number }) {
    stopped = false;
    running = Promise.all(
      uploaders.map(async ({ camera, uploader }) => {
        while (!stopped) {
          if (open.size + uploading < inFlight) await upload(uploader, camera);
          else await pause(2);
        }
      }),
    );
    running.catch(() => {}); // told by `stop`
  },
  /** Uploads at a rate, whatever becomes of the frames, until `stop`. */
  steady({ perSecond }: { perSecond: number }) {
    stopped = false;
    const startedAt = performance.now();
    let taken = 0;
    running = Promise.all(
      uploaders.map(async ({ camera, uploader }) => {
        while (!stopped) {
          const dueMs = startedAt + (taken++ * 1000) / perSecond;
          while (!stopped && performance.now() < dueMs) await pause(Math.min(50, dueMs - performance.now()));
          if (!stopped) await upload(uploader, camera);
        }
      }),
    );
    running.catch(() => {}); // told by `stop`
  },
  counts: () => counts,
  /** Uploads no more; resolves once a viewer has seen every frame that was accepted. Gives their times since the last. */
  async stop(): Promise<FrameTimes[]> {
    stopped = true;
    await running;
    await until('viewers have seen every frame', SEEN_LIMIT_MS, () => open.size === 0, 20);
    const times = seen;
    seen = [];
    counts = { accepted: 0, seen: 0, failed: 0 };
    return times;
  },
  close() {
    viewer?.close();
    for (const { uploader } of uploaders) uploader.close();
  },
};
export type LoadCalls = typeof handlers;

answerCalls(handlers);
