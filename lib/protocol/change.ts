/**
 * What makes one JSON value of another: `[value]` puts a value in place of the old one, `0` takes a key away, and an
 * object goes on into the parts (of a list by index) that differ.
 */
export type Change = readonly [unknown] | 0 | { readonly [key: string]: Change };

/** What makes `next` of `previous`, undefined when they are equal. Plain JSON data only; lists of another length are replaced. */
export function changeBetween(previous: unknown, next: unknown): Change | undefined {
  if (Object.is(previous, next)) return undefined;
  if (!isContainer(previous) || !isContainer(next) || !alike(previous, next)) return [next];
  const change: Record<string, Change> = {};
  for (const key of Object.keys(next)) {
    const part = Object.hasOwn(previous, key)
      ? changeBetween(previous[key], next[key])
      : ([next[key]] as const);
    if (part !== undefined) change[key] = part;
  }
  for (const key of Object.keys(previous)) {
    if (!Object.hasOwn(next, key)) change[key] = 0;
  }
  return Object.keys(change).length > 0 ? change : undefined;
}

/** Gives the changed value; what has not changed is the same object as before, and `previous` is left alone. */
export function applyChange(previous: unknown, change: Change): unknown {
  if (isReplacement(change)) return change[0];
  if (change === 0 || !isContainer(previous)) throw new TypeError('The change is not one of this value');
  const next = (Array.isArray(previous) ? [...previous] : { ...previous }) as Container;
  for (const [key, part] of Object.entries(change)) {
    if (part === 0) delete next[key];
    else next[key] = applyChange(previous[key], part);
  }
  return next;
}

type Container = Record<string, unknown>;

function isContainer(value: unknown): value is Container {
  return typeof value === 'object' && value !== null;
}

function isReplacement(change: Change): change is readonly [unknown] {
  return Array.isArray(change);
}

function alike(previous: Container, next: Container): boolean {
  if (!Array.isArray(previous) && !Array.isArray(next)) return true;
  return Array.isArray(previous) && Array.isArray(next) && previous.length === next.length;
}
