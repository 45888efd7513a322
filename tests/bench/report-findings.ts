/**
 * What profiles have shown, by part: why a target is missed, what was mended, what was looked into and found harmless.
 * Written by hand when a profile was taken; the figures of a run stand beside it.
 */
export const FINDINGS: Readonly<Record<string, readonly string[]>> = {
  policies: [
    'The breaker puts half as much on the heap as cockatiel’s. It read the monotonic clock for every call, which was about ' +
      'half of what it adds (on this virtual machine): for the console, which tells how long each call took that opened ' +
      'a breaker. It is an option now (`timeCalls`), as cockatiel times a call only when somebody listens; the pipeline has it on.',
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
    'With instant models one thread is full, that of the pipeline process: 15 to 21 ms of its CPU a frame, which is 50 to 70 ' +
      'frames/s, against 6 ms for the floor in one process too. Eight rounds after another do not get slower: nothing grows ' +
      'with what has gone through, and the spread is this machine’s. What the floor leaves out: FTP and files with fsync (18 % ' +
      'of the profile), duplicates, ledger, breakers, queues that survive a crash, logs, and every connection by way of a proxy. ' +
      'The profile is flat: no function of ours is above 1 %.',
    'Mended: chokidar watched each uploaded file by itself, 9 % of the CPU with its stat calls; it now looks at files of ' +
      'others alone (0.8 %), since an acceptance tells of its own.',
    'Mended: eleven units of work share a pool of five, and each connection beyond the five was closed when it was handed ' +
      'back, so that under load queries opened new ones, each with a password proof (SCRAM, 9 % of the CPU) and a new ' +
      'process of PostgreSQL. Now it is closed when nobody has wanted it for a second: 2 ms of the database’s CPU a frame ' +
      'instead of 11.',
    'With simulated models the card is the limit, for the pipeline as for the floor: an event of 20 detections takes about ' +
      'a second of the language model, a batch of 8 frames 110 ms of the detector, one after the other.',
    'Upload to viewer: half of the time is the batch that waits for more frames of its camera (2 s of silence or 6 s), a ' +
      'third is the language model, 0.3 s the detector and the 0.2 s that a frame waits there for company.',
  ],
  start: [
    'The hour: ten frames a second are more than the simulated card carries (six to seven: the language model judges 1.6 ' +
      'events a second while 2.5 come). After 54 minutes 32 364 uploads were accepted, 32 358 stored, the ledger BALANCED, ' +
      'nothing lost; 3 312 events waited for their analysis in Redis, which is why Redis grows. PostgreSQL grows by the pages ' +
      'of its shared buffers (128 MB at the most) that it has touched. The inference process went up and down between 100 and ' +
      '156 MB; what it holds at which moment was not looked into. Another system with a browser ran beside it.',
    'The heap of a console that was open beside it (2 frames/s, no faults): 7.5 MB after ten minutes, 8.1 MB fifty minutes ' +
      'later (`docs/proof/console-heap.json`).',
  ],
  toggle: [
    'The control process takes 3 to 25 ms for a halt and about as long for a fault, and a click is sent 4 ms after it was ' +
      'made: the rest is the browser, which waits for its turn on two cores that two whole consoles, drawn without a graphics ' +
      'card, share with the system and its viewers. A frame that shows a started fault takes 15 to 30 ms of which a third is ' +
      'script; the greatest values are frames in which the main thread had no core. The same build has met all six budgets ' +
      'of one viewer in one run and missed three in another an hour later, when bare uPlot took 1.4 times as long too.',
    'Mended: the answer to a command came after the facts that it made, which were sent to every viewer first and then drawn ' +
      'by the page that waited: 82 ms in the median, now about 25.',
    'Mended: each packet was drawn by itself, with a frame in between; those of one moment are drawn together now.',
    'Mended: a change anywhere had the whole page painted anew; as the panels stack by themselves a frame paints in a third ' +
      'of the time, and “arming” is there after 20 ms instead of 30, the confirmed state after 55 to 85 instead of 111.',
    'Mended: what has the whole page put into layers anew (a knob that moves by a transform, a see-through border: 5 to 15 ms a ' +
      'click), the 500 lines of the story that each fact moved (40 ms of main thread a click), tiles and path drawn together ' +
      'with mode and switch. With 200 viewers the confirmed state took 145 ms in the median before, and about 75 since; the ' +
      'low priority of the others, below, is a part of that and was not told apart.',
    'Before, the second browser and the viewers had the same priority as the operator’s: they stand for other machines, and ' +
      'low priority has meant nothing between sessions (Linux’s autogroups), which is why it had changed nothing.',
  ],
  console: [
    'Mended: a dialog that opened had the styles of all 1 100 elements computed anew, 45 ms each for opening and closing, by a ' +
      'variable with which the dialog library locks the scrolling of the page. An interaction took 304 to 416 ms at the ' +
      'worst (the palette), now 152.',
    'Mended: a tick’s script, layout and painting fell into one frame of 12 to 25 ms, 20 times in 10 s, and clock and charts ' +
      'into the same: 50 to 310 frames over 25 ms in ten minutes. Now tiles and path are drawn in the frame after mode and ' +
      'answers, pictures after those, clock and charts in others. How many are left depends on the hour: none in this run, 13 ' +
      'to 67 in others.',
    'The layout shift on a phone is one line that comes with the first state, when there is something abnormal to say: a young ' +
      'system owes analyses (“RECOVERING”). Room kept for it would be empty for everybody else.',
    'JavaScript of the shell: React with its DOM is 72 kB, the pages’ router 45, Socket.IO 17, loader and entry points 10; ours ' +
      'was 57, of which charts, desk, story and pictures are fetched when they come near what is seen. Forms, palette, dialogs, toasts and the not-found page come later. The budget was set from a shell of 187.',
  ],
};
