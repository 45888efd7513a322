'use client';

import type { FittingModifiers, MatchKind } from '#lib/protocol/faults.ts';
import type { FaultDraft } from './fault-draft.ts';

interface ModifierInputsProps {
  service: string;
  fitting: FittingModifiers;
  draft: Pick<FaultDraft, 'match' | 'turns'>;
  onMatch: (kind: MatchKind, text: string) => void;
  onTurn: (name: TurnName, text: string) => void;
}

type TurnName = keyof FaultDraft['turns'];

const MATCH_TITLES: Readonly<Record<MatchKind, string>> = {
  route: 'Route contains',
  command: 'Command contains',
  sql: 'SQL contains',
  file: 'File name contains',
};

/** Something that is really called on the service. */
function exampleOf(kind: MatchKind, service: string): string {
  switch (kind) {
    case 'route':
      return service === 'nemotron' ? '/completion' : '/detect';
    case 'command':
      if (service === 'pubsub') return 'publish';
      if (service === 'database') return 'insert';
      return service === 'ftp' ? 'stor' : 'evalsha';
    case 'sql':
      return 'into events';
    case 'file':
      return 'cam-01';
  }
}

interface TurnInput {
  name: TurnName;
  modifier: FittingModifiers['names'][number];
  title: string;
  unit: string;
  min: number;
  max: number;
}

const TURN_INPUTS: readonly TurnInput[] = [
  { name: 'activeMs', modifier: 'pulse', title: 'Acts for', unit: 'ms', min: 100, max: 600_000 },
  { name: 'dormantMs', modifier: 'pulse', title: 'Then rests for', unit: 'ms', min: 100, max: 600_000 },
  {
    name: 'failFirst',
    modifier: 'failFirst',
    title: 'Only the first',
    unit: 'calls',
    min: 1,
    max: 1_000_000,
  },
  { name: 'rampMs', modifier: 'rampMs', title: 'Grows to full in', unit: 'ms', min: 100, max: 900_000 },
];

/** Which calls, and when: what makes sense for the type on its service, and nothing else. */
export function ModifierInputs({ service, fitting, draft, onMatch, onTurn }: ModifierInputsProps) {
  const turns = TURN_INPUTS.filter(({ modifier }) => fitting.names.includes(modifier));
  if (turns.length === 0 && fitting.match.length === 0) return null;
  const { match, turns: typed } = draft;
  const inUse = [...Object.values(match), ...Object.values(typed)].some((text) => text !== '');
  const words = [
    ...(fitting.match.length > 0 ? ['which calls'] : []),
    ...(fitting.names.includes('pulse') ? ['in turns'] : []),
    ...(fitting.names.includes('failFirst') ? ['first calls'] : []),
    ...(fitting.names.includes('rampMs') ? ['ramp'] : []),
  ].join(', ');
  return (
    <details className="text-[12px] text-muted" open={inUse || undefined}>
      <summary className="min-h-6 cursor-pointer first-letter:uppercase">{words}</summary>
      <div className="mt-1 space-y-1">
        {fitting.match.map((kind) => (
          <label className="flex items-center justify-between gap-2" key={kind}>
            {MATCH_TITLES[kind]}
            <input
              aria-label={`Only calls whose ${kind === 'sql' ? 'SQL' : kind} contains`}
              className="field w-36 min-w-0"
              data-testid={`fault-match-${kind}`}
              maxLength={200}
              onChange={(event) => onMatch(kind, event.target.value)}
              placeholder={`any, or ${exampleOf(kind, service)}`}
              type="text"
              value={match[kind] ?? ''}
            />
          </label>
        ))}
        {turns.map(({ name, modifier, title, unit, min, max }) => (
          <label className="flex items-center justify-between gap-2" key={name}>
            {title}
            <span className="inline-flex items-center gap-1">
              <input
                aria-label={`${title} in ${unit}`}
                className="field w-20 text-right"
                data-testid={`fault-${name}`}
                inputMode="numeric"
                max={max}
                min={min}
                onChange={(event) => onTurn(name, event.target.value)}
                placeholder="off"
                required={modifier === 'pulse' && Boolean(typed.activeMs || typed.dormantMs)}
                step={1}
                type="number"
                value={typed[name] ?? ''}
              />
              <span className="w-9">{unit}</span>
            </span>
          </label>
        ))}
      </div>
    </details>
  );
}
