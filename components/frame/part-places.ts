import type { Tab } from '../stores/view-store.ts';

/*
 * Sizes that a part of the console has together with the empty place that is kept for it until it has been fetched.
 */

/** Charts in four columns that share the height. */
export const CHARTS_GRID =
  'min-h-0 flex-1 auto-rows-[minmax(9rem,1fr)] wide:auto-rows-[minmax(7.5rem,1fr)] wide:grid-cols-4';

/** On which tabs of a narrow screen each of the console's charts is; the definitions come with the charts. */
export const CHART_TABS: Readonly<Record<string, readonly Tab[]>> = {
  age: ['live', 'queues'],
  'dead-letters': ['queues'],
  latency: ['live'],
  throughput: ['live'],
  fallback: ['queues'],
  errors: ['live'],
  vram: ['gpu'],
  thermals: ['gpu'],
};

/** On a screen that is not high the story makes way for what viewers see. */
export const STORY_LEAST = 'min-h-24 wide:[@media(max-height:960px)]:min-h-19';
