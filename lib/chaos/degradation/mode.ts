/** The ladder, best first. */
export const MODES = ['NORMAL', 'DEGRADED', 'MINIMAL', 'OFFLINE'] as const;
export type Mode = (typeof MODES)[number];

export type Feature = 'detection' | 'analysis' | 'events' | 'media' | 'ingest';

/** Nothing down: NORMAL. Only non-critical: DEGRADED. Some critical: MINIMAL. All critical: OFFLINE. */
export function targetMode(
  services: Iterable<{ readonly healthy: boolean; readonly critical: boolean }>,
): Mode {
  let down = 0;
  let critical = 0;
  let criticalDown = 0;
  for (const service of services) {
    if (!service.healthy) down++;
    if (service.critical) critical++;
    if (service.critical && !service.healthy) criticalDown++;
  }
  if (down === 0) return 'NORMAL';
  if (criticalDown === 0) return 'DEGRADED';
  return criticalDown === critical ? 'OFFLINE' : 'MINIMAL';
}

/** One rung from `mode` towards `target`. */
export function oneRung(mode: Mode, target: Mode): Mode {
  const index = MODES.indexOf(mode);
  return MODES[index + Math.sign(MODES.indexOf(target) - index)] ?? mode;
}

/** What works in a mode. DEGRADED keeps detection and analysis as far as their services are up. */
export function featuresOf(mode: Mode, isUp: (service: 'yolo26' | 'nemotron') => boolean): Feature[] {
  switch (mode) {
    case 'NORMAL':
      return ['detection', 'analysis', 'events', 'media', 'ingest'];
    case 'DEGRADED': {
      const features: Feature[] = ['events', 'media', 'ingest'];
      if (isUp('nemotron')) features.unshift('analysis');
      if (isUp('yolo26')) features.unshift('detection');
      return features;
    }
    case 'MINIMAL':
      return ['media', 'ingest'];
    case 'OFFLINE':
      return ['ingest'];
  }
}
