import type { FaultSpec } from '#lib/chaos/faults/fault.ts';
import type { FaultEffect, FaultInjector } from '#lib/chaos/faults/injector.ts';

/** How a try at a frame is broken off. `ended` aborts when the fault is over. */
export interface BrokenTry {
  readonly how: 'reset' | 'end' | 'stall';
  readonly stallMs: number;
  readonly ended: AbortSignal;
}

/** An upload of its own that stands beside a frame, which is not touched. */
export interface ExtraUpload {
  readonly name: string;
  readonly bytes: Buffer;
  readonly faultType: string;
}

const MIB = 2 ** 20;
/** Above the smallest size that the intake takes, so that only the format is wrong. */
const TEXT_BYTES = 16 * 1024;
const VIDEO_BYTES = 32 * 1024;
/** Share of a damaged picture that is as it was. */
const WHOLE_SHARE = 0.6;

/** What faults on `ftp` do in the cameras. A frame itself is kept until it was accepted, whatever happens here. */
export class UploadFaults implements FaultEffect {
  readonly #armed = new Map<string, AbortController>();

  arm(fault: FaultSpec): void {
    this.#armed.set(fault.id, new AbortController());
  }

  change(): void {}

  end(fault: FaultSpec): void {
    this.#armed.get(fault.id)?.abort();
    this.#armed.delete(fault.id);
  }

  /** How this try at a frame goes wrong, if a fault wants it to. */
  broken(injector: FaultInjector, name: string): BrokenTry | undefined {
    const call = { kind: 'STOR', command: 'STOR', file: name };
    const verdict = injector.decide('ftp', call, ['incomplete_upload', 'upload_timeout']);
    if (!verdict) return undefined;
    const { id, type, params } = verdict.fault;
    const ended = this.#armed.get(id)?.signal ?? AbortSignal.abort();
    if (type === 'upload_timeout') return { how: 'stall', stallMs: Number(params['stallMs']), ended };
    return { how: params['mode'] === 'fin' ? 'end' : 'reset', stallMs: 0, ended };
  }

  /** What is uploaded beside a frame that was accepted. */
  extras(injector: FaultInjector, name: string, frame: Buffer): ExtraUpload[] {
    const call = { kind: 'STOR', command: 'STOR', file: name };
    const base = name.replace(/\.[^.]*$/, '');
    const extras: ExtraUpload[] = [];
    for (const faultType of ['corrupted_file', 'invalid_format', 'oversized_file', 'duplicate_upload']) {
      const params = injector.decide('ftp', call, [faultType])?.fault.params;
      if (params) extras.push({ faultType, ...makeExtra(faultType, params, base, frame) });
    }
    return extras;
  }
}

function makeExtra(
  faultType: string,
  params: FaultSpec['params'],
  base: string,
  frame: Buffer,
): { name: string; bytes: Buffer } {
  switch (faultType) {
    case 'corrupted_file': {
      if (params['content'] === 'video') return { name: `${base}-corrupted.mp4`, bytes: cutVideo() };
      const bytes = Buffer.from(frame);
      return {
        name: `${base}-corrupted.jpg`,
        bytes: bytes.fill(0xff, Math.floor(bytes.length * WHOLE_SHARE)),
      };
    }
    case 'invalid_format': {
      const extension = params['disguise'] === true ? 'jpg' : 'txt';
      return {
        name: `${base}-format.${extension}`,
        bytes: Buffer.alloc(TEXT_BYTES, `${base} is no picture\n`),
      };
    }
    case 'oversized_file': {
      const filling = Buffer.alloc(Number(params['sizeMib']) * MIB - frame.length);
      return { name: `${base}-oversized.jpg`, bytes: Buffer.concat([frame, filling]) };
    }
    default:
      return { name: `${base}-duplicate.jpg`, bytes: frame };
  }
}

/** An MP4 that ends in the middle of its media data, as a recording does that was cut off. */
function cutVideo(): Buffer {
  const box = (name: string, bytes: number) => {
    const head = Buffer.alloc(8);
    head.writeUInt32BE(bytes, 0);
    head.write(name, 4, 'latin1');
    return head;
  };
  const index = [box('moov', 40), Buffer.alloc(32)];
  return Buffer.concat(
    [box('ftyp', 16), Buffer.from('isomiso2'), ...index, box('mdat', VIDEO_BYTES * 2)],
    VIDEO_BYTES,
  );
}
