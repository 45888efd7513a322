import type { Fault } from '#lib/protocol/faults.ts';
import { count, spokenDuration } from '../visual/quantity.ts';

type Described = Pick<Fault, 'params' | 'seed' | 'match' | 'pulse' | 'failFirst' | 'rampMs' | 'hitsByKind'>;

const MATCH_WORDS = { route: 'route', command: 'command', sql: 'SQL', file: 'file name' } as const;

/** Its parameters and modifiers, one short text each; an empty list of a parameter means "all" and is left out. */
export function settingWords({ params, match, pulse, failFirst, rampMs }: Described): string[] {
  const kinds = Object.keys(MATCH_WORDS) as (keyof typeof MATCH_WORDS)[];
  return [
    ...Object.entries(params)
      .filter(([, value]) => !(Array.isArray(value) && value.length === 0))
      .map(([name, value]) => `${name} ${String(value)}`),
    ...kinds.flatMap((kind) =>
      match?.[kind] ? [`only where ${MATCH_WORDS[kind]} has “${match[kind]}”`] : [],
    ),
    ...(pulse ? [`acts ${spokenDuration(pulse.activeMs)}, rests ${spokenDuration(pulse.dormantMs)}`] : []),
    ...(failFirst ? [`first ${count(failFirst)} calls only`] : []),
    ...(rampMs ? [`grows over ${spokenDuration(rampMs)}`] : []),
  ];
}

/** Hits by kind of call, the most frequent first: `POST /detect 12`. */
export function kindWords(
  { hitsByKind }: Pick<Described, 'hitsByKind'>,
  most = Number.POSITIVE_INFINITY,
): string[] {
  const kinds = Object.entries(hitsByKind).sort(([, one], [, other]) => other - one);
  const shown = kinds.slice(0, most).map(([kind, hits]) => `${kind} ${count(hits)}`);
  return kinds.length > most ? [...shown, `${kinds.length - most} more`] : shown;
}
