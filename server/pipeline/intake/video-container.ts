/** Whether a video is whole, by the header and the lengths of its container. Nothing is decoded. */

/** Undefined when the container is whole, otherwise what is wrong with it. */
export function videoDefect(bytes: Buffer, extension: string): string | undefined {
  switch (extension) {
    case 'mp4':
    case 'mov':
      return isoDefect(bytes);
    case 'avi':
      return riffDefect(bytes);
    case 'mkv':
      return matroskaDefect(bytes);
    default:
      return `no container is known for .${extension}`;
  }
}

/** ISO base media (MP4, QuickTime): boxes of length + name, to the last byte. */
function isoDefect(bytes: Buffer): string | undefined {
  const seen = new Set<string>();
  for (let at = 0; at < bytes.length; ) {
    if (at + 8 > bytes.length) return 'the last box is cut off';
    const name = bytes.toString('latin1', at + 4, at + 8);
    if (at === 0 && !['ftyp', 'moov', 'wide', 'free', 'mdat'].includes(name)) return 'no ISO media header';
    let length = bytes.readUInt32BE(at);
    if (length === 1) {
      if (at + 16 > bytes.length) return 'the last box is cut off';
      length = Number(bytes.readBigUInt64BE(at + 8));
    } else if (length === 0) {
      length = bytes.length - at; // "to the end of the file"
    }
    if (length < 8 || at + length > bytes.length) {
      return `box "${name}" says ${length} bytes, ${bytes.length - at} are there`;
    }
    seen.add(name);
    at += length;
  }
  if (!seen.has('moov') && !seen.has('moof')) return 'no "moov" box';
  return seen.has('mdat') ? undefined : 'no "mdat" box';
}

function riffDefect(bytes: Buffer): string | undefined {
  if (bytes.length < 12 || bytes.toString('latin1', 0, 4) !== 'RIFF') return 'no RIFF header';
  if (bytes.toString('latin1', 8, 12) !== 'AVI ') return 'not an AVI';
  const needed = bytes.readUInt32LE(4) + 8;
  return needed > bytes.length ? `RIFF says ${needed} bytes, ${bytes.length} are there` : undefined;
}

/** EBML header, then a Segment whose length is known (or not, for a live recording). */
function matroskaDefect(bytes: Buffer): string | undefined {
  if (bytes.length < 4 || bytes.readUInt32BE(0) !== 0x1a45dfa3) return 'no EBML header';
  const header = readSize(bytes, 4);
  if (!header?.value) return 'the EBML header is cut off';
  const segmentAt = header.end + header.value;
  if (segmentAt + 5 > bytes.length || bytes.readUInt32BE(segmentAt) !== 0x18538067) return 'no Segment';
  const segment = readSize(bytes, segmentAt + 4);
  if (!segment) return 'the Segment is cut off';
  const missing = segment.value === undefined ? 0 : segment.end + segment.value - bytes.length;
  return missing > 0 ? `${missing} bytes of the Segment are missing` : undefined;
}

/** A length of EBML: as many leading zero bits as bytes follow; all ones means unknown. */
function readSize(bytes: Buffer, at: number): { value: number | undefined; end: number } | undefined {
  const first = bytes[at];
  if (first === undefined || first === 0) return undefined;
  const length = Math.clz32(first) - 23;
  if (at + length > bytes.length) return undefined;
  let value = first & (0xff >> length);
  let isUnknown = value === 0xff >> length;
  for (let index = 1; index < length; index++) {
    const byte = bytes[at + index] ?? 0;
    isUnknown &&= byte === 0xff;
    value = value * 256 + byte;
  }
  return { value: isUnknown ? undefined : value, end: at + length };
}
