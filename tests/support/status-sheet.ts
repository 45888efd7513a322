import type { Locator, Page } from 'playwright-core';
import { createElement } from 'react';
import { renderToStaticMarkup } from 'react-dom/server';
import { CHIP, INK, type Status, StatusMark } from '#components/visual/StatusMark.tsx';

export const STATUSES = Object.keys(CHIP) as Status[];

const MARK_PX = 48;

interface StatusSheet {
  /** A word on the fill of each status. */
  chips: Locator[];
  /** A word in the ink of each status on a panel. */
  inks: Locator[];
  /** The shape of each status, large. */
  marks: Locator[];
}

/** Lays every status over the page, with the page's own styles and parts. */
export async function showStatusSheet(page: Page, theme: 'dark' | 'light'): Promise<StatusSheet> {
  const word = { style: { display: 'block', padding: 4, borderRadius: 0, fontWeight: 700 } };
  const rows = STATUSES.map((status) =>
    createElement(
      'div',
      { key: status, style: { display: 'flex', gap: 8, marginBottom: 8 } },
      createElement('span', { ...word, className: CHIP[status], 'data-testid': `chip-${status}` }, 'STATUS'),
      createElement('span', { ...word, className: INK[status], 'data-testid': `ink-${status}` }, 'STATUS'),
      createElement(
        'span',
        { className: 'text-ink', 'data-testid': `mark-${status}` },
        createElement(StatusMark, { status, size: MARK_PX }),
      ),
    ),
  );
  await page.evaluate(
    ({ html, theme: name }) => {
      document.documentElement.dataset['theme'] = name;
      document.getElementById('status-sheet')?.remove();
      const sheet = document.createElement('div');
      sheet.id = 'status-sheet';
      sheet.style.cssText = 'position:fixed;inset:0;z-index:999;padding:16px;background:var(--panel)';
      sheet.innerHTML = html;
      document.body.append(sheet);
    },
    { html: renderToStaticMarkup(createElement('div', null, rows)), theme },
  );
  const each = (kind: string) => STATUSES.map((status) => page.getByTestId(`${kind}-${status}`));
  return { chips: each('chip'), inks: each('ink'), marks: each('mark') };
}
