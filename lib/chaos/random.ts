/** A source of chance: each call gives a number in [0, 1). */
export type Random = () => number;

/** FNV-1a over UTF-16 code units, 32 bit. Good enough to spread labels over seeds; not cryptographic. */
function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    hash ^= text.charCodeAt(index);
    hash = Math.imul(hash, 0x01000193);
  }
  return hash >>> 0;
}

/** The finaliser of MurmurHash3: every input bit changes about half of the output bits. */
function mix(value: number): number {
  let hash = value >>> 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/**
 * The draw of the `n`-th call under one fault, in [0, 1): a pure function of its arguments.
 *
 * Nothing is remembered, so neighbouring faults, restarts and concurrency cannot re-roll it.
 */
export function drawFor(seed: number, type: string, service: string, n: number): number {
  return mix(mix(hashText(`${type}/${service}`) ^ mix(seed)) ^ mix(n + 0x9e3779b9)) / 2 ** 32;
}

/** A repeatable stream of chance from `seed` (mulberry32). */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}
