/** What kind of failure it was, with everything that differs from one case to the next taken out. */
export function signatureOf(error: {
  readonly code: string;
  readonly message: string;
  readonly status?: number | undefined;
}): string {
  const kind = error.status === undefined ? error.code : `${error.code} ${error.status}`;
  return `${kind}: ${normalise(error.message)}`.slice(0, 200);
}

/** Marks of faults, quoted text, addresses, ids and numbers become placeholders; the order of the rules matters. */
const RULES: readonly (readonly [RegExp, string])[] = [
  [/\[brownout:[^\]]*\]/g, ''],
  [/https?:\/\/\S+/g, '<url>'],
  [/"[^"]*"|'[^']*'|`[^`]*`/g, '<text>'],
  [/(?:\/[\w.@-]+){2,}\/?/g, '<path>'],
  [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi, '<id>'],
  [/\b[0-9A-HJKMNP-TV-Z]{26}\b/g, '<id>'],
  [/\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b/g, '<address>'],
  [/\b(?=[0-9a-f]*\d)[0-9a-f]{12,}\b/gi, '<id>'],
  [/\d+(?:\.\d+)?/g, '<n>'],
  [/\s+/g, ' '],
];

function normalise(message: string): string {
  return RULES.reduce((text, [pattern, placeholder]) => text.replace(pattern, placeholder), message).trim();
}
