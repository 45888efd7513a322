'use client';

import { useEffect } from 'react';
import { Toaster, toast } from 'sonner';
import { useHalt } from '../halt-command.ts';
import { useFaults } from '../stores/faults-store.ts';
import { useView } from '../stores/view-store.ts';

/** Refusals and receipts in the corner, also when the switch they belong to is out of sight. */
export default function Toasts() {
  const theme = useView((view) => view.theme);
  useEffect(() => {
    sayRefusal(useFaults.getState().refusal);
    sayReceipt(useHalt.getState().receipt);
    const stopRefusals = useFaults.subscribe(({ refusal }) => sayRefusal(refusal));
    const stopReceipts = useHalt.subscribe(({ receipt }) => sayReceipt(receipt));
    return () => {
      stopRefusals();
      stopReceipts();
    };
  }, []);
  return (
    <Toaster gap={6} position="bottom-center" theme={theme} toastOptions={{ style: { fontSize: 13 } }} />
  );
}

type Refusal = ReturnType<typeof useFaults.getState>['refusal'];
type Receipt = ReturnType<typeof useHalt.getState>['receipt'];

/** The newest of each that was said: the next page must not say it again. */
const said: { refusal: Refusal; receipt: Receipt } = { refusal: null, receipt: null };

function sayRefusal(refusal: Refusal): void {
  if (refusal === null || refusal === said.refusal) return;
  said.refusal = refusal;
  toast.error(<span data-testid="error-toast">{refusal.text}</span>, { id: refusal.key, duration: 8_000 });
}

function sayReceipt(receipt: Receipt): void {
  if (receipt === null || receipt === said.receipt) return;
  said.receipt = receipt;
  const { length } = receipt.faults;
  toast.success(
    `Halted: ${length} ${length === 1 ? 'fault' : 'faults'} ended in ${Math.round(receipt.tookMs)} ms`,
  );
}
