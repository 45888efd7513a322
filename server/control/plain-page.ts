import type { ServerResponse } from 'node:http';

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** Dark unless the browser asks for light. */
const STYLE = `:root{color-scheme:dark;--ground:#0f1216;--ink:#e6e9ee;--link:#56b4e9;--field:#1a1f26;--line:#9aa4b2;--bad:#ff8a3d}
@media (prefers-color-scheme:light){:root{color-scheme:light;--ground:#fff;--ink:#121821;--link:#0f679f;--field:#f5f7fa;--line:#66717f;--bad:#a64800}}
body{font:18px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;background:var(--ground);color:var(--ink)}
a{color:var(--link)}input{font:inherit;padding:.3rem;margin:0 1rem 0 .3rem;background:var(--field);color:inherit;border:1px solid var(--line)}
button{font:inherit;font-weight:700;min-height:56px;padding:0 2rem;background:#d55e00;color:#000;border:0}
td,th{text-align:left;padding:.2rem .8rem .2rem 0}.bad{color:var(--bad);font-weight:700}`;

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
