import type { SabotagesOf } from './sabotage.ts';

const MANAGER = 'lib/chaos/degradation/degradation-manager.ts';
const DATABASE = 'server/pipeline/database/database.ts';
const ERRORS = 'server/pipeline/database/database-error.ts';
const SERVICES = 'server/pipeline/work/service-health.ts';

export const sabotage: SabotagesOf<'database-failures'> = {
  'degradation-manager-detects-database-failure': {
    breaks: 'failed checks are counted and lead to nothing',
    file: MANAGER,
    find: 'if (!service.healthy || service.failures < this.#options.failureThreshold) return;',
    replace: 'if (service.failures > 0) return;',
  },
  'operational-error-handled-gracefully': {
    breaks: 'lost and terminated connections do not count as trouble of the database',
    file: ERRORS,
    find: 'return /^(08|53|57|58|XX|25P03)/.test(code);',
    replace: 'return /^(53|XX)/.test(code);',
  },
  'interface-error-handled-gracefully': {
    breaks: 'a transaction that is over still hands statements to its connection',
    file: DATABASE,
    find: 'if (over) return Promise.reject(new ReleasedClientError());',
    replace: '',
  },
  'slow-query-detected-by-health-check': {
    breaks: 'the health check only connects',
    file: 'server/pipeline/work/health-checks.ts',
    find: "await client.query('SELECT 1');",
    replace: '',
  },
  'sqlalchemy-timeout-handled': {
    breaks: 'a check-out waits for ever',
    file: DATABASE,
    find: 'connectionTimeoutMillis: merged.checkoutMs,',
    replace: 'connectionTimeoutMillis: 0,',
  },
  'critical-database-failure-triggers-mode-change': {
    breaks: 'the database is not critical',
    file: SERVICES,
    find: "name: 'database', critical: true,",
    replace: "name: 'database', critical: false,",
  },
  'database-recovery-restores-normal': {
    breaks: 'a service that answers again stays down',
    file: MANAGER,
    find: 'this.#turn(service, true);',
    replace: '',
  },
  'status-includes-database-health': {
    breaks: 'the status does not say why the database is down',
    file: 'server/pipeline/viewers/viewer-routes.ts',
    find: '.map(({ name, error, since, checkedAt }) => ({ name, error, since, checkedAt }));',
    replace: '.map(({ name, since, checkedAt }) => ({ name, error: null, since, checkedAt }));',
  },
  'consecutive-failures-tracked': {
    breaks: 'the count says only that there was a failure',
    file: MANAGER,
    find: 'consecutiveFailures: service.failures,',
    replace: 'consecutiveFailures: Math.min(1, service.failures),',
  },
  'transaction-rollback-handled': {
    breaks: 'a failed ROLLBACK hides why the work failed',
    file: DATABASE,
    find: 'if (isConnectionUsable(error)) await this.#rollBack(client);',
    replace: "if (isConnectionUsable(error)) await this.#run(client, 'ROLLBACK', []);",
  },
  'concurrent-modification-error': {
    breaks: 'a serialization failure is not repeated',
    file: ERRORS,
    find: "return code === '40P01' || code === '40001';",
    replace: "return code === '40P01';",
  },
  'pool-exhaustion-detected': {
    breaks: 'an exhausted pool is not told from any other time-out',
    file: DATABASE,
    find: "if (!(cause instanceof Error) || !cause.message.includes('timeout')) throw cause;",
    replace: 'if (cause) throw cause;',
  },
  'brief-outage-recovers-automatically': {
    breaks: 'a service is down one failure too early',
    file: MANAGER,
    find: 'if (!service.healthy || service.failures < this.#options.failureThreshold) return;',
    replace: 'if (!service.healthy || service.failures < this.#options.failureThreshold - 1) return;',
  },
  'extended-outage-triggers-degradation': {
    breaks: 'the mode stays where it is',
    file: 'lib/chaos/degradation/mode.ts',
    find: 'return MODES[index + Math.sign(MODES.indexOf(target) - index)] ?? mode;',
    replace: 'return MODES[index + 0 * MODES.indexOf(target)] ?? mode;',
  },
  'error-messages-stored-for-debugging': {
    breaks: 'the error of a check is not kept',
    file: MANAGER,
    find: 'service.error = error instanceof Error ? error.message : String(error);',
    replace: "service.error = 'down';",
  },
  'error-message-cleared-on-recovery': {
    breaks: 'the error of an outage outlives it',
    file: MANAGER,
    find: '    service.error = null;\n    this.#recovered.set(',
    replace: '    this.#recovered.set(',
  },
};
