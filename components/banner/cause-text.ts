import type { ModeStatus } from '#lib/protocol/state.ts';

/** Why a service counts as down, always with its name: "GET /health answered 503" alone says nothing. */
export function causeText({ service, text }: Pick<ModeStatus['causes'][number], 'service' | 'text'>): string {
  if (!text) return service;
  return text.includes(service) ? text : `${service}: ${text}`;
}
