import type { Page } from 'playwright-core';

/** Everything on a page that moves, or would: running animations, and durations other than zero. */
export async function motions(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const found = document
      .getAnimations()
      .filter(({ playState }) => playState === 'running')
      .map(({ effect }) => `running on ${effect instanceof KeyframeEffect ? effect.target?.className : '?'}`);
    const longest = (durations: string) => Math.max(...durations.split(',').map(Number.parseFloat));
    for (const element of document.querySelectorAll('body, body *')) {
      for (const pseudo of [null, '::before', '::after']) {
        const style = getComputedStyle(element, pseudo);
        const animated = style.animationName !== 'none' && longest(style.animationDuration) > 0;
        if (!animated && longest(style.transitionDuration) === 0) continue;
        const place = element.getAttribute('data-testid') ?? element.getAttribute('class') ?? element.tagName;
        found.push(`${animated ? style.animationName : style.transitionProperty} of ${place}${pseudo ?? ''}`);
      }
    }
    return found;
  });
}
