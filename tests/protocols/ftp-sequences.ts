import { createRandom, type Random } from '#lib/chaos/random.ts';

/** Commands sent at once, or one transfer over a passive data connection. */
export type FtpStep =
  | { readonly kind: 'commands'; readonly lines: readonly string[] }
  | {
      readonly kind: 'transfer';
      readonly passive: 'PASV' | 'EPSV';
      readonly command: string;
      /** Sent on the data connection in so many pieces; undefined: it is read. */
      readonly bytes: Buffer | undefined;
      readonly pieces: number;
    };

export interface FtpSequence {
  /** It opens a connection of its own, without logging in. */
  readonly fresh: boolean;
  readonly steps: readonly FtpStep[];
  /** The server ends the connection. */
  readonly ends: boolean;
  /** Where bytes on the control connection are cut on their way to the proxy; a share of each step, 0–1. */
  readonly cuts: readonly number[];
}

/** Share of the sequences in which something is transferred: a data connection takes ftp-srv up to 50 ms. */
const TRANSFER_SHARE = 0.025;

const COMMANDS = [
  ...['NOOP', 'noop', 'NoOp', 'SYST', 'FEAT', 'HELP STOR', 'HELP XYZZY', 'STAT', 'STAT /', 'STAT nowhere'],
  ...['TYPE I', 'TYPE A', 'TYPE L8', 'TYPE X', 'MODE S', 'MODE B', 'STRU F', 'STRU R', 'ALLO 100', 'PWD'],
  ...['CWD /', 'CWD nowhere', 'CWD', 'CDUP', 'OPTS UTF8 ON', 'OPTS', 'SIZE nowhere', 'SIZE', 'RNFR nowhere'],
  ...['RNTO there', 'REST 10', 'REST x', 'LIST', 'NLST', 'STOR nobody-listens', 'ABOR', 'RETR x', 'DELE x'],
  ...[
    'MKD x',
    'AUTH TLS',
    'PBSZ 0',
    'PROT P',
    'PORT 127,0,0,1,4,1',
    'EPRT |1|127.0.0.1|1025|',
    'SITE CHMOD 1 x',
  ],
  ...[
    'XYZZY',
    'XYZZY and plugh',
    '',
    ' NOOP',
    'NOOP ',
    'PASS again',
    'REIN',
    'ACCT',
    'CWD Überwachung/Straße 7',
  ],
];
const BEFORE_LOGIN = ['NOOP', 'FEAT', 'PWD', 'STOR x', 'USER nobody', 'PASS wrong', 'SYST', 'PASV', 'XYZZY'];

/** Sequence `n` under `seed`: a pure function of its arguments. */
export function ftpSequence(seed: number, n: number): FtpSequence {
  const random = createRandom(seed + n * 7919);
  const fresh = random() < 0.02;
  const ends = fresh || random() < 0.01;
  const lines = Array.from({ length: 1 + Math.floor(8 * random() ** 2) }, () => {
    if (random() < 0.01) return `XYZZY ${'y'.repeat(below(random, 3000))}`;
    return pick(random, fresh ? BEFORE_LOGIN : COMMANDS);
  });
  const steps: FtpStep[] = [];
  if (!fresh && random() < TRANSFER_SHARE) steps.push(...transfer(n, random));
  while (lines.length > 0) steps.push({ kind: 'commands', lines: lines.splice(0, 1 + below(random, 4)) });
  if (ends) steps.push({ kind: 'commands', lines: ['QUIT'] });
  const cuts =
    random() < 0.05 ? Array.from({ length: 30 }, random) : Array.from({ length: below(random, 3) }, random);
  return { fresh, steps, ends, cuts: cuts.sort((a, b) => a - b) };
}

function transfer(n: number, random: Random): FtpStep[] {
  const passive = random() < 0.5 ? 'PASV' : 'EPSV';
  const kind = random();
  if (kind < 0.3) {
    const command = pick(random, ['LIST', 'NLST', 'LIST nowhere', 'ABOR']);
    return [{ kind: 'transfer', passive, command, bytes: undefined, pieces: 0 }];
  }
  const name = `${pick(random, ['frame', 'ein Bild', 'día'])}-${n}.jpg`;
  const bytes = Buffer.alloc(below(random, random() < 0.1 ? 400_000 : 4000));
  for (let at = 0; at < bytes.length; at++) bytes[at] = below(random, 256);
  const stored: FtpStep = {
    kind: 'transfer',
    passive,
    command: `STOR ${name}.part`,
    bytes,
    pieces: 1 + below(random, 6),
  };
  const after = pick(random, [
    [],
    [`SIZE ${name}.part`],
    [`SIZE ${name}.part`, `RNFR ${name}.part`, `RNTO ${name}`],
    [`RNFR ${name}.part`, `RNTO elsewhere.jpg`, `SIZE ${name}`],
  ]);
  return after.length > 0 ? [stored, { kind: 'commands', lines: after }] : [stored];
}

function below(random: Random, limit: number): number {
  return Math.floor(random() * limit);
}

function pick<T>(random: Random, from: readonly T[]): T {
  return from[below(random, from.length)] as T;
}
