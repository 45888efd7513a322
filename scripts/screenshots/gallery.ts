import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileIn } from './camera.ts';
import { chooseShots, type Shot, STATES, THEMES, type ViewName } from './shots.ts';

const STATE_WORDS: Record<Shot['state'], string> = {
  normal: 'NORMAL',
  'one-fault': 'one fault',
  faults: 'three faults',
  stale: 'stream stopped',
  halted: 'halted',
  down: 'inference down, not by us',
  silent: 'pipeline hangs, not by us',
};

const VIEW_WORDS: Record<ViewName, string> = { wide: '1440', room: '1920', phone: '390' };

/** Writes a table of the pictures that lie in a folder, a section for each page. */
export async function writeGallery(folder: string): Promise<void> {
  const shots = chooseShots([]).filter(({ name }) => existsSync(fileIn(folder, name)));
  const pages = [...new Set(shots.map(({ page }) => page))];
  const text = pages
    .map((page) =>
      section(
        page,
        shots.filter((shot) => shot.page === page),
      ),
    )
    .join('\n');
  await writeFile(
    join(folder, 'README.md'),
    `# Every page in every state\n\nTaken by \`node scripts/take-screenshots.ts --out docs/screenshots/set\`.\n\n${text}`,
  );
}

function section(page: string, shots: readonly Shot[]): string {
  const rows = STATES.flatMap((state) => {
    const cells = THEMES.map((theme) =>
      shots
        .filter((shot) => shot.state === state && shot.theme === theme)
        .map(({ name, view }) => `[${VIEW_WORDS[view]}](${name}.png)`)
        .join(' · '),
    );
    return cells.every((cell) => cell === '') ? [] : [`| ${STATE_WORDS[state]} | ${cells.join(' | ')} |`];
  });
  return `## ${page}\n\n| | ${THEMES.join(' | ')} |\n|---|---|---|\n${rows.join('\n')}\n`;
}
