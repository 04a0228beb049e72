/*
 * IPv6 addresses as text (RFC 4291 §2.2), for AAAA records alone: the stack itself speaks IPv4.
 */
import { inetPton4 } from '@stack/inet-sock';

/** The 16-bit groups of one side of `::`; null if one is none. A dotted quad may be the last. */
function groups(text: string, last: boolean): number[] | null {
  if (text === '') return [];
  const parts = text.split(':');
  const found: number[] = [];
  for (const [i, part] of parts.entries()) {
    const quad = last && i === parts.length - 1 && part.includes('.') ? inetPton4(part) : null;
    if (quad !== null) found.push(quad >>> 16, quad & 0xffff);
    else if (/^[0-9a-f]{1,4}$/i.test(part)) found.push(parseInt(part, 16));
    else return null;
  }
  return found;
}

/** Parses an IPv6 address into its 16 octets; null when the text is none. */
export function inetPton6(text: string): Uint8Array | null {
  const sides = text.split('::');
  const [left = '', right] = sides;
  if (sides.length > 2) return null;
  const head = groups(left, right === undefined);
  const tail = right === undefined ? [] : groups(right, true);
  if (head === null || tail === null) return null;
  const missing = 8 - head.length - tail.length;
  if (right === undefined ? missing !== 0 : missing < 1) return null;
  const all = [...head, ...new Array<number>(missing).fill(0), ...tail];
  return Uint8Array.from(all.flatMap((group) => [group >> 8, group & 255]));
}
