/*
 * The Internet checksum (RFC 1071) over captured octets, with the pseudo-headers of IPv4 and IPv6. A sum of 0 is right; of
 * another, checksumShouldBe() tells what the field should hold.
 */
import { need, type Dissection } from './dissect.ts';

function fold(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded & 0xffff) + Math.floor(folded / 0x10000);
  return folded;
}

function addOctets(nd: Dissection, offset: number, length: number): number {
  need(nd, offset, length);
  let sum = 0;
  for (let i = 0; i + 1 < length; i += 2) sum += nd.view.getUint16(offset + i);
  return (length & 1) === 0 ? sum : sum + (nd.view.getUint8(offset + length - 1) << 8);
}

/** The complement of the sum of `length` octets; 0 where they hold a right checksum. */
export function checksum(nd: Dissection, offset: number, length: number): number {
  return 0xffff & ~fold(addOctets(nd, offset, length));
}

/** As checksum(), with the pseudo-header of IPv4 (RFC 9293 §3.1) of the header at `ip`. */
export function checksum4(nd: Dissection, ip: number, destination: number, protocol: number, offset: number, length: number): number {
  const pseudo = addOctets(nd, ip + 12, 4) + (destination >>> 16) + (destination & 0xffff) + protocol + length;
  return 0xffff & ~fold(pseudo + addOctets(nd, offset, length));
}

/** As checksum(), with the pseudo-header of IPv6 (RFC 8200 §8.1) of the header at `ip`. */
export function checksum6(nd: Dissection, ip: number, protocol: number, offset: number, length: number): number {
  const pseudo = addOctets(nd, ip + 8, 32) + protocol + length;
  return 0xffff & ~fold(pseudo + addOctets(nd, offset, length));
}

/** What a checksum field that holds `found` should hold, when its sum came out as `sum`. */
export function checksumShouldBe(found: number, sum: number): number {
  return fold(found + sum);
}
