import { StatusMark } from '../visual/StatusMark.tsx';

/** Why the newest look failed; what was read before stays below it, marked as old. */
export function ReadFailure({ text }: { text: string }) {
  return (
    <p
      className="flex items-center gap-1.5 px-3 py-2 font-semibold text-open-ink"
      data-testid="dlq-failure"
      role="status"
    >
      <StatusMark size={11} status="open" /> {text}
    </p>
  );
}
