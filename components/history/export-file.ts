import type { FactFilter } from '#lib/protocol/fact-filter.ts';
import { saveFile } from '../save-file.ts';
import { refuse } from '../stores/faults-store.ts';
import { serverNow } from '../stores/state-store.ts';
import { useView } from '../stores/view-store.ts';
import { getHistory, HistoryError } from './history-requests.ts';

export type ExportSubject = 'facts' | 'series';
export type ExportFormat = 'csv' | 'json';

/** The server's path for a file of a stretch of time. Of series the filter has no say. */
export function exportPath(
  subject: ExportSubject,
  format: ExportFormat,
  range: { fromAt: number; toAt: number },
  filter: FactFilter | null,
): string {
  const query = new URLSearchParams({
    fromMs: String(Math.round(range.fromAt)),
    toMs: String(Math.round(range.toAt)),
    format,
  });
  if (subject === 'facts' && filter) {
    if (filter.types.length > 0) query.set('types', filter.types.join(','));
    if (filter.services.length > 0) query.set('services', filter.services.join(','));
    if (filter.faultId !== null) query.set('faultId', filter.faultId);
  }
  return `/api/v1/export/${subject}?${query}`;
}

/** Saves a file of what the time axis shows; a refusal is told in the corner. */
export async function saveExport(
  subject: ExportSubject,
  format: ExportFormat,
  filter: FactFilter | null,
): Promise<void> {
  const { windowMs, frozenAt } = useView.getState();
  const toAt = frozenAt ?? serverNow();
  try {
    const response = await getHistory(exportPath(subject, format, { fromAt: toAt - windowMs, toAt }, filter));
    const name = /filename="([^"]+)"/.exec(response.headers.get('content-disposition') ?? '')?.[1];
    saveFile(name ?? `brownout-${subject}.${format}`, await response.blob());
  } catch (error) {
    const problem = error instanceof HistoryError ? error.problem : null;
    const detail = error instanceof Error ? error.message : String(error);
    refuse('export', problem ?? { code: 'PROCESS_UNAVAILABLE', detail });
  }
}
