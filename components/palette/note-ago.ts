/** The control process takes none that is older. */
const AGO_MAX_MS = 600_000;

/** How long ago a note was begun, for the server to set it at that moment. `begunMs` is performance.now(). */
export function noteAgoMs(begunMs: number): number {
  return Math.min(AGO_MAX_MS, Math.max(0, Math.round(performance.now() - begunMs)));
}
