/** Frontend messages that the proxy makes itself, and how to read those it looks into. */

function message(type: string, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const head = Buffer.alloc(5);
  head.write(type, 0, 'latin1');
  head.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

const text = (value: string) => Buffer.from(`${value}\0`);
const ZEROS = Buffer.alloc(8);

export function queryMessage(sql: string): Buffer {
  return message('Q', text(sql));
}

/** Parse, Bind and Execute of one statement without parameters or rows, under a name for statement and portal. */
export function extendedStatement(name: string, sql: string): Buffer {
  return Buffer.concat([
    message('P', text(name), text(sql), ZEROS.subarray(0, 2)),
    message('B', text(name), text(name), ZEROS.subarray(0, 6)),
    message('E', text(name), ZEROS.subarray(0, 4)),
  ]);
}

/** Close of a prepared statement; of one that does not exist it is no error. */
export function closeStatement(name: string): Buffer {
  return message('C', text(`S${name}`));
}

export function syncMessage(): Buffer {
  return message('S');
}

/** The text up to its closing zero, or to the end of what is there. */
function textAt(bytes: Buffer, at: number): { value: string; next: number } {
  const end = bytes.indexOf(0, at);
  const stop = end < 0 ? bytes.length : end;
  return { value: bytes.toString('utf8', at, stop), next: stop + 1 };
}

export function readQuery(head: Buffer): string {
  return textAt(head, 5).value;
}

export function readParse(head: Buffer): { statement: string; sql: string } {
  const name = textAt(head, 5);
  return { statement: name.value, sql: textAt(head, name.next).value };
}

export function readBind(head: Buffer): { statement: string } {
  const portal = textAt(head, 5);
  return { statement: textAt(head, portal.next).value };
}

/** The statement that a Close message closes; undefined when it closes a portal. */
export function readClosedStatement(head: Buffer): string | undefined {
  return String.fromCharCode(head[5] ?? 0) === 'S' ? textAt(head, 6).value : undefined;
}

/** An error as PostgreSQL words it; `mark` goes into its detail. */
export interface SqlError {
  readonly sqlState: string;
  readonly text: string;
  readonly mark: string;
}

/** SQL that raises an error. `sqlState` must be five of 0-9 and A-Z. */
export function raisingSql({ sqlState, text, mark }: SqlError): string {
  const quote = (value: string) => `'${value.replaceAll("'", "''")}'`;
  return (
    'DO $brownout$ BEGIN RAISE EXCEPTION USING ' +
    `ERRCODE = ${quote(sqlState)}, MESSAGE = ${quote(text)}, DETAIL = ${quote(mark)}; END $brownout$`
  );
}

/** The server's last word on a connection: an ErrorResponse of severity FATAL. */
export function fatalResponse({ sqlState, text: words, mark }: SqlError): Buffer {
  const field = (type: string, value: string) => text(`${type}${value}`);
  return message(
    'E',
    field('S', 'FATAL'),
    field('V', 'FATAL'),
    field('C', sqlState),
    field('M', words),
    field('D', mark),
    ZEROS.subarray(0, 1),
  );
}
