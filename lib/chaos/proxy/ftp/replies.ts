/** FTP replies: which line ends one, and the passive addresses inside 227 and 229. */

/** h1,h2,h3,h4,p1,p2 */
const ADDRESS = /(?<!\d)(?:\d{1,3},){4}(\d{1,3}),(\d{1,3})(?!\d)/;
const EXTENDED = /\(\|\|\|(\d{1,5})\|\)/;

const TAB = 9;
const LF = 10;
const CR = 13;
const SPACE = 32;
const ZERO = 48;
/** Telnet's escape, which some clients send in front of ABOR. */
const IAC = 255;

/** Whether a command line may begin with this byte; TLS does not. */
export function beginsCommand(byte: number): boolean {
  return byte < 127 ? beginsReplyLine(byte) : byte === IAC;
}

/** Whether a line of a reply, perhaps in the middle of a longer one, may begin with this byte. */
export function beginsReplyLine(byte: number): boolean {
  return byte >= SPACE || byte === TAB || byte === LF || byte === CR;
}

/** The code of a line that ends a reply; undefined for a line inside a longer one. */
export function finalCode(line: string): number | undefined {
  const match = /^(\d{3})(?: |$)/.exec(line);
  return match ? Number(match[1]) : undefined;
}

/** The code of a reply of one line that names no port, as most are; undefined for any other line. */
export function plainCode(line: Buffer): number | undefined {
  if (line[3] !== SPACE) return undefined;
  let code = 0;
  for (let at = 0; at < 3; at++) {
    const digit = (line[at] as number) - ZERO;
    if (digit < 0 || digit > 9) return undefined;
    code = code * 10 + digit;
  }
  return code === 227 || code === 229 ? undefined : code;
}

/** The code of a line that begins a reply of several lines. */
export function longReplyCode(line: string): number | undefined {
  const match = /^(\d{3})-/.exec(line);
  return match ? Number(match[1]) : undefined;
}

/** Port that the server opened for a transfer; undefined when this is no passive reply, or one without a port. */
export function passivePort(line: string): number | undefined {
  const port = portIn(line);
  return port !== undefined && port >= 1 && port <= 65_535 ? port : undefined;
}

function portIn(line: string): number | undefined {
  if (line.startsWith('227 ')) {
    const [, high, low] = ADDRESS.exec(line) ?? [];
    return Number(high) * 256 + Number(low);
  }
  return line.startsWith('229 ') ? Number(EXTENDED.exec(line)?.[1]) : undefined;
}

/** The same reply with our address. 229 names the port only: the client uses the address it is connected to. */
export function withPassiveAddress(line: string, host: string, port: number): string {
  if (line.startsWith('229')) return line.replace(EXTENDED, `(|||${port}|)`);
  const ours = [...host.split('.'), port >> 8, port & 255].join(',');
  return line.replace(ADDRESS, ours);
}
