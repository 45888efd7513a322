import type { EventRecord } from '../contracts.ts';

let made = 0;

/** For tests: an event with an id and seq of its own. */
export function makeEvent(overrides: Partial<EventRecord> = {}): EventRecord {
  made++;
  return {
    id: `event-${made}`,
    seq: made,
    camera: 'gate',
    startedAt: 1_000,
    endedAt: 2_000,
    riskScore: 40,
    riskLevel: 'medium',
    riskSource: 'llm',
    summary: 'a person at the gate',
    reasoning: 'it is night',
    degraded: false,
    uploads: [
      {
        id: '01J0000000000000000000000A',
        detections: [{ class: 'person', confidence: 0.9, bbox: { x: 1, y: 2, width: 30, height: 40 } }],
        degraded: false,
        capturedAt: 1_000,
      },
    ],
    createdAt: 3_000,
    updatedAt: 3_000,
    traceId: 'trace',
    ...overrides,
  };
}
