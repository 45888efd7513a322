import type { BreakerState, Mode } from '#lib/protocol/state.ts';

/** Everything that can be wrong, or well, in one vocabulary: each has a shape, a word and a colour. */
export type Status =
  | 'normal'
  | 'half'
  | 'degraded'
  | 'open'
  | 'offline'
  | 'injected'
  | 'recovered'
  | 'unknown'
  | 'loss';

/** Classes of text on the page's ground. */
export const INK: Record<Status, string> = {
  normal: 'text-muted',
  half: 'text-half-ink',
  degraded: 'text-degraded-ink',
  open: 'text-open-ink',
  offline: 'text-ink',
  injected: 'text-injected-ink',
  recovered: 'text-recovered-ink',
  unknown: 'text-muted',
  loss: 'text-loss-ink',
};

/** Classes of a filled chip. Dark text on every fill, in both themes. */
export const CHIP: Record<Status, string> = {
  normal: 'border-line-strong text-ink',
  half: 'border-half bg-half text-on-fill',
  degraded: 'border-degraded bg-degraded text-on-fill',
  open: 'border-open bg-open text-on-fill',
  offline: 'border-ink bg-ink text-ground',
  injected: 'border-injected bg-injected text-on-fill',
  recovered: 'border-recovered bg-recovered text-on-fill',
  unknown: 'border-dashed border-line-strong text-muted',
  loss: 'border-loss bg-loss text-on-fill',
};

/** Classes of a border around what is not well; over a panel's own. */
export const BORDER: Partial<Record<Status, string>> = {
  loss: 'border-loss!',
  offline: 'border-ink!',
  open: 'border-open!',
  half: 'border-half!',
  degraded: 'border-degraded!',
  injected: 'border-injected!',
  recovered: 'border-recovered!',
};

export const MODE_STATUS: Record<Mode, Status> = {
  NORMAL: 'normal',
  DEGRADED: 'degraded',
  MINIMAL: 'open',
  OFFLINE: 'offline',
};

export const BREAKER_STATUS: Record<BreakerState, Status> = {
  CLOSED: 'normal',
  HALF_OPEN: 'half',
  OPEN: 'open',
  FORCED_OPEN: 'open',
};

export const BREAKER_WORD: Record<BreakerState, string> = {
  CLOSED: 'CLOSED',
  HALF_OPEN: 'HALF-OPEN',
  OPEN: 'OPEN',
  FORCED_OPEN: 'HELD OPEN',
};

/** The shape of a status, drawn so that it looks the same with every font. Decorative: a word stands beside it. */
export function StatusMark({ status, size = 12 }: { status: Status; size?: number }) {
  return (
    <svg aria-hidden="true" className="shrink-0" height={size} viewBox="0 0 12 12" width={size}>
      {shape(status)}
    </svg>
  );
}

function shape(status: Status) {
  const outline = { fill: 'none', stroke: 'currentColor', strokeWidth: 1.6 };
  switch (status) {
    case 'normal':
      return <circle cx="6" cy="6" r="4.2" {...outline} />;
    case 'half':
      return (
        <>
          <circle cx="6" cy="6" r="4.4" {...outline} />
          <path d="M6 1.6a4.4 4.4 0 0 0 0 8.8z" fill="currentColor" />
        </>
      );
    case 'degraded':
      return <path d="M6 1.6 11 10.4H1z" strokeLinejoin="round" {...outline} />;
    case 'open':
      return <path d="M6 .4 11.6 6 6 11.6.4 6z" fill="currentColor" />;
    case 'offline':
      return <rect fill="currentColor" height="9" width="9" x="1.5" y="1.5" />;
    case 'injected':
      return <path d="M7.2.4 1.8 7h3.4l-.8 4.6L10.2 5H6.6z" fill="currentColor" />;
    case 'recovered':
      return <path d="m1.6 6.4 3 3 5.8-6.6" strokeLinecap="round" {...outline} strokeWidth="2" />;
    case 'unknown':
      return (
        <>
          <path d="M3.6 4.2a2.4 2.4 0 1 1 3.5 2.1C6.3 6.8 6 7.2 6 8" {...outline} />
          <circle cx="6" cy="10.4" fill="currentColor" r="1" />
        </>
      );
    case 'loss':
      return <path d="m2 2 8 8m0-8-8 8" strokeLinecap="round" {...outline} strokeWidth="2.2" />;
  }
}
