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

const closeOverlay = () => useView.setState({ overlay: null });

interface ModalFrameProps {
  /** Where it stands and how it looks. */
  className: string;
  /** Of the tests. */
  testId?: string;
  /** @default the overlay is closed */
  onClose?: () => void;
  /** The title, a `Dialog.Title`, is among them. */
  children: ReactNode;
}

/**
 * What lies over the page. The backdrop is a plain element: the library's own locks the scrolling of the page by a
 * variable on its body, which has the styles of a thousand elements computed anew, 45 ms for opening and for closing.
 * A wheel beside the dialog scrolls the page below instead, where that is longer than the window.
 */
export function ModalFrame({ className, testId, onClose = closeOverlay, children }: ModalFrameProps) {
  return (
    <Dialog.Root onOpenChange={(open) => !open && onClose()} open>
      <Dialog.Portal>
        <div aria-hidden="true" className="pointer-events-auto fixed inset-0 z-40 touch-none bg-black/50" />
        <Dialog.Content
          aria-describedby={undefined}
          className={`panel fixed left-1/2 z-50 -translate-x-1/2 overscroll-contain shadow-2xl ${className}`}
          data-testid={testId}
          onOpenAutoFocus={focusMarked}
        >
          {children}
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

interface ModalProps extends Pick<ModalFrameProps, 'testId' | 'onClose' | 'children'> {
  title: string;
  /** @default that of most */
  widthClass?: string;
}

/** What opens over the page; Escape and a press beside it close it. */
export function Modal({ title, widthClass = 'w-[min(34rem,94vw)]', children, ...frame }: ModalProps) {
  return (
    <ModalFrame
      className={`top-1/2 max-h-[88vh] -translate-y-1/2 overflow-y-auto p-5 ${widthClass}`}
      {...frame}
    >
      <div className="mb-3 flex items-center gap-3">
        <Dialog.Title className="flex-1 text-base font-semibold">{title}</Dialog.Title>
        <Dialog.Close aria-label="Close" className="small-button w-7 justify-center px-0!">
          <X aria-hidden="true" size={14} />
        </Dialog.Close>
      </div>
      {children}
    </ModalFrame>
  );
}
