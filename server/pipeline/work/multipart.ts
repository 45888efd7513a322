import { randomUUID } from 'node:crypto';

export interface MultipartPart {
  name: string;
  /** Makes the part a file. */
  filename?: string;
  content: Buffer | string;
}

/** A multipart/form-data body and its content type. File names are ours: no quoting needed beyond ASCII. */
export function multipart(parts: readonly MultipartPart[]): { body: Buffer; contentType: string } {
  const boundary = `brownout-${randomUUID()}`;
  const chunks: Buffer[] = [];
  for (const { name, filename, content } of parts) {
    const file =
      filename === undefined
        ? ''
        : `; filename="${filename.replace(/[^\w.-]/g, '_')}"\r\nContent-Type: application/octet-stream`;
    chunks.push(
      Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="${name}"${file}\r\n\r\n`),
      Buffer.from(content),
      Buffer.from('\r\n'),
    );
  }
  chunks.push(Buffer.from(`--${boundary}--\r\n`));
  return { body: Buffer.concat(chunks), contentType: `multipart/form-data; boundary=${boundary}` };
}
