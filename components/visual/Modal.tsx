'use client';

import { X } from 'lucide-react';
import { Dialog } from 'radix-ui';
import type { ReactNode } from 'react';
import { useView } from '../stores/view-store.ts';

/** The field marked `data-autofocus` takes the focus; without one, the first that can. */
function focusMarked(event: Event): void {
  const content = event.currentTarget;
  const marked =
    content instanceof HTMLElement ? content.querySelector<HTMLElement>('[data-autofocus]') : null;
  if (!marked) return;
  event.preventDefault();
  marked.focus();
}

interface ModalProps {
  title: string;
  /** Of the tests. */
  testId: string;
  /** @default '34rem' */
  width?: string;
  /** @default the overlay is closed */
  onClose?: () => void;
  children: ReactNode;
}

const closeOverlay = () => useView.setState({ overlay: null });

/** What opens over the page; Escape and a press beside it close it. */
export function Modal({ title, testId, width = '34rem', onClose = closeOverlay, children }: ModalProps) {
  return (
    <Dialog.Root onOpenChange={(open) => !open && onClose()} open>
      <Dialog.Portal>
        <Dialog.Overlay className="fixed inset-0 z-40 bg-black/50" />
        <Dialog.Content
          aria-describedby={undefined}
          className="panel fixed top-1/2 left-1/2 z-50 max-h-[88vh] -translate-x-1/2 -translate-y-1/2 overflow-y-auto p-5 shadow-2xl"
          data-testid={testId}
          onOpenAutoFocus={focusMarked}
          style={{ width: `min(${width}, 94vw)` }}
        >
          <div className="mb-3 flex items-center gap-3">
            <Dialog.Title className="flex-1 text-base font-semibold">{title}</Dialog.Title>
            <Dialog.Close aria-label="Close" className="small-button w-7 justify-center px-0!">
              <X aria-hidden="true" size={14} />
            </Dialog.Close>
          </div>
          {children}
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
