import { readFile, writeFile } from 'node:fs/promises';
import type pg from 'pg';

/**
 * Makes a role that comes in without a password, whose exchange is random on purpose, and whose commits do not wait
 * for the disk. `observer` is connected as a superuser, to a server of this machine.
 */
export async function makeTrustedRole(observer: pg.Client, role: string): Promise<void> {
  await observer.query(`CREATE ROLE ${role} SUPERUSER LOGIN`);
  await observer.query(`ALTER ROLE ${role} SET synchronous_commit = off`);
  const { rows } = await observer.query("SELECT current_setting('hba_file') AS path");
  const rules = await readFile(rows[0].path, 'utf8');
  await writeFile(rows[0].path, `host all ${role} 127.0.0.1/32 trust\n${rules}`); // the first rule that fits counts
  await observer.query('SELECT pg_reload_conf()');
}
