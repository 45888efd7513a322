const NAME_LENGTH = 60;

/** The service that an address asked for, shortened; null when it asked for something else. */
export function missingService(path: string): string | null {
  const encoded = /^\/services\/([^/]+)\/?$/.exec(path)?.[1];
  if (encoded === undefined) return null;
  const name = decoded(encoded);
  return name.length > NAME_LENGTH ? `${name.slice(0, NAME_LENGTH)}…` : name;
}

/** As it is when it cannot be decoded. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
