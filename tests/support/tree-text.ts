import type { Locator } from 'playwright-core';

/** What a screen reader says of a place, in its order: the names and texts of the accessibility tree. */
export async function treeText(place: Locator): Promise<string> {
  const tree = await place.ariaSnapshot();
  return tree
    .split('\n')
    .map((line) =>
      /^\s*- (?:\/url: .*|[\w-]+(?: "((?:[^"\\]|\\.)*)")?(?: \[[^\]]*\])*(?:: ?(.*))?)$/.exec(line),
    )
    .flatMap((found) => [found?.[1], found?.[2]])
    .map((part) => part?.replace(/^"(.*)"$/, '$1').trim() ?? '')
    .filter((part) => part !== '')
    .join(' ')
    .replaceAll('\u202f', '');
}
