import type { ModeStatus } from '#lib/protocol/state.ts';

/** What the Redis client says when it has no connection, in its own language. */
const WITHOUT_CONNECTION = "Stream isn't writeable";

/** What Node says when the name of a host gives no address. */
const UNRESOLVED = /^getaddrinfo (\w+)/;

/** Why a service counts as down, always with its name: "GET /health answered 503" alone says nothing. */
export function causeText({ service, text }: Pick<ModeStatus['causes'][number], 'service' | 'text'>): string {
  if (!text) return service;
  if (text.startsWith(WITHOUT_CONNECTION)) return `${service}: no connection`;
  const unresolved = UNRESOLVED.exec(text)?.[1];
  if (unresolved) return `${service}: its name is not resolved (${unresolved})`;
  return text.includes(service) ? text : `${service}: ${text}`;
}
