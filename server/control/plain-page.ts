import type { ServerResponse } from 'node:http';

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** Dark unless the browser asks for light. */
const STYLE = `:root{color-scheme:dark;--ground:#0a0d12;--panel:#11151c;--ink:#e8ecf2;--muted:#9aa4b2;--link:#6cc0f0;--line:#3a4556;--bad:#f5812f}
@media (prefers-color-scheme:light){:root{color-scheme:light;--ground:#eef1f5;--panel:#fff;--ink:#121821;--muted:#4d5867;--link:#0f679f;--line:#b3bdca;--bad:#a64800}}
*{box-sizing:border-box}body{font:18px/1.5 Inter,system-ui,sans-serif;max-width:44rem;margin:0 auto;padding:1.5rem 1rem;background:var(--ground);color:var(--ink)}
h1{font-size:1.75rem;margin:0 0 .5rem}h2{font-size:1.2rem;margin:0 0 .5rem}p{margin:.5rem 0}ul{margin:.5rem 0;padding-left:1.2rem}a{color:var(--link)}
form,section{background:var(--panel);border:1px solid var(--line);border-radius:8px;padding:1rem;margin:1rem 0}
label{display:block;margin:0 0 .75rem}label span{display:block;color:var(--muted);font-size:1rem}
input{font:inherit;width:100%;min-height:44px;padding:.3rem .6rem;background:var(--ground);color:inherit;border:1px solid var(--line);border-radius:5px}
button{font:inherit;font-weight:700;letter-spacing:.03em;width:100%;min-height:44px;background:transparent;color:inherit;border:1px solid var(--line);border-radius:8px;cursor:pointer}
button.halt{min-height:64px;background:#e5364b;color:#0b0e13;border:0}
:focus-visible{outline:3px solid var(--link);outline-offset:2px}
td,th{text-align:left;padding:.2rem .8rem .2rem 0;vertical-align:top}.bad{color:var(--bad);font-weight:700}.muted{color:var(--muted)}`;

/** A page that needs no script, no asset and no build. `body` is HTML. */
export function sendPage(response: ServerResponse, status: number, title: string, body: string): void {
  const html = `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Brownout: ${escapeHtml(title)}</title><style>${STYLE}</style></head><body><main><h1>${escapeHtml(title)}</h1>${body}</main></body></html>`;
  response.writeHead(status, {
    'Content-Type': 'text/html; charset=utf-8',
    'Cache-Control': 'no-store',
    'Content-Security-Policy':
      "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'",
    'X-Content-Type-Options': 'nosniff',
  });
  response.end(html);
}
