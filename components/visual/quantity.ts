/** Numbers and times as the operator reads them: units always, figures that do not jump in width. */

/** `0:42`, `12:05`, `1:02:05`. Negative and missing durations read as zero. */
export function clockDuration(ms: number): string {
  const total = Math.max(0, Math.floor(ms / 1000));
  const seconds = String(total % 60).padStart(2, '0');
  const minutes = Math.floor(total / 60) % 60;
  const hours = Math.floor(total / 3600);
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${seconds}` : `${minutes}:${seconds}`;
}

/** `340 ms`, `2.4 s`, `48 s`, `3 min 5 s`. */
export function spokenDuration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 60_000) return `${Math.round(ms / 1000)} s`;
  const total = Math.round(ms / 1000);
  if (total < 3_600)
    return total % 60 === 0 ? `${total / 60} min` : `${Math.floor(total / 60)} min ${total % 60} s`;
  return `${Math.floor(total / 3600)} h ${Math.floor((total % 3600) / 60)} min`;
}

/** Thousands set apart by a narrow space: `12 408`. */
export function count(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+(?!\d))/g, '\u202f');
}

/** Three figures at most: `0.24`, `3.1`, `118`, `24.6k`. */
export function compact(value: number): string {
  const size = Math.abs(value);
  if (size >= 100_000) return `${Math.round(value / 1000)}k`;
  if (size >= 10_000) return `${(value / 1000).toFixed(1)}k`;
  if (size >= 100 || Number.isInteger(value)) return String(Math.round(value));
  return value.toFixed(size >= 10 ? 0 : size >= 1 ? 1 : 2);
}

export function percent(ratio: number): string {
  const value = ratio * 100;
  return `${value > 0 && value < 1 ? value.toFixed(1) : Math.round(value)} %`;
}

/** `14:03:07` in local time. */
export function timeOfDay(at: number): string {
  const date = new Date(at);
  return [date.getHours(), date.getMinutes(), date.getSeconds()]
    .map((part) => String(part).padStart(2, '0'))
    .join(':');
}

/** For a tooltip: local time and UTC. */
export function exactTime(at: number): string {
  return `${timeOfDay(at)} local · ${new Date(at).toISOString().replace('T', ' ').replace('Z', ' UTC')}`;
}
