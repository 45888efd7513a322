import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describeCatalogue } from '#server/control/describe-catalogue.ts';

/** `npm run docs`: writes docs/faults.md from the catalogue. */
writeFileSync(fileURLToPath(new URL('../docs/faults.md', import.meta.url)), describeCatalogue());
