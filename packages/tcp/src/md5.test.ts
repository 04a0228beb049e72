import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MD5_DIGEST_SIZE, Md5Ctx, md5Final, md5Init, md5Update } from './md5.ts';

function md5(...parts: Uint8Array[]): string {
  const ctx = new Md5Ctx();
  const out = new Uint8Array(MD5_DIGEST_SIZE);
  md5Init(ctx);
  for (const part of parts) md5Update(ctx, part, 0, part.length);
  md5Final(ctx, out, 0);
  return Buffer.from(out).toString('hex');
}

test('RFC 1321 §A.5: the test suite', () => {
  const text = (s: string): string => md5(new TextEncoder().encode(s));
  expect(text('')).toBe('d41d8cd98f00b204e9800998ecf8427e');
  expect(text('abc')).toBe('900150983cd24fb0d6963f7d28e17f72');
  expect(text('12345678901234567890123456789012345678901234567890123456789012345678901234567890')).toBe('57edf4a22be3c955ac49da2e2107b67a');
});

test('MD5 of any bytes, in any parts, is what others make of them', () => {
  fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 5 }), (parts) => {
    const hash = createHash('md5');
    for (const part of parts) hash.update(part);
    expect(md5(...parts)).toBe(hash.digest('hex'));
  }));
});
