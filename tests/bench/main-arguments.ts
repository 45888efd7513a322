import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

export interface BenchArguments {
  /** Parts in the order in which they were named; all of them when none was. */
  parts: string[];
  smoke: boolean;
  long: boolean;
  jsonFile: string | undefined;
  /** Whether `docs/benchmarks.md` is written: on demand, and after a whole run that measured. */
  writesDocs: boolean;
}

/** A command line that cannot be followed; the message names the argument and what is allowed. */
export class ArgumentError extends Error {}

const OPTIONS = ['--smoke', '--long', '--json FILE', '--write-docs'];

/** @throws {ArgumentError} */
export function readArguments(argv: readonly string[], known: readonly string[]): BenchArguments {
  const parts: string[] = [];
  const given = new Set<string>();
  let jsonFile: string | undefined;
  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index] ?? '';
    if (given.has(argument) || parts.includes(argument))
      throw new ArgumentError(`${argument} was given twice: expected each argument once`);
    if (argument === '--json') {
      given.add(argument);
      jsonFile = fileOf(argv[++index]);
    } else if (OPTIONS.includes(argument)) given.add(argument);
    else if (argument.startsWith('-'))
      throw new ArgumentError(`Unknown option ${argument}: expected ${oneOf(OPTIONS)}`);
    else if (known.includes(argument)) parts.push(argument);
    else throw new ArgumentError(`Unknown part ${argument}: expected ${oneOf(known)}`);
  }
  const smoke = given.has('--smoke');
  for (const other of ['--long', '--write-docs'])
    if (smoke && given.has(other))
      throw new ArgumentError(
        `${other} cannot go with --smoke, which measures nothing: expected one of the two`,
      );
  return {
    parts: parts.length > 0 ? parts : [...known],
    smoke,
    long: given.has('--long'),
    jsonFile,
    writesDocs: given.has('--write-docs') || (parts.length === 0 && !smoke),
  };
}

function fileOf(value: string | undefined): string {
  if (value === undefined || value === '' || value.startsWith('-'))
    throw new ArgumentError(
      `--json ${value ?? 'without a file'} is not usable: expected the path of a file to write`,
    );
  const folder = dirname(resolve(value));
  if (!existsSync(folder))
    throw new ArgumentError(
      `--json ${value} is not usable: expected a file in a folder that exists, ${folder} does not`,
    );
  return resolve(value);
}

function oneOf(allowed: readonly string[]): string {
  return `one of ${allowed.join(', ')}`;
}
