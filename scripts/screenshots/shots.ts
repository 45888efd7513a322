/** What the system is in while it is looked at. In this order: each goes on from the one before. */
export const STATES = ['normal', 'one-fault', 'faults', 'stale', 'halted', 'down', 'silent'] as const;
export type StateName = (typeof STATES)[number];

export const THEMES = ['dark', 'light'] as const;
export type Theme = (typeof THEMES)[number];

export const VIEWS = {
  wide: { width: 1440, height: 900 },
  room: { width: 1920, height: 1080 },
  phone: { width: 390, height: 844 },
} as const;
export type ViewName = keyof typeof VIEWS;

export interface Shot {
  /** `STATE-PAGE-VIEW-THEME`. */
  name: string;
  state: StateName;
  page: string;
  path: string;
  view: ViewName;
  theme: Theme;
  /** Test id of what is pressed before. */
  press?: string;
}

interface PageToShoot {
  page: string;
  path: string;
  views: readonly ViewName[];
  /** @default every state but `one-fault` and `silent` */
  states?: readonly StateName[];
  press?: string;
}

const FIVE: readonly StateName[] = ['normal', 'faults', 'stale', 'halted', 'down'];
const BOTH: readonly ViewName[] = ['wide', 'phone'];

/** In the order in which they are visited; one address after the other, so that a page is opened once a state. */
const PAGES: readonly PageToShoot[] = [
  { page: 'console', path: '/', views: BOTH },
  { page: 'console', path: '/', views: ['room'], states: ['faults'] },
  { page: 'console', path: '/', views: BOTH, states: ['one-fault', 'silent'] },
  ...(['faults', 'queues', 'gpu', 'log'] as const).map((tab) => ({
    page: `tab-${tab}`,
    path: '/',
    views: ['phone'] as const,
    states: ['normal', 'faults'] as const,
    press: `tab-${tab}`,
  })),
  { page: 'xray', path: '/', views: BOTH, states: ['one-fault'], press: 'xray-open-nemotron' },
  { page: 'dlq', path: '/dlq', views: BOTH },
  { page: 'gpu', path: '/gpu', views: BOTH },
  { page: 'nemotron', path: '/services/nemotron', views: BOTH },
  { page: 'timeline', path: '/timeline', views: BOTH },
  { page: 'wall', path: '/wall', views: ['wide', 'room', 'phone'] },
  { page: 'wall', path: '/wall', views: ['room'], states: ['silent'] },
  { page: 'halt', path: '/halt', views: BOTH },
];

const SHOTS: readonly Shot[] = STATES.flatMap((state) =>
  PAGES.filter(({ states = FIVE }) => states.includes(state)).flatMap(({ page, path, views, press }) =>
    THEMES.flatMap((theme) =>
      views.map((view) => ({
        name: `${state}-${page}-${view}-${theme}`,
        state,
        page,
        path,
        view,
        theme,
        ...(press === undefined ? {} : { press }),
      })),
    ),
  ),
);

/** Pictures that the README and docs show, by the name that they have there. */
export const SHOWN: Readonly<Record<string, string>> = {
  'normal-console-wide-dark': 'normal',
  'normal-console-wide-light': 'normal-light',
  'one-fault-console-wide-dark': 'console',
  'one-fault-xray-wide-dark': 'breaker',
  'faults-console-wide-light': 'three-faults-light',
  'faults-console-room-dark': 'three-faults-1920',
  'faults-console-phone-dark': 'phone',
  'halted-console-wide-dark': 'halted',
};

const KINDS = ['state', 'page', 'view', 'theme'] as const;

/**
 * The shots that every word fits: a state, page, view or theme; else a whole name, here or in the docs. Words of one
 * kind widen, of two kinds narrow: `faults stale wall` is the wall in both states. Without words, all.
 * @throws RangeError for a word that fits nothing
 */
export function chooseShots(words: readonly string[]): Shot[] {
  const byKind = KINDS.map((kind) => ({
    kind,
    values: words.filter((word) => SHOTS.some((shot) => shot[kind] === word)),
  }));
  const names = words.filter((word) => !byKind.some(({ values }) => values.includes(word)));
  for (const word of names) {
    if (!SHOTS.some((shot) => isCalled(shot, word)))
      throw new RangeError(`No picture fits “${word}”: expected a name or one of ${known().join(' ')}`);
  }
  return SHOTS.filter(
    (shot) =>
      names.some((word) => isCalled(shot, word)) ||
      ((names.length < words.length || words.length === 0) &&
        byKind.every(({ kind, values }) => values.length === 0 || values.includes(shot[kind]))),
  );
}

function isCalled({ name }: Shot, word: string): boolean {
  return name === word || SHOWN[name] === word;
}

function known(): string[] {
  return [...new Set(SHOTS.flatMap((shot) => KINDS.map((kind) => shot[kind])))];
}
