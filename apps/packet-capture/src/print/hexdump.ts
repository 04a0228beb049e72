/*
 * Octets below a line: -x, -X and -A.
 */
import type { Dissection } from './dissect.ts';
import { hex } from './text.ts';

const PER_LINE = 16;
/** Eight groups of four digits and the space before each. */
const HEX_WIDTH = 40;

function groups(octets: Uint8Array): string {
  let text = '';
  for (let i = 0; i < octets.length; i++) text += ((i & 1) === 0 ? ' ' : '') + hex(octets[i] ?? 0, 2);
  return text;
}

const graphic = (octet: number): string => (octet > 0x20 && octet < 0x7f ? String.fromCharCode(octet) : '.');

/** Lines of hex of `length` octets; with `ascii`, their characters beside. Each line begins with `indent`. */
export function hexDump(nd: Dissection, offset: number, length: number, ascii: boolean, indent = '\n\t'): string {
  let text = '';
  for (let at = 0; at < length; at += PER_LINE) {
    const octets = nd.buf.subarray(offset + at, offset + Math.min(at + PER_LINE, length));
    text += `${indent}0x${hex(at, 4)}: `;
    text += ascii ? `${groups(octets).padEnd(HEX_WIDTH)}  ${Array.from(octets, graphic).join('')}` : groups(octets);
  }
  return text;
}

/** The octets as text, line ends kept, on lines of their own (-A). A CR before a LF is not shown, nor one of the last two octets: tcpdump's way. */
export function asciiDump(nd: Dissection, offset: number, length: number): string {
  let text = '\n';
  const end = offset + length;
  for (let at = offset; at < end; at++) {
    const octet = nd.buf[at] ?? 0;
    if (octet === 0x0d && (at + 2 >= end || nd.buf[at + 1] === 0x0a)) continue;
    const kept = octet === 0x09 || octet === 0x0a || (octet >= 0x20 && octet < 0x7f);
    text += kept ? String.fromCharCode(octet) : '.';
  }
  return text;
}

/** What tcpdump shows of octets that no printer knows. */
export function defaultPrint(nd: Dissection, offset: number, length: number): void {
  const captured = Math.min(length, nd.end - offset);
  nd.text += hexDump(nd, offset, captured, true);
}
