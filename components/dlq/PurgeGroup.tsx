'use client';

import { Download, Trash2 } from 'lucide-react';
import { useState } from 'react';
import type { DlqGroup } from '#lib/protocol/dead-letters.ts';
import { Modal } from '../visual/Modal.tsx';
import { exportToFile, purge } from './dlq-actions.ts';
import type { Exported } from './dlq-calls.ts';
import { useDlq } from './dlq-store.ts';
import { letters } from './dlq-words.ts';

/** Removes a group for good: saved first, then confirmed by typing; never more than what was saved. */
export function PurgeGroup({ group, onClose }: { group: DlqGroup; onClose: () => void }) {
  const view = useDlq((each) => each.filter);
  const failure = useDlq((view) => (view.message?.bad ? view.message.text : null));
  const [saved, setSaved] = useState<Exported | null>(null);
  const [typed, setTyped] = useState('');
  const [reason, setReason] = useState('');
  const [busy, setBusy] = useState<'export' | 'purge' | null>(null);
  const filter = { ...view, queue: group.queue, signature: group.signature };
  const phrase = saved ? `purge ${saved.count}` : null;
  const confirmed = phrase !== null && typed.trim().toLowerCase() === phrase;
  const save = async () => {
    useDlq.setState({ message: null });
    setBusy('export');
    setSaved(await exportToFile(filter));
    setBusy(null);
  };
  const remove = async () => {
    if (!saved || !confirmed) return;
    setBusy('purge');
    const done = await purge(filter, saved.mark, reason.trim() || 'purged by hand');
    setBusy(null);
    if (done) onClose();
  };
  return (
    <Modal onClose={onClose} testId="dlq-purge" title={`Purge ${letters(group.total)} of ${group.queue}`}>
      <p className="[overflow-wrap:anywhere] text-muted">{group.signature}</p>
      <p className="mt-2">
        They are removed for good. An accepted upload among them that is nowhere else counts as dropped, by
        name and with your reason. Letters that arrive from now on stay.
      </p>
      <ol className="mt-4 space-y-4">
        <li>
          <p className="mb-1 font-semibold">1. Save them</p>
          <button
            aria-busy={busy === 'export'}
            className="small-button min-h-8!"
            data-autofocus
            data-testid="dlq-purge-export"
            disabled={busy !== null}
            onClick={() => void save()}
            type="button"
          >
            <Download aria-hidden="true" size={13} />{' '}
            {busy === 'export' ? 'Exporting…' : 'Export as JSON lines'}
          </button>
          {saved && <span className="ml-2 text-recovered-ink">{letters(saved.count)} saved</span>}
        </li>
        <li>
          <form
            className="space-y-2"
            onSubmit={(event) => {
              event.preventDefault();
              void remove();
            }}
          >
            <p className="font-semibold">2. Confirm</p>
            <label className="block">
              <span className="mb-1 block text-muted">Why (kept with each upload that is dropped)</span>
              <input
                className="field min-h-8 w-full"
                data-testid="dlq-purge-reason"
                maxLength={500}
                onChange={(event) => setReason(event.target.value)}
                placeholder="purged by hand"
                value={reason}
              />
            </label>
            <label className="block">
              <span className="mb-1 block text-muted">
                {phrase ? (
                  <>
                    Type <b className="font-mono text-ink">{phrase}</b>
                  </>
                ) : (
                  'Save them first'
                )}
              </span>
              <input
                autoComplete="off"
                className="field min-h-8 w-full font-mono"
                data-testid="dlq-purge-confirm"
                disabled={phrase === null}
                onChange={(event) => setTyped(event.target.value)}
                spellCheck={false}
                value={typed}
              />
            </label>
            <button
              aria-busy={busy === 'purge'}
              className="small-button min-h-9! border-loss! text-loss-ink! disabled:border-line-strong! disabled:text-muted!"
              data-testid="dlq-purge-do"
              disabled={!confirmed || busy !== null}
              type="submit"
            >
              <Trash2 aria-hidden="true" size={14} /> Purge {saved ? letters(saved.count) : ''}
            </button>
          </form>
        </li>
      </ol>
      {failure && (
        <p className="mt-3 font-semibold text-open-ink" role="alert">
          {failure}
        </p>
      )}
    </Modal>
  );
}
