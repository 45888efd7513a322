/**
 * What profiles have shown, by part: why a target is missed, what was mended, what was looked into and found harmless.
 * Written by hand when a profile was taken; the figures of a run stand beside it.
 */
export const FINDINGS: Readonly<Record<string, readonly string[]>> = {
  policies: [
    'The breaker puts half as much on the heap as cockatiel’s. A third of its time is one reading of the monotonic ' +
      'clock (50 ns on a virtual machine), by which the console tells how long each call took that moved a breaker; ' +
      'the row with a clock that costs nothing shows it. It stays: nobody can know before a call that it will fail.',
    'Rounds are short and many (61 of 20 000 calls): with 11 of 200 000 on a busy machine the same breaker came out ' +
      'between 0.7 and 1.3 of cockatiel.',
  ],
  proxy: [
    'HTTP bulk up was once seen at 0.51 of the bare relay, in single rounds on a loaded machine. In interleaved rounds it ' +
      'is between 0.6 and 1.05, as the other bulk figures are, which vary four-fold with what else runs. A profile of the ' +
      'aware proxy under it: 43 % of its CPU is the kernel’s write, 30 % the collection of 64 KiB read buffers (the relay ' +
      'has them too), under 5 % our own JavaScript. Nothing of ours was found to mend.',
  ],
};
