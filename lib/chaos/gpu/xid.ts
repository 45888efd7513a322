/** The Xids that the simulated card can report: NVIDIA's meaning and the action that its catalogue gives. */
const XIDS = {
  43: { meaning: 'GPU stopped processing', action: 'restart the application' },
  79: { meaning: 'GPU has fallen off the bus', action: 'restart the service; if it stays, reset the node' },
} as const;
export type XidCode = keyof typeof XIDS;

export interface Xid {
  readonly code: XidCode;
  /** Epoch ms. */
  readonly at: number;
  readonly meaning: string;
  readonly action: string;
}

export function makeXid(code: XidCode, at: number): Xid {
  return { code, at, ...XIDS[code] };
}
