/** Stands wherever values of the simulated GPU are shown. */
export function SimulatedBadge({ className = '' }: { className?: string }) {
  return (
    <span
      className={`inline-block rounded border border-dashed border-line-strong px-1 text-[9px] leading-3.5 font-bold tracking-wide text-muted ${className}`}
      data-testid="simulated"
      title="A model of a card with the physics of a real one; no hardware is measured"
    >
      SIMULATED
    </span>
  );
}
