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
    'Aware over plain misses 1.15 for CPU: nine alternating rounds of 50 connections gave 50 against 45 µs a request for ' +
      'Redis, 58 against 49 for HTTP, 64 against 50 for PostgreSQL. In both profiles the kernel’s write is about two thirds ' +
      'of it, and no function of ours is above 1 %: it is spread over framing, joining and the link. On a busy machine the ' +
      'rounds differ by more than the two proxies do.',
  ],
  pipeline: [
    'With instant models the processors are full: 45 ms of CPU a frame over all processes (pipeline 26, database 11, proxy ' +
      '5) against at most 15 for the floor, of which this machine has two; others used most of them in this run.',
    'The profile of the pipeline process: 24 % of its CPU is the PostgreSQL client, 18 % intake (files, fsync, FTP 10 %), ' +
      '12 % Redis and BullMQ, 3 % name look-ups, 3 % chokidar, 2 % logs. 9 % is the client’s password proof (SCRAM, 4 096 ' +
      'rounds) and 5 % connecting: eleven units of work share a pool of five, and each connection beyond the five is ' +
      'closed when it is handed back, so that under load queries keep opening new ones: through the proxy, by name, with ' +
      'a new process of PostgreSQL each. That is also most of what the database spends. To be mended in the pool: a surplus ' +
      'connection should be closed only when another one is idle.',
    'With simulated models the card is the limit, for the pipeline as for the floor: an event of 20 detections takes about ' +
      'a second of the language model, a batch of 8 frames 110 ms of the detector, one after the other.',
    'Upload to viewer: half of the time is the batch that waits for more frames of its camera (2 s of silence or 6 s), a ' +
      'third is the language model, 0.3 s the detector and the 0.2 s that a frame waits there for company.',
  ],
};
