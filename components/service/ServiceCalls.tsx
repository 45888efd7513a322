'use client';

import type { ReactNode } from 'react';
import { count, percent, spokenDuration } from '../visual/quantity.ts';
import { StatusMark } from '../visual/StatusMark.tsx';
import type { ServiceSubject } from './service-subject.ts';

/** Failures told apart, ours and not ours, and how long calls take. */
export function ServiceCalls({ subject, stale }: { subject: ServiceSubject; stale: string }) {
  const { dependency, breaker } = subject;
  if (!dependency && !breaker) return null;
  const calls = breaker?.calls;
  return (
    <section aria-label="Calls" className={`panel px-3 py-2 ${stale}`} data-testid="service-calls">
      <h2 className="panel-title mb-1.5">Calls</h2>
      <table className="w-full text-left text-[12px]">
        <thead className="text-faint">
          <tr>
            <th className="font-normal" scope="col">
              <span className="sr-only">Span</span>
            </th>
            <th className="font-normal" scope="col">
              all
            </th>
            <th className="font-normal" scope="col">
              injected
            </th>
            <th className="font-normal" scope="col">
              organic
            </th>
            <th className="font-normal" scope="col">
              rejected
            </th>
          </tr>
        </thead>
        <tbody>
          {dependency && (
            <tr>
              <Span>last 10 s</Span>
              <td>
                {dependency.callsPerSecond.toFixed(1)}/s
                <span className="text-muted"> · {percent(dependency.errorRatio)} failed</span>
              </td>
              <Failures of="injected" testId="calls-injected" value={dependency.injected} />
              <Failures of="organic" testId="calls-organic" value={dependency.organic} />
              <td className="text-faint">–</td>
            </tr>
          )}
          {calls && (
            <tr>
              <Span>since its start</Span>
              <td>{count(calls.succeeded + calls.failed)}</td>
              <Failures of="injected" testId="calls-injected-total" value={calls.injected} />
              <Failures of="organic" testId="calls-organic-total" value={calls.organic} />
              <td>{count(calls.rejected)}</td>
            </tr>
          )}
        </tbody>
      </table>
      {dependency && (
        <p className="mt-1.5 text-[12px]" data-testid="service-latency">
          <span className="text-faint">latency</span>{' '}
          {dependency.p50Ms === null
            ? 'no calls in the last 10 s'
            : `p50 ${spokenDuration(dependency.p50Ms)} · p95 ${spokenDuration(dependency.p95Ms ?? 0)} · p99 ${spokenDuration(dependency.p99Ms ?? 0)}`}
        </p>
      )}
    </section>
  );
}

function Span({ children }: { children: ReactNode }) {
  return (
    <th className="pr-3 font-normal text-faint" scope="row">
      {children}
    </th>
  );
}

/** A number of failures, marked as soon as there is one. */
function Failures({ of, value, testId }: { of: 'injected' | 'organic'; value: number; testId: string }) {
  const status = of === 'injected' ? 'injected' : 'open';
  const ink = of === 'injected' ? 'text-injected-ink' : 'text-open-ink';
  return (
    <td className={value > 0 ? `font-semibold ${ink}` : ''} data-testid={testId}>
      {value > 0 && (
        <span className="mr-1 inline-block align-[-1px]">
          <StatusMark size={9} status={status} />
        </span>
      )}
      {count(value)}
    </td>
  );
}
