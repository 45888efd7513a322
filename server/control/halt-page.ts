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
    sendPage(response, 200, 'Halted', receiptHtml(receipt) + stateHtml(state()) + FORM + LINKS);
    return;
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('Allow', 'GET, POST');
    sendPage(response, 405, 'Halt', FORM);
    return;
  }
  sendPage(response, 200, 'Halt', FORM + stateHtml(state()) + LINKS);
}

const FORM = `<p class="muted">Ends every fault at once; new ones are refused until someone resumes.</p>
<form method="post" action="/halt">
<label><span>Your name</span><input name="name" maxlength="40" autocomplete="name"></label>
<label><span>Reason</span><input name="reason" maxlength="500"></label>
<button class="halt" type="submit">HALT ALL</button>
</form>`;

const LINKS = '<p><a href="/halt">Refresh</a> · <a href="/">Console</a></p>';

/** `7:16` */
function clock(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

function receiptHtml(receipt: HaltReceipt): string {
  const ended = receipt.faults.map(({ type, title, service, injector, acknowledged, acknowledgedInMs }) => {
    const end = acknowledged
      ? `ended in ${acknowledgedInMs} ms`
      : '<strong class="bad">NOT ACKNOWLEDGED</strong>';
    return `<tr><td>${escapeHtml(title ?? type)} on ${escapeHtml(service)}</td><td>${end}, ${escapeHtml(injector)}</td></tr>`;
  });
  const remaining = [...new Set(receipt.faults.flatMap((fault) => fault.remaining))];
  const recovering = remaining.map((what) => `<li>${escapeHtml(what)}</li>`).join('');
  const silent = receipt.unacknowledged.length
    ? `<p class="bad" role="alert">Did not acknowledge: ${escapeHtml(receipt.unacknowledged.join(', '))}</p>`
    : '';
  const faults = ended.length
    ? `<table><tr><th>Fault</th><th>Where it acted</th></tr>${ended.join('')}</table>`
    : '<p>No fault was active.</p>';
  const rest = recovering ? `<p>Still recovering:</p><ul>${recovering}</ul>` : '';
  return `<p role="status">Everything was ended in ${receipt.tookMs} ms. New faults are refused until someone resumes.</p>${silent}${faults}${rest}`;
}

function stateHtml(state: State): string {
  const { halted } = state;
  const latch = halted
    ? `<p><strong>HALTED</strong> by ${escapeHtml(halted.by)} at ${new Date(halted.at).toISOString().slice(11, 19)} UTC${halted.reason ? `: ${escapeHtml(halted.reason)}` : ''}</p>`
    : '<p>Not halted.</p>';
  const faults = state.faults.map(
    ({ title, service, owner, leftMs, warning }) =>
      `<li>${escapeHtml(title)} on ${escapeHtml(service)}, ${escapeHtml(owner.name)}, ${clock(leftMs)} left${warning ? `, <span class="bad">${escapeHtml(warning)}</span>` : ''}</li>`,
  );
  const list = faults.length ? `<ul>${faults.join('')}</ul>` : '';
  return `<section><h2>Now</h2>${latch}<p>Mode: <strong>${state.mode ?? 'unknown'}</strong></p>
<p>Active faults: <strong>${state.faults.length}</strong></p>${list}</section>`;
}
