import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Access, TOKEN_COOKIE } from './access.ts';
import { readForm } from './form.ts';
import { sendPage } from './plain-page.ts';

const FORM = `<form method="post" action="/login">
<label><span>Token</span><input name="token" type="password" autocomplete="current-password" required></label>
<button type="submit">Sign in</button></form>`;

const WEEK_S = 7 * 24 * 60 * 60;

/** `/login`, there when BROWNOUT_TOKEN is set: the token for a cookie that no script and no other site can use. */
export async function serveLoginPage(
  request: IncomingMessage,
  response: ServerResponse,
  access: Access,
): Promise<void> {
  if (request.method !== 'POST') {
    sendPage(response, 200, 'Sign in', FORM);
    return;
  }
  const token = (await readForm(request)).get('token') ?? '';
  if (!access.isToken(token)) {
    sendPage(response, 401, 'Sign in', `<p class="bad" role="alert">That is not the token.</p>${FORM}`);
    return;
  }
  response.writeHead(303, {
    Location: '/',
    'Set-Cookie': `${TOKEN_COOKIE}=${encodeURIComponent(token)}; HttpOnly; SameSite=Strict; Path=/; Max-Age=${WEEK_S}`,
  });
  response.end();
}
