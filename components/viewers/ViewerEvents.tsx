'use client';

import { memo, useDeferredValue, useEffect, useState } from 'react';
import type { RecentEvent } from '#lib/protocol/state.ts';
import { useDetail } from '../stores/state-store.ts';
import { staleClass, useLive } from '../use-live.ts';
import { timeOfDay } from '../visual/quantity.ts';
import { CHIP, type Status } from '../visual/StatusMark.tsx';
import { type DetectionBox, loadBoxes } from './event-boxes.ts';

const SHOWN = 6;

/** The last events as the backend's viewers get them: picture, boxes, risk and where the risk comes from. */
export function ViewerEvents() {
  // After the other details: each new event is a picture to fetch and to lay out.
  const events = useDeferredValue(useDetail((store) => store.state?.pipeline?.recentEvents));
  const ageMs = useDetail((store) => store.state?.pipeline?.ageMs);
  const viewers = useDetail((store) => store.state?.pipeline?.viewers);
  const backendPort = useDetail((store) => store.state?.backendPort);
  const live = useLive();
  return (
    <section
      aria-label="What viewers see"
      className={`panel flex shrink-0 flex-col ${staleClass(live, ageMs)}`}
      data-in="live"
      data-testid="viewer-events"
    >
      <h2 className="panel-title flex justify-between border-b border-line px-3 py-2">
        What viewers see
        {viewers && (
          <span className="tracking-normal normal-case" title="Delivered without Redis while pub/sub is down">
            {viewers.connected} connected · {viewers.direct} direct
          </span>
        )}
      </h2>
      {!events && <p className="px-3 py-2.5 text-muted">No report from the pipeline.</p>}
      {events?.length === 0 && (
        <p className="px-3 py-2.5 text-muted">No event yet; the first takes a few seconds.</p>
      )}
      {events && events.length > 0 && backendPort && (
        <ul className="grid grid-cols-3 gap-1.5 p-2 wide:[@media(max-height:960px)]:[&>li:nth-child(n+4)]:hidden">
          {events.slice(0, SHOWN).map((event) => (
            <ViewerEvent backendPort={backendPort} event={event} key={event.id} />
          ))}
        </ul>
      )}
    </section>
  );
}

const RISK_STATUS: Record<RecentEvent['riskLevel'], Status> = {
  low: 'normal',
  medium: 'normal',
  high: 'degraded',
  critical: 'open',
};

const SOURCE_WORD: Record<RecentEvent['riskSource'], string> = {
  llm: 'by the LLM',
  cache: "camera's last score, analysis pending",
  object_estimate: 'estimate from objects, analysis pending',
  default: 'default, analysis pending',
};

/** Under a picture there is room for three words; the whole stands in the tooltip. */
const SOURCE_SHORT: Record<RecentEvent['riskSource'], string> = {
  llm: 'by the LLM',
  cache: 'last score, pending',
  object_estimate: 'estimate, pending',
  default: 'default, pending',
};

const ViewerEvent = memo(function ViewerEvent({
  event,
  backendPort,
}: {
  event: RecentEvent;
  backendPort: number;
}) {
  const path = event.media[0];
  const fallback = event.riskSource !== 'llm';
  return (
    <li
      className="min-w-0"
      title={`${event.summary}\nRisk ${event.riskScore}: ${SOURCE_WORD[event.riskSource]}`}
    >
      <div className="relative aspect-video overflow-hidden rounded bg-ground">
        {path ? (
          <Picture backendPort={backendPort} camera={event.camera} eventId={event.id} path={path} />
        ) : (
          <span className="absolute inset-0 grid place-content-center text-[11px] text-faint">
            no picture
          </span>
        )}
        <span
          className={`absolute top-0.5 right-0.5 rounded border px-1 text-[10px] leading-4 font-bold ${fallback ? `border-dashed ${CHIP.degraded}` : RISK_STATUS[event.riskLevel] === 'normal' ? 'border-line-strong bg-panel text-ink' : CHIP[RISK_STATUS[event.riskLevel]]}`}
        >
          {event.riskScore}
        </span>
      </div>
      <p className="mt-0.5 line-clamp-2 min-h-7 text-[11px] leading-3.5 text-ink wide:[@media(max-height:960px)]:line-clamp-1 wide:[@media(max-height:960px)]:min-h-3.5">
        {event.summary || event.camera}
      </p>
      <p
        className={`truncate text-[10px] ${fallback || event.degraded ? 'font-semibold text-degraded-ink' : 'text-faint'}`}
      >
        {event.degraded ? 'degraded · ' : ''}
        {fallback ? SOURCE_SHORT[event.riskSource] : `${event.camera} ${timeOfDay(event.at)}`}
      </p>
    </li>
  );
});

interface PictureProps {
  backendPort: number;
  path: string;
  eventId: string;
  camera: string;
}

function Picture({ backendPort, path, eventId, camera }: PictureProps) {
  const [size, setSize] = useState<{ width: number; height: number } | 'failed' | null>(null);
  const [boxes, setBoxes] = useState<readonly DetectionBox[]>([]);
  const origin = `http://${window.location.hostname}:${backendPort}`;
  useEffect(() => {
    let wanted = true;
    void loadBoxes(origin, eventId, path).then((found) => {
      if (wanted) setBoxes(found);
    });
    return () => {
      wanted = false;
    };
  }, [origin, eventId, path]);
  return (
    <>
      {/* biome-ignore lint/performance/noImgElement: pictures come from the backend under test, not from Next */}
      <img
        alt={`Frame of camera ${camera}`}
        className={`size-full object-cover ${size === 'failed' ? 'invisible' : ''}`}
        decoding="async"
        onError={() => setSize('failed')}
        onLoad={(event) =>
          setSize({ width: event.currentTarget.naturalWidth, height: event.currentTarget.naturalHeight })
        }
        src={`${origin}${path}`}
      />
      {(size === null || size === 'failed') && (
        <span className="absolute inset-0 grid place-content-center text-[11px] text-faint">
          {size === null ? 'picture awaited' : 'picture unavailable'}
        </span>
      )}
      {size && size !== 'failed' && boxes.length > 0 && (
        <svg
          aria-hidden="true"
          className="absolute inset-0 size-full"
          preserveAspectRatio="xMidYMid slice"
          viewBox={`0 0 ${size.width} ${size.height}`}
        >
          {boxes.map((box) => (
            <rect
              fill="none"
              height={box.height}
              key={`${box.x},${box.y},${box.width},${box.class}`}
              stroke="#f0e442"
              strokeWidth={2}
              vectorEffect="non-scaling-stroke"
              width={box.width}
              x={box.x}
              y={box.y}
            />
          ))}
        </svg>
      )}
    </>
  );
}
