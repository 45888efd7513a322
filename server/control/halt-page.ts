import type { IncomingMessage, ServerResponse } from 'node:http';
import type { HaltReceipt } from '../../lib/protocol/faults.ts';
import type { State } from '../../lib/protocol/state.ts';
import type { FaultDesk } from './fault-desk.ts';
import { readForm } from './form.ts';
import { escapeHtml, sendPage } from './plain-page.ts';

/**
 * `/halt` without scripts, sockets or Next: the way to stop when nothing else works. GET shows form and state, POST
 * halts. The caller has checked Host and Origin.
 */
export async function serveHaltPage(
  request: IncomingMessage,
  response: ServerResponse,
  sources: { desk: FaultDesk; state: () => State },
): Promise<void> {
  const { desk, state } = sources;
  if (request.method === 'POST') {
    const form = await readForm(request);
    const name = (form.get('name') ?? '').trim().slice(0, 40) || 'halt page';
    const receipt = await desk.halt(name, (form.get('reason') ?? '').slice(0, 500));
    sendPage(response, 200, 'Halted', receiptHtml(receipt) + stateHtml(state()) + FORM);
    return;
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('Allow', 'GET, POST');
    sendPage(response, 405, 'Halt', FORM);
    return;
  }
  sendPage(response, 200, 'Halt', FORM + stateHtml(state()));
}

const FORM = `<form method="post" action="/halt">
<p><label>Your name <input name="name" maxlength="40" autocomplete="name"></label>
<label>Reason <input name="reason" maxlength="500"></label></p>
<button type="submit">HALT ALL</button>
</form>
<p><a href="/halt">Refresh</a> · <a href="/">Console</a></p>`;

function receiptHtml(receipt: HaltReceipt): string {
  const rows = receipt.faults.map(
    (fault) => `<tr><td>${escapeHtml(fault.type)}</td><td>${escapeHtml(fault.service)}</td>
<td>${escapeHtml(fault.injector)}</td>
<td>${fault.acknowledged ? `ended in ${fault.acknowledgedInMs} ms` : '<strong class="bad">NOT ACKNOWLEDGED</strong>'}</td>
<td>${escapeHtml(fault.remaining.join('; '))}</td></tr>`,
  );
  const silent = receipt.unacknowledged.length
    ? `<p class="bad" role="alert">Did not acknowledge: ${escapeHtml(receipt.unacknowledged.join(', '))}</p>`
    : '';
  const table = rows.length
    ? `<table><tr><th>Fault</th><th>Service</th><th>Injector</th><th>End</th><th>Still recovering</th></tr>${rows.join('')}</table>`
    : '<p>No fault was active.</p>';
  return `<p role="status">Everything was ended in ${receipt.tookMs} ms. New faults are refused until someone resumes.</p>${silent}${table}`;
}

function stateHtml(state: State): string {
  const { halted } = state;
  const latch = halted
    ? `<p><strong>HALTED</strong> by ${escapeHtml(halted.by)} at ${new Date(halted.at).toISOString()} ${escapeHtml(halted.reason)}</p>`
    : '<p>Not halted.</p>';
  const faults = state.faults.map(
    ({ type, service, owner, leftMs, warning }) =>
      `<li>${escapeHtml(type)} on ${escapeHtml(service)}, ${escapeHtml(owner.name)}, ${Math.ceil(leftMs / 1000)} s left${warning ? `, <span class="bad">${escapeHtml(warning)}</span>` : ''}</li>`,
  );
  return `<h2>Now</h2>${latch}<p>Mode: ${state.mode ?? 'unknown'}</p>
<p>Active faults: ${state.faults.length}</p><ul>${faults.join('')}</ul>`;
}
