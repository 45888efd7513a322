/**
 * A process with an intake in it, for tests: `node intake-child.ts DATA_DIR PORT [UID GID]`. With a user and a group
 * it gives up all rights of root. Any message to it is answered with an account.
 */
import { createLogger } from '../../logging.ts';
import { loadCredentials } from './credentials.ts';
import { createIntake } from './intake.ts';
import { RecordingSink } from './intake-fixture.ts';

export interface Account {
  readonly alerts: { code: string; count: number }[];
  /** Ids of uploads that were handed on. */
  readonly submitted: string[];
  readonly uid: number | undefined;
}

const [dataDir = '', port = '', uid, gid] = process.argv.slice(2);
if (uid !== undefined && gid !== undefined) {
  process.setgroups?.([]);
  process.setgid?.(Number(gid));
  process.setuid?.(Number(uid));
}
const sink = new RecordingSink();
sink.findsDuplicates = false;
const intake = createIntake({
  dataDir,
  ftp: { host: '127.0.0.1', port: Number(port) },
  credentials: await loadCredentials(dataDir),
  profile: 'game-day',
  sink,
  logger: createLogger('intake', 'silent'),
});
await intake.start();
process.send?.({ port: intake.ftpPort });
process.on('message', () => {
  const { alerts, submitted } = sink;
  process.send?.({
    alerts,
    submitted: submitted.map(({ id }) => id),
    uid: process.getuid?.(),
  } satisfies Account);
});
process.on('disconnect', () => process.exit(0));
