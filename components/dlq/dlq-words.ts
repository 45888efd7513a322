import type { DlqGroup, LetterTask } from '#lib/protocol/dead-letters.ts';
import type { Fact } from '#lib/protocol/facts.ts';
import type { Fault } from '#lib/protocol/faults.ts';
import { inSentence } from '../faults/fault-words.ts';
import { count } from '../visual/quantity.ts';

/** `yolo26 server error`; the id's end for a fault of which no fact is at hand. */
export function faultName(id: string, active: readonly Fault[], facts: readonly Fact[]): string {
  const known = active.find((fault) => fault.id === id) ?? startedIn(facts).get(id);
  return known ? `${known.service} ${inSentence(known.title)}` : `fault …${id.slice(-6)}`;
}

/** Many names are asked for of the same facts: they are gone through once. */
let started: { of: readonly Fact[]; byId: ReadonlyMap<string, Fault> } = { of: [], byId: new Map() };

function startedIn(facts: readonly Fact[]): ReadonlyMap<string, Fault> {
  if (started.of !== facts) {
    const byId = new Map<string, Fault>();
    for (const fact of facts) if (fact.type === 'faultStarted') byId.set(fact.data.fault.id, fact.data.fault);
    started = { of: facts, byId };
  }
  return started.byId;
}

/** Ours, not ours, or some of both. */
export function originOf({ injected, count: all }: Pick<DlqGroup, 'injected' | 'count'>) {
  if (injected === 0) return 'organic';
  return injected === all ? 'injected' : 'mixed';
}

export function letters(many: number): string {
  return `${count(many)} ${many === 1 ? 'letter' : 'letters'}`;
}

const KIND = { redrive: 're-drive', purge: 'purge' } as const;

/** What is being done, by whom: `re-drive of detection by Ana, 10 a second`. */
export function taskTitle({ kind, queue, by, ratePerSecond, signature, faultId }: LetterTask): string {
  const rate = ratePerSecond === null ? '' : `, ${ratePerSecond} a second`;
  const part = signature !== null ? ' (one group)' : faultId !== null ? ' (of one fault)' : '';
  return `${KIND[kind]} of ${queue}${part} by ${by}${rate}`;
}

/** How far it is: `120 of 312 given back, 3 gone already, 2 came back`. */
export function taskProgress(task: LetterTask): string {
  const { kind, done, total, skipped, failed, cameBack } = task;
  return [
    `${count(done)} of ${count(total)} ${kind === 'purge' ? 'purged' : 'given back'}`,
    skipped > 0 && `${count(skipped)} gone already`,
    failed > 0 && `${count(failed)} could not be given back`,
    cameBack > 0 && `${count(cameBack)} came back`,
  ]
    .filter(Boolean)
    .join(', ');
}

/** A line of the story: at the start what is meant, at the end what became of it. */
export function taskSentence(task: LetterTask): string {
  const { kind, queue, total, ratePerSecond, endedAt, state, why } = task;
  if (endedAt === null) {
    const rate = ratePerSecond === null ? '' : `, ${ratePerSecond} a second`;
    return `${kind === 'purge' ? 'purges' : 're-drives'} ${count(total)} dead ${total === 1 ? 'letter' : 'letters'} of ${queue}${rate}`;
  }
  const end = state === 'done' ? 'done' : state === 'failed' ? `FAILED: ${why}` : `ended, ${why}`;
  return `${KIND[kind]} of ${queue} ${end}: ${taskProgress(task)}`;
}
