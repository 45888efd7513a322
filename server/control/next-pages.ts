import { existsSync } from 'node:fs';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { ConfigError } from '../config.ts';

export interface Pages {
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>;
  close(): Promise<void>;
}

export interface NextPagesOptions {
  /** Folder of the project. */
  dir: string;
  dev: boolean;
  httpServer: Server;
  hostname: string;
  port: number;
}

/**
 * The console's pages: prerendered files, served by Next.
 *
 * Next is loaded only here, so that the rest of the control process runs (and is tested) without it.
 * @throws {ConfigError} when nothing has been built
 */
export async function createNextPages(options: NextPagesOptions): Promise<Pages> {
  const { dir, dev, httpServer, hostname, port } = options;
  if (!dev && !existsSync(join(dir, '.next', 'BUILD_ID'))) {
    throw new ConfigError(
      'NODE_ENV',
      `No build of the console in ${join(dir, '.next')}: run npm start, which builds it`,
    );
  }
  const { default: next } = await import('next');
  const app = next({ dir, dev, httpServer, hostname, port });
  await app.prepare();
  const handle = app.getRequestHandler();
  return { handle: (request, response) => handle(request, response), close: () => app.close() };
}
