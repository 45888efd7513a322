/**
 * A negative FTP reply with a code of its own.
 *
 * ftp-srv answers every failure with 550 and the error's message, so the code travels in front of the text and
 * `ftp-server.ts` takes it out again.
 */
export class FtpRefusal extends Error {
  constructor(code: 426 | 450 | 451 | 452 | 503 | 550 | 552 | 553, text: string, options?: ErrorOptions) {
    super(`${code} ${text}`, options);
    this.name = new.target.name;
  }
}

/** The code and text of a refusal's message; undefined for messages of other errors. */
export function readRefusal(message: string): { code: number; text: string } | undefined {
  const match = /^([45]\d\d) (.*)$/s.exec(message);
  return match ? { code: Number(match[1]), text: match[2] ?? '' } : undefined;
}
