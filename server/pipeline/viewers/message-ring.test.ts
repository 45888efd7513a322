import { describe, expect, it } from 'vitest';
import { MessageRing } from './message-ring.ts';

describe('MessageRing', () => {
  const makeRing = (count: number, size = 3) => {
    const ring = new MessageRing<number>(size, 1_000);
    const seqs = Array.from({ length: count }, (_, n) => ring.add(0, n).seq);
    return { ring, seqs };
  };
  const dataOf = (answer: { messages: { data: number }[] }) => answer.messages.map(({ data }) => data);

  it('gives what came after a number', () => {
    const { ring, seqs } = makeRing(3);
    const answer = ring.after(seqs[0] ?? 0);
    expect(dataOf(answer)).toEqual([1, 2]);
    expect(answer.missed).toBe(false);
    expect(ring.after(ring.seq)).toEqual({ messages: [], missed: false });
  });

  it('says that some are gone as soon as the first unseen one has left the ring', () => {
    const { ring, seqs } = makeRing(5); // 0 and 1 have left
    expect(ring.after(seqs[1] ?? 0)).toMatchObject({ missed: false });
    expect(ring.after(seqs[0] ?? 0)).toMatchObject({ missed: true });
    expect(dataOf(ring.after(seqs[0] ?? 0))).toEqual([2, 3, 4]);
  });

  it('knows no number of an earlier process, nor one from the future', () => {
    const before = makeRing(3).ring;
    const after = new MessageRing<number>(3, 1_001);
    expect(after.seq).toBeGreaterThan(before.seq);
    expect(after.after(before.seq).missed).toBe(true);
    expect(after.after(after.seq + 1).missed).toBe(true);
    expect(after.after(after.seq).missed).toBe(false);
  });

  it('refuses a size below 1', () => {
    expect(() => new MessageRing(0, 0)).toThrow(RangeError);
  });
});
