'use client';

import Link from 'next/link';
import type { ReactNode } from 'react';
import { OriginChip } from '../banner/ModeBanner.tsx';
import { useCatalogue } from '../stores/catalogue-store.ts';
import { serverNow } from '../stores/state-store.ts';
import { clockDuration, count, exactTime, spokenDuration } from '../visual/quantity.ts';
import { CHIP, StatusMark } from '../visual/StatusMark.tsx';
import { useClock } from '../visual/use-clock.ts';
import type { ServiceSubject } from './service-subject.ts';

/** What it is, how it is, since when, and what is known of the road to it. */
export function ServiceHead({ subject, stale }: { subject: ServiceSubject; stale: string }) {
  useClock(1_000);
  const { name, status, word, since, error, health, listener, heard } = subject;
  const about = useCatalogue((store) => store.catalogue?.services.find((each) => each.name === name));
  return (
    <section aria-label="State" className={`panel px-3 py-2 ${stale}`} data-testid="service-head">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1.5">
        <span
          className={`inline-flex items-center gap-2 rounded-md border-2 px-3 py-1 text-sm font-bold tracking-wide ${CHIP[status]}`}
          data-state={status}
          data-testid="service-status"
        >
          <StatusMark size={14} status={status} />
          {word}
          {since !== null && !stale && (
            <span className="font-medium" title={exactTime(since)}>
              {clockDuration(serverNow() - since)}
            </span>
          )}
        </span>
        {stale && status !== 'unknown' && <span className="font-semibold">when last heard</span>}
        {health?.critical && (
          <span className="text-muted">critical: while it is down the mode is MINIMAL or OFFLINE</span>
        )}
        {health && !health.healthy && health.origin && <OriginChip origin={health.origin} />}
        <span className="text-muted">{about?.description}</span>
        {name === 'gpu' && (
          <Link className="small-button ml-auto" href="/gpu" prefetch={false}>
            Everything about the card
          </Link>
        )}
      </div>
      {error && (
        <p className="mt-1.5 border-l-2 border-open pl-2 [overflow-wrap:anywhere] text-open-ink">{error}</p>
      )}
      <dl className="mt-1.5 flex flex-wrap gap-x-5 gap-y-0.5 text-[12px]">
        <Fact word="health check">
          {!heard.pipeline
            ? 'unknown: no report from the pipeline'
            : !health
              ? 'not probed'
              : health.checkedAt === null
                ? 'not yet'
                : `${clockDuration(serverNow() - health.checkedAt)} ago${health.latencyMs === null ? '' : `, ${spokenDuration(health.latencyMs)}`}`}
        </Fact>
        {health && (
          <Fact word="failed in a row">
            {health.consecutiveFailures}, down at {health.failureThreshold}
          </Fact>
        )}
        <Fact word="fault proxy">
          {listener
            ? `${listener.protocol} ${listener.host}:${listener.port}${listener.listening ? '' : ' REFUSING'} · ${count(listener.connections)} connections · ${count(listener.requests)} requests · ${count(listener.hits)} hit`
            : heard.proxy
              ? 'none in front of it'
              : 'unknown: no report from the proxy'}
        </Fact>
      </dl>
    </section>
  );
}

function Fact({ word, children }: { word: string; children: ReactNode }) {
  return (
    <div className="flex gap-1.5">
      <dt className="shrink-0 text-faint">{word}</dt>
      <dd className="min-w-0">{children}</dd>
    </div>
  );
}
