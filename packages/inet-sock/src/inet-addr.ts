/*
 * IPv4 addresses at the edge, and as numbers inside.
 *
 * An address is an int32 in host order (10.0.0.1 = 0x0a000001 | 0); the house is a big-endian
 * machine, so the same number stands in the header. Text appears only where a user reads or
 * writes it: inAton(), inNtoa(). The classes of address follow RFC 1122 §3.2.1.3, RFC 5735.
 */
import { AF_INET, SockAddr } from '@stack/socket';

export const INADDR_ANY = 0;
export const INADDR_LOOPBACK = 0x7f000001;
export const INADDR_BROADCAST = -1;
export const INADDR_NONE = -1;
export const INADDR_ALLHOSTS_GROUP = 0xe0000001 | 0;

/** struct sockaddr_in: a port (host order, 0–65535) and an IPv4 address (int32). */
export class SockAddrIn extends SockAddr {
  sinPort: number;
  sinAddr: number;

  constructor(sinAddr = INADDR_ANY, sinPort = 0, saFamily = AF_INET) {
    super(saFamily);
    this.sinPort = sinPort;
    this.sinAddr = sinAddr | 0;
  }
}

/** One decimal part of a dotted quad, or -1 when it is none. */
function quadPart(text: string): number {
  if (!/^(0|[1-9][0-9]{0,2})$/.test(text)) return -1;
  const value = Number(text);
  return value <= 255 ? value : -1;
}

/** Parses a dotted quad into an address; null when the text is none. */
export function inetPton4(text: string): number | null {
  const parts = text.split('.');
  if (parts.length !== 4) return null;
  let addr = 0;
  for (const part of parts) {
    const value = quadPart(part);
    if (value < 0) return null;
    addr = (addr << 8) | value;
  }
  return addr | 0;
}

/** Parses a dotted quad; throws a TypeError on other text (an edge function: no packet comes here). */
export function inAton(text: string): number {
  const addr = inetPton4(text);
  if (addr === null) throw new TypeError(`not an IPv4 address: ${JSON.stringify(text)}`);
  return addr;
}

/** Writes an address as a dotted quad. */
export function inNtoa(addr: number): string {
  return `${addr >>> 24}.${(addr >>> 16) & 255}.${(addr >>> 8) & 255}.${addr & 255}`;
}

/** 127.0.0.0/8. */
export function ipv4IsLoopback(addr: number): boolean {
  return addr >>> 24 === 127;
}

/** 224.0.0.0/4. */
export function ipv4IsMulticast(addr: number): boolean {
  return addr >>> 28 === 14;
}

/** 224.0.0.0/24: never forwarded. */
export function ipv4IsLocalMulticast(addr: number): boolean {
  return addr >>> 8 === 0xe00000;
}

/** 255.255.255.255. */
export function ipv4IsLbcast(addr: number): boolean {
  return addr === INADDR_BROADCAST;
}

/** 0.0.0.0/8. */
export function ipv4IsZeronet(addr: number): boolean {
  return addr >>> 24 === 0;
}

/** 169.254.0.0/16. */
export function ipv4IsLinklocal(addr: number): boolean {
  return addr >>> 16 === 0xa9fe;
}

/** The netmask of a prefix length (0–32). */
export function inetMakeMask(prefixLength: number): number {
  return prefixLength === 0 ? 0 : -1 << (32 - prefixLength);
}

/** The prefix length of a contiguous netmask. */
export function inetMaskLen(mask: number): number {
  return Math.clz32(~mask);
}

/*
 * Byte order. The house is a big-endian machine: header fields are read by big-endian accessors, so host order is network
 * order and these are, as on any such machine, the identity, cut to their width.
 */

/** A port in network byte order. */
export function htons(hostshort: number): number {
  return hostshort & 0xffff;
}

/** A port in host byte order. */
export function ntohs(netshort: number): number {
  return netshort & 0xffff;
}

/** An address in network byte order (int32). */
export function htonl(hostlong: number): number {
  return hostlong | 0;
}

/** An address in host byte order (int32). */
export function ntohl(netlong: number): number {
  return netlong | 0;
}
