import { describe, expect, it } from 'vitest';
import { csvText } from './csv.ts';

describe('csvText', () => {
  it('quotes what would break a row and leaves a gap empty', () => {
    const rows = [
      ['time', 'note'],
      [1.5, 'said "no", twice\nthen left'],
      [null, 'plain'],
    ];
    expect(csvText(rows)).toBe('time,note\r\n1.5,"said ""no"", twice\nthen left"\r\n,plain\r\n');
  });

  it('keeps a spreadsheet from running text as a formula, and numbers as numbers', () => {
    expect(csvText([['=1+1', '-2', '@x', -2, 'a=b']])).toBe("'=1+1,'-2,'@x,-2,a=b\r\n");
  });
});
