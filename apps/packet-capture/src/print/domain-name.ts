/*
 * Names of DNS (RFC 1035 §3.1, §4.1.4): labels, and pointers that may only go back.
 */
import { Truncated, has, say, u16, u8, type Dissection } from './dissect.ts';
import { safeText } from './text.ts';

const POINTER = 0xc0;

/** Past the name at `offset`. Throws Truncated where it does not end in the packet or is none. */
export function skipName(nd: Dissection, offset: number): number {
  for (let at = offset; ;) {
    const length = u8(nd, at++);
    if ((length & POINTER) === POINTER) return at + 1;
    if ((length & POINTER) !== 0) throw new Truncated();
    if (length === 0) return at;
    at += length;
  }
}

/**
 * Says the name at `offset` of the message at `start`. Throws Truncated at a name that ends too early, or whose pointer goes forward; what
 * was said before stands.
 */
export function namePrint(nd: Dissection, offset: number, start: number): void {
  let at = offset;
  let limit = offset;
  if (u8(nd, at) === 0) {
    say(nd, '.');
    return;
  }
  for (;;) {
    const length = u8(nd, at);
    if ((length & POINTER) === POINTER) {
      const target = start + (u16(nd, at) & 0x3fff);
      if (target >= limit) {
        say(nd, '<BAD PTR>');
        throw new Truncated();
      }
      limit = target;
      at = target;
      continue;
    }
    if ((length & POINTER) !== 0) throw new Truncated();
    if (length === 0) return;
    if (!has(nd, at + 1, length)) {
      say(nd, safeText(nd, at + 1, Math.max(0, nd.end - at - 1)));
      throw new Truncated();
    }
    say(nd, `${safeText(nd, at + 1, length)}.`);
    at += 1 + length;
  }
}
