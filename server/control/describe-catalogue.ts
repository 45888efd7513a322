import { z } from 'zod';
import { FAULT_TYPES, injectorFor } from '#lib/chaos/faults/catalogue.ts';
import type { FaultType } from '#lib/chaos/faults/define.ts';
import { matchKindsOf, modifiersOf } from '#lib/chaos/faults/modifiers.ts';
import { PRESETS } from '#lib/chaos/faults/presets.ts';

interface ParameterSchema {
  title?: string;
  description?: string;
  unit?: string;
  default?: unknown;
  minimum?: number;
  maximum?: number;
  enum?: unknown[];
  type?: string;
  items?: { enum?: unknown[] };
  maxLength?: number;
  pattern?: string;
}

/** The catalogue as the page docs/faults.md; a test holds the page against it. */
export function describeCatalogue(): string {
  return `${[
    '# Fault types',
    'This page is written by `npm run docs` from `lib/chaos/faults/`; a test fails when it is out of date.',
    'Every fault is a lease: it ends after `ttlMs` (1 s to 15 min, default 60 s) where it acts, whatever happens to the console. `ratio` (0–1) is the share of calls that are hit; `seed` makes the same calls meet the same fate; `match` narrows it to calls whose route, command, SQL text or file name contains the given text, in any case of letters. A modifier that means nothing for a type on a service is refused by name.',
    [
      'Modifiers of `POST` and `PATCH /faults` (there `null` takes one away), counted and timed where the fault acts, on the monotonic clock from its start:',
      '',
      '- `pulse` `{activeMs, dormantMs}`: it acts and rests in turns, beginning with acting. Calls made while it rests are not counted.',
      '- `failFirst` n: only the first n matching calls can be hit (`ratio` still decides which of them); then all is well again. Health checks are counted apart.',
      '- `rampMs`: its strength grows from 0 to full in this time. For a latency the delay grows and `ratio` stays; for the others `ratio` grows.',
    ].join('\n'),
    ...FAULT_TYPES.map(describeType),
    '## Presets',
    [
      '| preset | what it arms | |',
      '|---|---|---|',
      ...PRESETS.map(
        (preset) =>
          `| \`${preset.name}\` | ${preset.faults.map((fault) => `${fault.service} ${fault.type}${fault.ratio === undefined ? '' : ` (ratio ${fault.ratio})`}`).join(' + ')} | ${preset.description} |`,
      ),
    ].join('\n'),
  ].join('\n\n')}\n`;
}

function describeType(type: FaultType): string {
  const injectors = [...new Set(type.services.map((service) => injectorFor(service, type)))];
  const promises = (type.promises ?? []).map(({ service, text }) => `- ${service}: ${text}`);
  return [
    `## \`${type.type}\`: ${type.title}`,
    type.description,
    `Services: ${type.services.join(', ')}. Plane: ${type.plane}; acts in: ${injectors.join(', ')}. Default ratio: ${type.defaultRatio ?? 1}. ${describeModifiers(type)}`,
    describeFailures(type),
    describeParameters(type),
    promises.length > 0 ? `What the system promises under it:\n\n${promises.join('\n')}` : '',
  ]
    .filter(Boolean)
    .join('\n\n');
}

/** Services that take the same are named together. */
function describeModifiers(type: FaultType): string {
  const services = new Map<string, string[]>();
  for (const service of type.services) {
    const match = matchKindsOf(type, service).join(', ');
    const names = modifiersOf(type, service).map(
      (name) => `\`${name}\`${name === 'match' ? ` (${match})` : ''}`,
    );
    const text = names.join(', ') || 'none';
    services.set(text, [...(services.get(text) ?? []), service]);
  }
  const parts = [...services].map(([text, on]) =>
    services.size === 1 ? text : `on ${on.join(', ')}: ${text}`,
  );
  return `Modifiers: ${parts.join('; ')}.`;
}

function describeParameters(type: FaultType): string {
  const { properties = {} } = z.toJSONSchema(type.params, { io: 'input' }) as {
    properties?: Record<string, ParameterSchema>;
  };
  const rows = Object.entries(properties).map(([name, schema]) => {
    return `| \`${name}\` | ${schema.description ?? schema.title ?? ''} | ${describeRange(schema)} | ${JSON.stringify(schema.default)} |`;
  });
  return rows.length > 0
    ? ['| parameter | meaning | range | default |', '|---|---|---|---|', ...rows].join('\n')
    : 'No parameters.';
}

/** The kinds of failed calls that are blamed on it. */
function describeFailures({ makes }: FaultType): string {
  if (makes === undefined) return 'Any failed call is blamed on it.';
  if (makes.length === 0) return 'No failed call is blamed on it: who calls is not told.';
  return `Failed calls that are blamed on it: ${makes.join(', ')}.`;
}

/** What a parameter may be, with its unit. */
function describeRange({
  enum: choices,
  minimum,
  maximum,
  unit,
  type,
  items,
  maxLength,
  pattern,
}: ParameterSchema) {
  if (choices) return choices.map(String).join(', ');
  if (minimum !== undefined) return `${minimum}–${maximum}${unit ? ` ${unit}` : ''}`;
  if (type === 'array') return `any of ${(items?.enum ?? []).map(String).join(', ')}`;
  if (type === 'boolean') return 'true, false';
  if (pattern !== undefined) return `text, \`${pattern.replaceAll('|', '\\|')}\``;
  return maxLength === undefined ? 'text' : `text of at most ${maxLength} characters`;
}
