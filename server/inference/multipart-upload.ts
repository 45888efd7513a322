import type { IncomingMessage } from 'node:http';
import busboy from 'busboy';
import { InferenceError } from './inference-error.ts';

export interface MultipartLimits {
  /** Largest file, bytes. */
  fileBytes: number;
  /** Most files in one call. */
  files: number;
}

export interface Multipart {
  /** In the order in which they came. */
  readonly files: { readonly field: string; readonly bytes: Buffer }[];
  /** All values of each field, in the order in which they came. */
  readonly fields: ReadonlyMap<string, readonly string[]>;
}

/**
 * Reads a multipart/form-data body into memory.
 * @throws {InferenceError} INVALID_INPUT for anything that is not multipart, BODY_TOO_LARGE
 */
export function readMultipart(request: IncomingMessage, limits: MultipartLimits): Promise<Multipart> {
  return new Promise((resolve, reject) => {
    const fail = (error: InferenceError) => {
      request.unpipe();
      request.resume();
      reject(error);
    };
    let parser: busboy.Busboy;
    try {
      parser = busboy({
        headers: request.headers,
        limits: {
          fileSize: limits.fileBytes,
          files: limits.files,
          fields: limits.files * 4,
          fieldSize: 1024,
        },
      });
    } catch (cause) {
      fail(invalid('the body to be multipart/form-data', cause));
      return;
    }
    const files: { field: string; bytes: Buffer }[] = [];
    const fields = new Map<string, string[]>();
    parser.on('file', (field, stream) => {
      const chunks: Buffer[] = [];
      const file = { field, bytes: Buffer.alloc(0) };
      files.push(file);
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('limit', () => fail(tooLarge(`Expected a file of at most ${limits.fileBytes} bytes`)));
      stream.on('close', () => {
        file.bytes = Buffer.concat(chunks);
      });
    });
    parser.on('field', (name, value) => {
      fields.set(name, [...(fields.get(name) ?? []), value]);
    });
    parser.on('filesLimit', () => fail(tooLarge(`Expected at most ${limits.files} files`)));
    parser.on('error', (cause) => fail(invalid('a whole multipart body', cause)));
    parser.on('close', () => resolve({ files, fields }));
    request.on('aborted', () => reject(invalid('a whole multipart body', undefined)));
    request.pipe(parser);
  });
}

function invalid(expected: string, cause: unknown): InferenceError {
  return new InferenceError('INVALID_INPUT', `Expected ${expected}`, { status: 400 }, { cause });
}

function tooLarge(message: string): InferenceError {
  return new InferenceError('BODY_TOO_LARGE', message, { status: 413 });
}
