/** A process with an intake in it, to be killed by `intake-crash.test.ts`: `node intake-child.ts DATA_DIR PORT`. */
import { createLogger } from '../../logging.ts';
import { loadCredentials } from './credentials.ts';
import { createIntake } from './intake.ts';
import { RecordingSink } from './intake-fixture.ts';

const [dataDir = '', port = ''] = process.argv.slice(2);
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
process.on('disconnect', () => process.exit(0));
