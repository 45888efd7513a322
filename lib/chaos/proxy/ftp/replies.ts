/** FTP replies: which line ends one, and the passive addresses inside 227 and 229. */

/** The code of a line that ends a reply; undefined for a line inside a longer one. */
export function finalCode(line: string): number | undefined {
  const match = /^(\d{3})(?: |$)/.exec(line);
  return match ? Number(match[1]) : undefined;
}

/** Port that the server opened for a transfer; undefined when this is no passive reply. */
export function passivePort(line: string): number | undefined {
  const short = /^227 .*?(?:\d{1,3},){4}(\d{1,3}),(\d{1,3})/.exec(line);
  if (short) return Number(short[1]) * 256 + Number(short[2]);
  const extended = /^229 .*\(\|\|\|(\d{1,5})\|\)/.exec(line);
  return extended ? Number(extended[1]) : undefined;
}

/** The same reply with our address. 229 names the port only: the client uses the address it is connected to. */
export function withPassiveAddress(line: string, host: string, port: number): string {
  if (line.startsWith('229')) return line.replace(/\(\|\|\|\d+\|\)/, `(|||${port}|)`);
  const ours = [...host.split('.'), port >> 8, port & 255].join(',');
  return line.replace(/(?:\d{1,3},){5}\d{1,3}/, ours);
}
