import type { Fault } from '#lib/protocol/faults.ts';
import type { FormField } from '../desk/form-fields.ts';
import { count, percent, spokenDuration } from '../visual/quantity.ts';

type Described = Pick<Fault, 'params' | 'seed' | 'match' | 'pulse' | 'failFirst' | 'rampMs' | 'hitsByKind'>;

const MATCH_WORDS = { route: 'route', command: 'command', sql: 'SQL', file: 'file name' } as const;

/**
 * Its parameters, named as in the form, and its modifiers, one short text each. What the form does not ask for on
 * this service is left out, and an empty list, which means "all".
 */
export function settingWords(
  { params, match, pulse, failFirst, rampMs }: Described,
  fields: readonly FormField[],
): string[] {
  const kinds = Object.keys(MATCH_WORDS) as (keyof typeof MATCH_WORDS)[];
  return [
    ...fields
      .filter(
        ({ name }) => params[name] !== undefined && !(Array.isArray(params[name]) && !params[name].length),
      )
      .map((field) => `${inSentence(field.title)} ${valueWords(field, params[field.name])}`),
    ...kinds.flatMap((kind) =>
      match?.[kind] ? [`only where ${MATCH_WORDS[kind]} has “${match[kind]}”`] : [],
    ),
    ...(pulse ? [`acts ${spokenDuration(pulse.activeMs)}, rests ${spokenDuration(pulse.dormantMs)}`] : []),
    ...(failFirst ? [`first ${count(failFirst)} calls only`] : []),
    ...(rampMs ? [`grows over ${spokenDuration(rampMs)}`] : []),
  ];
}

function valueWords(field: FormField, value: unknown): string {
  if (Array.isArray(value)) return value.join(', ');
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  if (field.kind !== 'number' || typeof value !== 'number') return String(value).replaceAll('_', ' ');
  if (field.unit === 'ratio') return percent(value);
  if (field.unit !== 'ms') return `${count(value)} ${field.unit}`.trim();
  return value < 1000 || value % (value < 10_000 ? 100 : 1000) === 0
    ? spokenDuration(value)
    : `${count(value)} ms`;
}

/** A title amid other words: `Server error` becomes `server error`; `DNS failure`, `No GPU` keep their capitals. */
export function inSentence(title: string): string {
  return /^[A-Z]{2}/.test(title) ? title : title.charAt(0).toLowerCase() + title.slice(1);
}

/** The title of a type amid other words; its name, where an older version gave no title. */
export function typeWords({ type, title }: { type: string; title?: string | undefined }): string {
  return title === undefined ? type.replaceAll('_', ' ') : inSentence(title);
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
