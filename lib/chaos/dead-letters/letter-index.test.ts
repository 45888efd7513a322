import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DeadLetter } from './dead-letter.ts';
import { LetterIndex } from './letter-index.ts';

function makeLetter(id: string, more: Partial<DeadLetter> = {}): DeadLetter {
  return {
    id,
    queue: 'detection',
    uploadId: `upload-${id}`,
    error: { code: 'E', message: 'x' },
    attempts: 1,
    delaysMs: [],
    firstFailedAt: 0,
    lastFailedAt: 0,
    faultIds: [],
    traceId: 't',
    signature: 'E: x',
    payload: null,
    redrives: 0,
    ...more,
  };
}

const ids = (index: LetterIndex, before?: number) =>
  [...index.newestFirst(before)].map(({ letter }) => letter.id);

describe('LetterIndex', () => {
  it('gives those that wait, newest first, from any place on', () => {
    const index = new LetterIndex();
    for (const id of ['a', 'b', 'c', 'd']) index.put(makeLetter(id), true);
    index.remove('c');
    index.hide(makeLetter('b'));
    index.put(makeLetter('a'), true); // came back: the newest now
    expect(ids(index)).toEqual(['a', 'd']);
    expect(ids(index, index.newestOrder)).toEqual(['d']);
    expect([index.size, index.waiting]).toEqual([3, 2]);
  });

  it('says the same as a plain list, whatever is done in whatever order', () => {
    const step = fc.record({
      what: fc.constantFrom('put', 'hide', 'remove', 'replace', 'forget'),
      id: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
      queue: fc.constantFrom('detection', 'analysis'),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const index = new LetterIndex();
        let model: { letter: DeadLetter; waiting: boolean; hiddenAt: number }[] = [];
        for (const [at, { what, id, queue }] of steps.entries()) {
          const known = model.find(({ letter }) => letter.id === id);
          if (what === 'put') {
            const letter = makeLetter(id, { queue });
            index.put(letter, true);
            model = [...model.filter((each) => each !== known), { letter, waiting: true, hiddenAt: 0 }];
          } else if (what === 'hide' && known) {
            index.hide(known.letter);
            if (known.waiting) known.hiddenAt = at + 1;
            known.waiting = false;
          } else if (what === 'remove') {
            index.remove(id);
            model = model.filter((each) => each !== known);
          } else if (what === 'replace' && known) {
            known.letter = { ...known.letter, resentAs: String(at) };
            index.replace(known.letter);
          } else if (what === 'forget') {
            index.forgetRedriven(1);
            const hidden = model.filter(({ waiting }) => !waiting).sort((x, y) => x.hiddenAt - y.hiddenAt);
            model = model.filter((each) => !hidden.slice(0, -1).includes(each));
          }
        }
        const waiting = model.filter((each) => each.waiting).map(({ letter }) => letter);
        expect([...index.newestFirst()].map(({ letter }) => letter)).toEqual(waiting.toReversed());
        expect([index.size, index.waiting]).toEqual([model.length, waiting.length]);
        const byQueue = Object.groupBy(waiting, ({ queue }) => queue);
        expect(index.byQueue()).toEqual(
          Object.fromEntries(Object.entries(byQueue).map(([queue, of]) => [queue, of?.length])),
        );
        for (const id of ['a', 'b', 'c', 'd', 'e']) {
          const here = model.some(({ letter }) => letter.id === id);
          expect(index.idsOfUpload(`upload-${id}`)).toEqual(here ? [id] : []);
        }
      }),
    );
  });

  it('keeps its order when what has left is cleared away', () => {
    const index = new LetterIndex();
    for (let n = 0; n < 5000; n++) index.put(makeLetter(`l${n}`), true);
    for (let n = 0; n < 4990; n++) if (n % 1000 !== 0) index.remove(`l${n}`);
    expect(ids(index).slice(10)).toEqual(['l4000', 'l3000', 'l2000', 'l1000', 'l0']);
    expect(ids(index, index.get('l4000')?.order)).toEqual(['l3000', 'l2000', 'l1000', 'l0']);
  });
});
