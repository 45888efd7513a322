'use client';

import type { DlqGroup } from '#lib/protocol/dead-letters.ts';
import { OriginChip } from '../banner/ModeBanner.tsx';
import { useFacts } from '../stores/facts-store.ts';
import { useFaults } from '../stores/faults-store.ts';
import { count } from '../visual/quantity.ts';
import { StatusMark } from '../visual/StatusMark.tsx';
import { faultName, originOf } from './dlq-words.ts';

const FAULTS_NAMED = 2;

/** Ours or not, with which faults, and whether it came back. */
export function GroupMarks({ group }: { group: DlqGroup }) {
  const active = useFaults((store) => store.faults) ?? [];
  const facts = useFacts((log) => log.facts);
  const { faultIds, cameBack, redrivesMax, injected, count: all } = group;
  const origin = originOf(group);
  const names = faultIds.map((id) => faultName(id, active, facts));
  return (
    <>
      {origin === 'mixed' ? (
        <span className="inline-flex items-center gap-1">
          <OriginChip origin="injected" /> {count(injected)}
          <OriginChip origin="organic" /> {count(all - injected)}
        </span>
      ) : (
        <OriginChip origin={origin} />
      )}
      {names.length > 0 && (
        <span title={names.join('\n')}>
          {names.slice(0, FAULTS_NAMED).join(', ')}
          {names.length > FAULTS_NAMED && ` and ${names.length - FAULTS_NAMED} more`}
        </span>
      )}
      {cameBack > 0 && <Poison letters={cameBack} times={redrivesMax} />}
    </>
  );
}

/** It was given back and came back, `times` times. */
export function Poison({ times, letters }: { times: number; letters?: number }) {
  const title = `${letters === undefined ? 'Given back' : `${count(letters)} of them given back`} and failed again${times > 1 ? `, up to ${times} times` : ''}`;
  return (
    <span
      className="inline-flex items-center gap-1 rounded border border-degraded bg-degraded px-1 text-[10px] leading-4 font-bold whitespace-nowrap text-on-fill"
      data-testid="dlq-poison"
      title={title}
    >
      <StatusMark size={9} status="degraded" />
      POISON × {times}
    </span>
  );
}
