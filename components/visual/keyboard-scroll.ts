/** For what scrolls and holds nothing that takes the focus: by Tab it gets it, so that the arrow keys can scroll it. */
export const KEYBOARD_SCROLL = { tabIndex: 0 } as const;
