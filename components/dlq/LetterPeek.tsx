'use client';

import type { ReactNode } from 'react';
import type { DeadLetter } from '#lib/protocol/dead-letters.ts';
import { useFacts } from '../stores/facts-store.ts';
import { useFaults } from '../stores/faults-store.ts';
import { useSystem } from '../stores/state-store.ts';
import { KEYBOARD_SCROLL } from '../visual/keyboard-scroll.ts';
import { exactTime, spokenDuration } from '../visual/quantity.ts';
import { faultName } from './dlq-words.ts';

/** Everything in a letter, as it was kept. */
export function LetterPeek({ letter, notRedrivable }: { letter: DeadLetter; notRedrivable: string | null }) {
  const active = useFaults((store) => store.faults) ?? [];
  const facts = useFacts((log) => log.facts);
  const { id, error, uploadId, faultIds, attempts, delaysMs, redrives, resentAs, traceId, payload } = letter;
  return (
    <div className="bg-ground px-4 py-2.5" data-testid="dlq-peeked" id={`peek-${id}`}>
      <dl className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-4 gap-y-1 text-[12px]">
        <Row word="Error">
          {error.code}
          {error.status !== undefined && ` ${error.status}`}: {error.message}
        </Row>
        {error.body !== undefined && (
          <Row word="Answer">
            <Text>{error.body}</Text>
          </Row>
        )}
        <Row word="Failed">
          first {exactTime(letter.firstFailedAt)}
          <br />
          last {exactTime(letter.lastFailedAt)}
        </Row>
        <Row word="Attempts">
          {attempts}
          {delaysMs.length > 0 && `, after ${delaysMs.map(spokenDuration).join(', ')}`}
          {redrives > 0 && ` · given back ${redrives} × and back again`}
        </Row>
        <Row word="Faults of ours">
          {faultIds.length === 0
            ? 'none was in force'
            : faultIds.map((fault) => faultName(fault, active, facts)).join(', ')}
        </Row>
        <Row word="Upload">{uploadId ? <Upload id={uploadId} /> : 'never accepted'}</Row>
        {resentAs !== undefined && (
          <Row word="Sent again as">
            <Upload id={resentAs} testId="dlq-resent-as" /> by its camera, and accepted
          </Row>
        )}
        <Row word="Trace">
          <code>{traceId}</code>
        </Row>
        {notRedrivable && <Row word="Re-drive">{notRedrivable}</Row>}
        <Row word="Payload">
          <Text>{JSON.stringify(payload, null, 2)}</Text>
        </Row>
      </dl>
    </div>
  );
}

function Row({ word, children }: { word: string; children: ReactNode }) {
  return (
    <>
      <dt className="text-muted">{word}</dt>
      <dd className="min-w-0 [overflow-wrap:anywhere]">{children}</dd>
    </>
  );
}

function Text({ children }: { children: string }) {
  return (
    <pre
      className="max-h-64 overflow-auto rounded border border-line bg-panel p-2 font-mono text-[11px] whitespace-pre-wrap"
      {...KEYBOARD_SCROLL}
    >
      {children}
    </pre>
  );
}

/** An upload's id leads to its file, served by the backend itself. */
function Upload({ id, testId }: { id: string; testId?: string }) {
  const backendPort = useSystem((store) => store.state?.backendPort);
  if (backendPort === undefined) return <code>{id}</code>;
  const href = `//${window.location.hostname}:${backendPort}/api/media/${encodeURIComponent(id)}`;
  return (
    <a
      className="font-mono underline decoration-line-strong underline-offset-2 hover:decoration-ink"
      data-testid={testId}
      href={href}
      rel="noreferrer"
      target="_blank"
      title="Its file, from the backend"
    >
      {id}
    </a>
  );
}
