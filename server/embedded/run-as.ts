import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

const SETPRIV = '/usr/bin/setpriv';

/** Linux ends such a child with `signal` when its parent dies, even by kill -9; elsewhere the child is left as it is. */
export function dieWithParent(
  signal: 'INT' | 'TERM',
  command: string,
  args: string[],
): { command: string; args: string[] } {
  if (!existsSync(SETPRIV)) return { command, args };
  return { command: SETPRIV, args: [`--pdeathsig=${signal}`, '--', command, ...args] };
}

export interface UnprivilegedUser {
  name: string;
  uid: number;
  gid: number;
}

/**
 * The user under whom PostgreSQL runs when we are root (it refuses root); undefined when we are not.
 * @throws {Error} on a root account without such a user or without setpriv
 */
export function unprivilegedUser(): UnprivilegedUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  if (!existsSync(SETPRIV)) {
    throw new Error(
      'PostgreSQL cannot run as root: start as an ordinary user, or install util-linux (setpriv)',
    );
  }
  const accounts = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  for (const name of ['postgres', 'nobody']) {
    const account = accounts.find((fields) => fields[0] === name);
    if (account) return { name, uid: Number(account[2]), gid: Number(account[3]) };
  }
  throw new Error(
    'PostgreSQL cannot run as root, and there is no user "postgres" or "nobody": start as an ordinary user',
  );
}

/**
 * Wraps a command that works in `directory` so that it runs as `user` and dies with its parent.
 *
 * One of them below a directory that only root may enter (mode 0700) is out of reach for that user. Then the command
 * keeps one capability of root, reading past directory modes (CAP_DAC_OVERRIDE), as an ambient capability;
 * no_setuid_fixup makes access(2), which PostgreSQL asks first, see it too.
 */
export function runAs(
  user: UnprivilegedUser,
  signal: 'INT' | 'TERM',
  command: string,
  args: string[],
  directory: string,
) {
  const reach =
    canReach(user, command) && canReach(user, directory)
      ? []
      : ['--securebits=+no_setuid_fixup', '--inh-caps=+dac_override', '--ambient-caps=+dac_override'];
  return {
    command: SETPRIV,
    args: [
      ...reach,
      `--reuid=${user.uid}`,
      `--regid=${user.gid}`,
      '--clear-groups',
      `--pdeathsig=${signal}`,
      '--',
      command,
      ...args,
    ],
  };
}

const reachable = new Map<string, boolean>();

function canReach(user: UnprivilegedUser, path: string): boolean {
  const known = reachable.get(path);
  if (known !== undefined) return known;
  const test = spawnSync(
    SETPRIV,
    [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups', '--', '/usr/bin/test', '-x', path],
    {
      cwd: '/',
    },
  );
  reachable.set(path, test.status === 0);
  return test.status === 0;
}

/** The path of a program on PATH, or undefined. */
export function findProgram(name: string): string | undefined {
  try {
    return (
      execFileSync('/bin/sh', ['-c', 'command -v "$1"', 'sh', name], { encoding: 'utf8' }).trim() || undefined
    );
  } catch {
    return undefined;
  }
}
