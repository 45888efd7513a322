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
    const stopRefusals = useFaults.subscribe(({ refusal }, before) => {
      if (refusal && refusal !== before.refusal) {
        toast.error(<span data-testid="error-toast">{refusal.text}</span>, {
          id: refusal.key,
          duration: 8_000,
        });
      }
    });
    const stopReceipts = useHalt.subscribe(({ receipt }, before) => {
      if (receipt && receipt !== before.receipt) {
        toast.success(
          `Halted: ${receipt.faults.length} ${receipt.faults.length === 1 ? 'fault' : 'faults'} ended in ${Math.round(receipt.tookMs)} ms`,
        );
      }
    });
    return () => {
      stopRefusals();
      stopReceipts();
    };
  }, []);
  return (
    <Toaster gap={6} position="bottom-center" theme={theme} toastOptions={{ style: { fontSize: 13 } }} />
  );
}
