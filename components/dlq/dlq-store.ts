import { create } from 'zustand';
import {
  type DeadLetter,
  type DlqFilter,
  type DlqGroup,
  type DlqGroups,
  type DlqPage,
  REDRIVE_RATE_DEFAULT,
} from '#lib/protocol/dead-letters.ts';
import { serverNow } from '../stores/state-store.ts';
import { structuralShare } from '../structural-share.ts';
import { type Answer, loadGroups, loadLetters, queryOf } from './dlq-calls.ts';

/** Something read from the server: when it was, and why the last look at it failed. */
export interface Read<T> {
  data: T | null;
  /** On the server's clock. */
  readAt: number | null;
  failure: string | null;
}

export type Filter = Pick<DlqFilter, 'queue' | 'faultId'>;
export type GroupKey = Pick<DlqGroup, 'queue' | 'signature'>;

interface DlqView {
  /** What is looked at, and the group in it; kept in the address, so that a link shows the same. */
  filter: Filter;
  group: GroupKey | null;
  groups: Read<DlqGroups>;
  letters: Read<DlqPage>;
  /** Of the pages before this one and of this one; the first has none. */
  cursors: readonly (string | null)[];
  /** Which page the letters are of, from 1: the one that is asked for comes later. */
  page: number;
  /** The letter that is looked into; it stays when it leaves the list. */
  open: DeadLetter | null;
  /** As it is typed. */
  rate: string;
  message: { text: string; bad: boolean } | null;
}

const NOTHING = { data: null, readAt: null, failure: null };
export const PAGE_SIZE = 50;

export const useDlq = create<DlqView>(() => ({
  filter: {},
  group: null,
  groups: NOTHING,
  letters: NOTHING,
  cursors: [null],
  page: 1,
  open: null,
  rate: String(REDRIVE_RATE_DEFAULT),
  message: null,
}));

/** Takes what is to be shown out of the address. */
export function readAddress(search: string): { filter: Filter; group: GroupKey | null } {
  const query = new URLSearchParams(search);
  const [queue, faultId] = [query.get('queue'), query.get('fault')];
  const [signature, of] = [query.get('signature'), query.get('of') ?? queue];
  return {
    filter: { ...(queue ? { queue } : {}), ...(faultId ? { faultId } : {}) },
    group: signature && of ? { queue: of, signature } : null,
  };
}

export function addressOf(filter: Filter, group: GroupKey | null): string {
  const { queue, faultId } = filter;
  return `/dlq${queryOf({ queue, fault: faultId, of: group?.queue, signature: group?.signature })}`;
}

/** What the list of letters is asked for. */
export function letterFilter({ filter, group }: Pick<DlqView, 'filter' | 'group'>): DlqFilter {
  return { ...filter, ...group };
}

/** Looks at something else, from its first page. */
export async function show(filter: Filter, group: GroupKey | null): Promise<void> {
  window.history.replaceState(null, '', addressOf(filter, group));
  const before = useDlq.getState();
  const same = filter.queue === before.filter.queue && filter.faultId === before.filter.faultId;
  const groups = same ? before.groups : NOTHING;
  useDlq.setState({ filter, group, groups, cursors: [null], open: null, letters: NOTHING, message: null });
  await reload();
}

export async function showPage(cursors: readonly (string | null)[]): Promise<void> {
  useDlq.setState({ cursors });
  await reloadLetters();
}

/**
 * Looks again because something has changed. A later page stays as it was read, its reader is in the middle of it;
 * unless it was its reader who changed something.
 */
export async function reload(byReader = false): Promise<void> {
  const { cursors } = useDlq.getState();
  await Promise.all([reloadGroups(), byReader || cursors.length === 1 ? reloadLetters() : undefined]);
}

/** Looks of one kind in their order: an answer that comes after that to a later look is dropped. */
const asked = { groups: 0, letters: 0 };

async function reloadGroups(): Promise<void> {
  const look = ++asked.groups;
  const { queue, faultId } = useDlq.getState().filter;
  const answer = await loadGroups({ queue, faultId });
  if (look !== asked.groups) return;
  useDlq.setState(({ groups }) => ({ groups: taken(groups, answer) }));
}

async function reloadLetters(): Promise<void> {
  const look = ++asked.letters;
  const view = useDlq.getState();
  const answer = await loadLetters(letterFilter(view), view.cursors.at(-1) ?? null);
  if (look !== asked.letters) return;
  useDlq.setState(({ letters, page }) => ({
    letters: taken(letters, answer),
    page: answer.ok ? view.cursors.length : page,
  }));
}

/** What was read last stays, marked, when it cannot be read again; what did not change stays the same object. */
export function taken<T>(before: Read<T>, answer: Answer<T>): Read<T> {
  return answer.ok
    ? { data: structuralShare(before.data, answer.data), readAt: serverNow(), failure: null }
    : { ...before, failure: answer.text };
}
