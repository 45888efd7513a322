import { relative } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Files that take long, and about how long on two cores, seconds. Begun last, one of them would hold up the end; in this
 * order those with a browser stand among others that mostly wait.
 */
const SECONDS: Readonly<Record<string, number>> = {
  'tests/chaos/timeout-cascade.test.ts': 115,
  'tests/console/pages.test.ts': 110,
  'tests/console/accessibility.test.ts': 130,
  'tests/e2e/clicked-faults.test.ts': 90,
  'tests/e2e/dlq-page.test.ts': 65,
  'tests/console/outages.test.ts': 70,
  'tests/chaos/gpu-runtime-failures.test.ts': 60,
  'tests/chaos/nemotron-failures.test.ts': 60,
  'server/pipeline/work/pipeline-flow.test.ts': 50,
  'tests/chaos/redis-failures.test.ts': 50,
  'tests/protocols/ftp-equality.test.ts': 48,
  'tests/chaos/ftp-failures.test.ts': 47,
  'tests/e2e/first-glance.test.ts': 47,
  'tests/e2e/lifecycle.test.ts': 44,
  'tests/protocols/redis-equality.test.ts': 42,
  'tests/chaos/database-failures.test.ts': 41,
  'tests/chaos/network-conditions.test.ts': 41,
  'tests/e2e/halt.test.ts': 38,
  'tests/e2e/two-browsers.test.ts': 37,
  'tests/chaos/database-pool-exhaustion.test.ts': 36,
  'tests/e2e/dead-letter.test.ts': 34,
  'tests/protocols/http-equality.test.ts': 33,
  'tests/chaos/pubsub-failures.test.ts': 32,
  'tests/chaos/yolo26-failures.test.ts': 32,
  'tests/catalogue/gpu.test.ts': 28,
  'tests/e2e/control-loss.test.ts': 28,
  'tests/console/fresh-clone.test.ts': 20,
  'tests/protocols/http-agreement.test.ts': 21,
  'tests/protocols/postgres-equality.test.ts': 21,
  'tests/protocols/postgres-agreement.test.ts': 18,
};

/** The slow ones first, the others as usual. */
export class SlowFirst extends BaseSequencer {
  override async sort(specifications: TestSpecification[]): Promise<TestSpecification[]> {
    const usual = await super.sort(specifications);
    return usual.toSorted((a, b) => this.#secondsOf(b) - this.#secondsOf(a));
  }

  #secondsOf({ moduleId }: TestSpecification): number {
    return SECONDS[relative(this.ctx.config.root, moduleId)] ?? 0;
  }
}
