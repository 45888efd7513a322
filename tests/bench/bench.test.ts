import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { ArgumentError, readArguments } from './main-arguments.ts';
import { stageTimes } from './pipeline/stages.ts';
import { benchmarkDocs } from './report-docs.ts';
import type { Machine } from './report-machine.ts';
import { MAIN, smokeOf } from './smoke.ts';

describe('npm run bench', () => {
  it('measures, prints and writes what it measured', { timeout: 180_000 }, () => {
    smokeOf(['policies', 'proxy']);
  });

  it('names an argument that it cannot use and what is allowed, and measures nothing', () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, 'everything'], {
      encoding: 'utf8',
    });
    expect([status, stdout, stderr.trim()]).toEqual([
      2,
      '',
      expect.stringMatching(/^Unknown part everything: expected one of policies, /),
    ]);
  });
});

describe('readArguments', () => {
  const read = (...argv: string[]) => readArguments(argv, ['one', 'two']);

  it('takes every part when none is named, and writes the docs then', () => {
    expect(read()).toEqual({
      parts: ['one', 'two'],
      smoke: false,
      long: false,
      jsonFile: undefined,
      writesDocs: true,
    });
  });

  it('writes the docs of named parts on demand only', () => {
    expect([
      read('two').writesDocs,
      read('two', '--write-docs').writesDocs,
      read('--smoke').writesDocs,
    ]).toEqual([false, true, false]);
  });

  it.each([
    [['three'], 'Unknown part three: expected one of one, two'],
    [['--fast'], 'Unknown option --fast: expected one of --smoke, --long, --json FILE, --write-docs'],
    [['one', 'one'], 'one was given twice: expected each argument once'],
    [['--json'], '--json without a file is not usable: expected the path of a file to write'],
    [['--json', '--smoke'], '--json --smoke is not usable: expected the path of a file to write'],
    [
      ['--json', '/nowhere/report.json'],
      '--json /nowhere/report.json is not usable: expected a file in a folder that exists, /nowhere does not',
    ],
    [['--smoke', '--long'], '--long cannot go with --smoke, which measures nothing: expected one of the two'],
  ])('refuses %j', (argv, message) => {
    expect(() => read(...argv)).toThrow(new ArgumentError(message));
  });
});

describe('benchmarkDocs', () => {
  const machine: Machine = {
    cpu: 'Abacus',
    cores: 2,
    memoryGib: 8,
    system: 'Linux 6',
    node: 'v24.0.0',
    commit: 'abc1234',
    date: '2026-01-02',
  };
  const measured = (part: string, value: number) => ({
    report: {
      part,
      what: `what ${part} does`,
      measurements: [{ name: `${part} | time`, unit: 'ms', median: value, min: 1, max: 9, rounds: 3 }],
      ratios: [
        { name: 'ours / theirs', value, target: '≤ 2', met: value <= 2 },
        { name: 'beside it', value, target: 'shown', met: null },
      ],
      rivals: { theirs: 'as its README has it' },
      found: ['the cause'],
    },
    tookSeconds: 7.4,
    loadBefore: 0.25,
  });

  it('says what was measured, on what, beside whom, and which target is missed', () => {
    const text = benchmarkDocs('', [measured('one', 3)], machine, ['one', 'two']);
    for (const said of [
      '| [`one`](#one) | 0 of 1 | 2026-01-02, commit abc1234 |',
      'What one does. Measured 2026-01-02 at commit abc1234 in 7 s on 2 × Abacus, 8 GiB, Linux 6, Node v24.0.0, at a load of 0.250 before it began.',
      '| ours / theirs | 3.00 | ≤ 2 | **missed** |',
      '| beside it | 3.00 |  |  |',
      '- **theirs**: as its README has it',
      '- the cause',
      '| one \\| time | 3.00 | 1.00–9.00 | ms | 3 |',
    ])
      expect(text).toContain(said);
  });

  it('replaces the sections of the parts that were measured and keeps the others', () => {
    const before = benchmarkDocs('', [measured('one', 1), measured('two', 3)], machine, ['one', 'two']);
    const later = { ...machine, date: '2026-02-03' };
    const after = benchmarkDocs(before, [measured('two', 2)], later, ['one', 'two']);
    expect(after.match(/^\| \[.*$/gm)).toEqual([
      '| [`one`](#one) | 1 of 1 | 2026-01-02, commit abc1234 |',
      '| [`two`](#two) | 1 of 1 | 2026-02-03, commit abc1234 |',
    ]);
    expect(after.match(/^## .*$/gm)).toEqual(['## one', '## two']);
    expect(after).toContain('| one \\| time | 1.00 |');
    expect(after).not.toContain('**missed**');
  });
});

describe('stageTimes', () => {
  const at = (ms: number) => new Date(ms).toISOString();
  const frame = (uploadId: string) => ({ uploadId, startedAt: 1000, acceptedAt: 1012, seenAt: 2000 });

  it("follows a frame through the pipeline's log, also where it is one of many", () => {
    const log = [
      { msg: 'upload accepted', uploadId: 'a', time: at(1010) },
      { msg: 'upload validated', uploadId: 'a', time: at(1030) },
      { msg: 'detection queued', uploadId: 'a', time: at(1031) },
      { msg: 'upload stored', uploadId: 'a', time: at(1100) },
      { msg: 'batch closed', uploads: ['b', 'a'], time: at(1600) },
      { msg: 'event stored', uploads: ['b', 'a'], time: at(1990) },
      { msg: 'event stored', uploads: ['a'], time: at(5000) },
    ];
    expect(stageTimes(log, [frame('a')]).map(Object.values)).toEqual([[10, 20, 1, 69, 500, 390, 10]]);
  });

  it('tells nothing of a stage whose beginning or end the log does not have', () => {
    const log = [{ msg: 'upload accepted', uploadId: 'a', time: at(1010) }];
    const none = Array.from({ length: 6 }, () => null);
    expect(stageTimes(log, [frame('a')]).map(Object.values)).toEqual([[10, ...none]]);
  });
});
