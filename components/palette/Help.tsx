'use client';

import { Modal } from '../visual/Modal.tsx';

const KEYS: [string, string][] = [
  ['Esc Esc', 'Halt: end every fault at once, from anywhere'],
  ['⌘ / Ctrl Shift X', 'Halt as well'],
  ['⌘ / Ctrl K', 'Everything by name'],
  ['f', 'Freeze the picture; data is still taken in'],
  ['a', 'Write a note into the story'],
  ['.', 'Extend the newest fault that is on'],
  ['?', 'This page'],
];

const WORDS: [string, string][] = [
  [
    'INJECTED',
    'a failure that one of our faults made; the reply carried its id, or nothing else explains it',
  ],
  ['NOT OURS', 'a failure that no fault of ours explains: what a game day is about'],
  ['MOVING', 'an upload between two homes in one round of the ledger; lost only after the second'],
  ['STALE', 'no new data for 2 s; after 10 s NO DATA. Old values are hatched'],
];

export default function Help() {
  return (
    <Modal testId="help" title="Keys and words">
      <dl className="grid grid-cols-[auto_1fr] items-baseline gap-x-4 gap-y-2">
        {KEYS.map(([key, meaning]) => (
          <div className="contents" key={key}>
            <dt>
              <kbd className="rounded border border-line-strong bg-raised px-1.5 py-0.5 text-[12px] whitespace-nowrap">
                {key}
              </kbd>
            </dt>
            <dd className="text-muted">{meaning}</dd>
          </div>
        ))}
      </dl>
      <dl className="mt-4 space-y-1.5 border-t border-line pt-3">
        {WORDS.map(([word, meaning]) => (
          <div key={word}>
            <dt className="inline font-semibold">{word}</dt> <dd className="inline text-muted">{meaning}</dd>
          </div>
        ))}
      </dl>
    </Modal>
  );
}
