/**
 * Gives `next` back with every part that equals the same part of `previous` replaced by the previous object, so
 * that a component which selects that part does not render again. Plain JSON data only.
 */
export function structuralShare<T>(previous: unknown, next: T): T {
  if (Object.is(previous, next)) return next;
  if (Array.isArray(next)) {
    if (!Array.isArray(previous)) return next;
    let same = previous.length === next.length;
    const shared = next.map((item, index) => {
      const kept = structuralShare(previous[index], item);
      if (!Object.is(kept, previous[index])) same = false;
      return kept;
    });
    return (same ? previous : shared) as T;
  }
  if (!isRecord(next) || !isRecord(previous)) return next;
  const keys = Object.keys(next);
  let same = keys.length === Object.keys(previous).length;
  const shared: Record<string, unknown> = {};
  for (const key of keys) {
    const kept = structuralShare(previous[key], next[key]);
    if (!Object.is(kept, previous[key])) same = false;
    shared[key] = kept;
  }
  return (same ? previous : shared) as T;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
