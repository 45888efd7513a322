/** Words that are remembered, and the longest of them. */
const MAX_WORDS = 512;
const MAX_WORD_BYTES = 32;

const words = new Map<number, string>();

/** The bytes as a word in upper case. Words that come again, as commands do, are looked up instead of made. */
export function upperCase(bytes: Buffer, from: number, end: number): string {
  let hash = 0;
  for (let at = from; at < end; at++) hash = (Math.imul(hash, 31) + upper(bytes[at] as number)) | 0;
  const known = words.get(hash);
  if (known !== undefined && isSame(known, bytes, from, end)) return known;
  const word = bytes.toString('latin1', from, end).toUpperCase();
  if (known === undefined && words.size < MAX_WORDS && end - from <= MAX_WORD_BYTES) words.set(hash, word);
  return word;
}

function isSame(word: string, bytes: Buffer, from: number, end: number): boolean {
  if (word.length !== end - from) return false;
  for (let at = from; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte > 127 || word.charCodeAt(at - from) !== upper(byte)) return false;
  }
  return true;
}

function upper(byte: number): number {
  return byte >= 97 && byte <= 122 ? byte - 32 : byte;
}
