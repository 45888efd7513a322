import { createRandom, type Random } from '#lib/chaos/random.ts';

/** A whole number from 0 to below `limit`. */
const below = (random: Random, limit: number): number => Math.floor(random() * limit);

export function randomBytes(random: Random, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => below(random, 256)));
}

/** Values that lengths are blown up to: around 2^31 and 2^32, beyond what a double counts, below zero, not decimal. */
const LENGTHS = [
  '2147483647',
  '2147483648',
  '4294967296',
  '9007199254740993',
  '99999999999999999999999999',
  '-1',
  '-2147483648',
  '0',
  '00000000000000000000000001',
  '1e9',
  '0x7f',
  'ffffffffffffffff',
  '',
];

/** `bytes` spoilt in one to four ways: bits flipped, cut, doubled, filled, lengths blown up, rubbish put in. */
export function mutate(bytes: Buffer, random: Random): Buffer {
  let mutant: Buffer = Buffer.from(bytes);
  for (let times = 1 + below(random, 4); times > 0; times--) mutant = mutateOnce(mutant, random);
  return mutant;
}

function mutateOnce(bytes: Buffer, random: Random): Buffer {
  if (bytes.length === 0) return randomBytes(random, 20);
  const at = below(random, bytes.length);
  const end = at + below(random, Math.min(64, bytes.length - at)) + 1;
  const around = (...middle: Buffer[]) =>
    Buffer.concat([bytes.subarray(0, at), ...middle, bytes.subarray(end)]);
  switch (below(random, 9)) {
    case 0:
      bytes[at] = (bytes[at] ?? 0) ^ (1 << below(random, 8));
      return bytes;
    case 1:
      return bytes.subarray(0, at);
    case 2:
      return around();
    case 3:
      return around(bytes.subarray(at, end), bytes.subarray(at, end));
    case 4:
      return around(randomBytes(random, 1 + below(random, 200)));
    case 5:
      return around(Buffer.alloc(1 + below(random, 400), bytes[at]));
    case 6:
      return withNumber(bytes, random);
    case 7:
      return withBinaryLength(bytes, random);
    default:
      return Buffer.concat([bytes.subarray(at), bytes.subarray(0, at)]);
  }
}

/** Another number in the place of one that is written in digits. */
function withNumber(bytes: Buffer, random: Random): Buffer {
  const numbers = [...bytes.toString('latin1').matchAll(/\d+/g)];
  const number = numbers[below(random, numbers.length)];
  if (!number) return bytes;
  return Buffer.concat([
    bytes.subarray(0, number.index),
    Buffer.from(LENGTHS[below(random, LENGTHS.length)] ?? ''),
    bytes.subarray(number.index + number[0].length),
  ]);
}

/** Four bytes that say 0, 1, 3, 2^31 or so. */
function withBinaryLength(bytes: Buffer, random: Random): Buffer {
  if (bytes.length < 4) return bytes;
  const values = [0, 1, 3, 4, 5, 0x3fff_ffff, 0x4000_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
  bytes.writeUInt32BE(values[below(random, values.length)] ?? 0, below(random, bytes.length - 3));
  return bytes;
}

/** The bytes as one chunk, cut in two at every place, and byte by byte. */
export function* cuttings(bytes: Buffer): Generator<Buffer[]> {
  yield [bytes];
  for (let cut = 1; cut < bytes.length; cut++) yield [bytes.subarray(0, cut), bytes.subarray(cut)];
  yield Array.from(bytes, (_, index) => bytes.subarray(index, index + 1));
}

/** The bytes cut into chunks of random length. */
export function* randomCut(bytes: Buffer, random: Random): Generator<Buffer> {
  for (let at = 0; at < bytes.length; ) {
    const step = 1 + below(random, random() < 0.5 ? 4 : 100);
    yield bytes.subarray(at, at + step);
    at += step;
  }
}

/** `count` hostile streams made of `valid` ones and of nothing but chance; the same for the same seed. */
export function* hostileStreams(seed: number, count: number, valid: readonly Buffer[]): Generator<Buffer> {
  const random = createRandom(seed);
  for (let n = 0; n < count; n++) {
    const model = valid[n % valid.length] ?? Buffer.alloc(0);
    const kind = random();
    if (kind < 0.1) yield randomBytes(random, below(random, 300));
    else if (kind < 0.2) yield Buffer.concat([model, randomBytes(random, below(random, 300))]);
    else yield mutate(model, random);
  }
}
