const SSL_REQUEST = 80877103;
const GSS_REQUEST = 80877104;
const CANCEL_REQUEST = 80877102;
const MAX_PACKET_BYTES = 10_000;

/** A packet before the first typed message, and what came behind it. */
export interface StartupPacket {
  /** A request for TLS or GSS, for the end of a query, or the opening of a session. */
  readonly kind: 'encryption' | 'cancel' | 'open';
  readonly packet: Buffer;
  readonly rest: Buffer;
}

/** The packet at the beginning of `bytes`; "short" while it is not whole, "foreign" when it is not PostgreSQL's. */
export function readStartupPacket(bytes: Buffer): StartupPacket | 'short' | 'foreign' {
  if (bytes.length < 8) return 'short';
  const packetBytes = bytes.readUInt32BE(0);
  const code = bytes.readUInt32BE(4);
  if (packetBytes < 8 || packetBytes > MAX_PACKET_BYTES || (code < 0x30000 && code !== 0x20000))
    return 'foreign';
  if (bytes.length < packetBytes) return 'short';
  const parts = { packet: bytes.subarray(0, packetBytes), rest: bytes.subarray(packetBytes) };
  if (code === SSL_REQUEST || code === GSS_REQUEST) return { kind: 'encryption', ...parts };
  return { kind: code === CANCEL_REQUEST ? 'cancel' : 'open', ...parts };
}
