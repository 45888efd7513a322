/** Every code that a failure of the core can carry. Closed on purpose: branch on it, never on a message. */
export type ChaosErrorCode =
  | 'BREAKER_OPEN'
  | 'DEADLINE_EXCEEDED'
  | 'FAULT_EXISTS'
  | 'FAULT_NOT_FOUND'
  | 'FAULT_UNSUPPORTED'
  | 'INJECTED'
  | 'INVALID_FAULT'
  | 'QUEUE_FULL'
  | 'RETRY_BUDGET_EXHAUSTED'
  | 'STORE_UNAVAILABLE';

export class ChaosError extends Error {
  readonly code: ChaosErrorCode;

  constructor(code: ChaosErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** An error that a fault of ours made, so that nobody mistakes it for an outage. */
export class InjectedFaultError extends ChaosError {
  readonly faultId: string;

  constructor(faultId: string, message: string, options?: ErrorOptions) {
    super('INJECTED', message, options);
    this.faultId = faultId;
  }
}
