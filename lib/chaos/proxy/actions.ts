import { findFaultType } from '../faults/catalogue.ts';
import type { FaultSpec } from '../faults/fault.ts';
import type { CallInfo } from '../faults/injector.ts';
import type { ProxyAction, ProxyRule } from '../faults/proxy-rule.ts';

/** What a type's declaration says for the proxies; undefined for a type that acts elsewhere. */
export function ruleOf(type: string): ProxyRule | undefined {
  return findFaultType(type)?.proxy;
}

/** What a proxy does for a fault type; undefined for a type that acts elsewhere. */
export function actionOf(type: string): ProxyAction | undefined {
  return ruleOf(type)?.action;
}

/** Whether a fault is meant for this kind of call at all. */
export function looksAt(fault: FaultSpec, call: CallInfo): boolean {
  return ruleOf(fault.type)?.looksAt?.(call, fault) ?? true;
}

/** Whether a type is meant for every call, so that it may act on bytes before a call is known. */
export function looksAtAll(type: string): boolean {
  return ruleOf(type)?.looksAt === undefined;
}

/** Whether a type acts on every byte, on any channel of any protocol. */
export function isolates(type: string): boolean {
  return ruleOf(type)?.isolates === true;
}
