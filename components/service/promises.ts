import type { Catalogue, Fault, ServiceName } from '#lib/protocol/faults.ts';
import { inSentence } from '../faults/fault-words.ts';

export interface PromiseLine {
  key: string;
  title: string;
  text: string;
}

/** What is promised under the faults given, each by the service it is aimed at, and under the rest that `service` has. */
export function promisesOf(
  service: ServiceName,
  { types }: Pick<Catalogue, 'types'>,
  faults: readonly Pick<Fault, 'service' | 'type'>[],
): { owed: PromiseLine[]; others: PromiseLine[] } {
  const lines = (about: ServiceName, type: Catalogue['types'][number]): PromiseLine[] =>
    type.promises
      .filter((promise) => promise.service === about)
      .map(({ text }) => ({
        key: `${about}/${type.type}/${text}`,
        title: about === service ? type.title : `${about} ${inSentence(type.title)}`,
        text,
      }));
  const owed = faults.flatMap((fault) => {
    const type = types.find((each) => each.type === fault.type);
    return type ? lines(fault.service, type) : [];
  });
  const known = new Set(owed.map(({ key }) => key));
  const others = types.flatMap((type) => lines(service, type)).filter(({ key }) => !known.has(key));
  return { owed, others };
}
