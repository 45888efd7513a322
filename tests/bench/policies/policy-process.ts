import { answerCalls } from '../measure-child.ts';
import { type PolicyName, policyCall } from './policy-calls.ts';

interface Round {
  name: PolicyName;
  calls: number;
}

async function repeat({ name, calls }: Round, of: () => number): Promise<number> {
  const { once, close } = await policyCall(name);
  global.gc?.();
  const before = of();
  for (let n = 0; n < calls; n++) await once();
  const cost = (of() - before) / calls;
  await close();
  return cost;
}

const handlers = {
  /** ns of one awaited call. */
  ns: (round: Round) => repeat(round, () => performance.now() * 1e6),
  /** Bytes put on the heap by one call; the process must have room for all of them without collecting. */
  bytes: (round: Round) => repeat(round, () => process.memoryUsage().heapUsed),
};
export type PolicyCalls = typeof handlers;

answerCalls(handlers);
