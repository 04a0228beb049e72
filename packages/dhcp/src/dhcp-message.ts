/*
 * DHCP messages (RFC 2131 §2, RFC 2132): dhcpParse() reads one, null if it is none; dhcpBuild() writes one. Options are octets by
 * code; the functions below them read and write the kinds that are used here. An option in several parts is one (RFC 3396), options
 * may go on in `file` and `sname` (option 52).
 */

export const DHCP_SERVER_PORT = 67;
export const DHCP_CLIENT_PORT = 68;

export const BOOTREQUEST = 1;
export const BOOTREPLY = 2;
/** The flag by which a client asks for broadcasts (RFC 2131 §2). */
export const BROADCAST_FLAG = 0x8000;

/* Options. */
export const OPT_SUBNET_MASK = 1;
export const OPT_ROUTER = 3;
export const OPT_DNS_SERVER = 6;
export const OPT_HOST_NAME = 12;
export const OPT_DOMAIN_NAME = 15;
export const OPT_MTU = 26;
export const OPT_BROADCAST = 28;
export const OPT_REQUESTED_IP = 50;
export const OPT_LEASE_TIME = 51;
const OPT_OVERLOAD = 52;
export const OPT_MESSAGE_TYPE = 53;
export const OPT_SERVER_ID = 54;
export const OPT_PARAM_REQ = 55;
export const OPT_MESSAGE = 56;
export const OPT_MAX_SIZE = 57;
export const OPT_T1 = 58;
export const OPT_T2 = 59;
export const OPT_CLIENT_ID = 61;
const OPT_PAD = 0;
const OPT_END = 255;

/* Values of OPT_MESSAGE_TYPE. */
export const DHCPDISCOVER = 1;
export const DHCPOFFER = 2;
export const DHCPREQUEST = 3;
export const DHCPDECLINE = 4;
export const DHCPACK = 5;
export const DHCPNAK = 6;
export const DHCPRELEASE = 7;
export const DHCPINFORM = 8;

/** A lease without end, in seconds (RFC 2131 §3.3). */
export const INFINITE_LEASE = 0xffffffff;

const CHADDR = 28;
const CHADDR_LEN = 16;
const SNAME = 44;
const FILE = 108;
const COOKIE = 236;
const OPTIONS = 240;
const DHCP_COOKIE = 0x63825363;
/** BOOTP's size: a relay agent may take less for no message (RFC 1542 §2.1). */
const MIN_LENGTH = 300;

/** A message of BOOTP (RFC 951) with its options, by code (RFC 2131 §2). */
export class DhcpMessage {
  op: number;
  htype: number;
  xid: number;
  secs: number;
  flags: number;
  /** Addresses are int32: the client's own, the one that it is given, the next server's, the relay agent's. */
  ciaddr: number;
  yiaddr: number;
  siaddr: number;
  giaddr: number;
  /** The client's hardware address, hlen octets. */
  chaddr: Uint8Array;
  options: Map<number, Uint8Array>;

  constructor(op: number, xid: number, chaddr: Uint8Array, htype = 1) {
    this.op = op;
    this.htype = htype;
    this.xid = xid;
    this.secs = 0;
    this.flags = 0;
    this.ciaddr = 0;
    this.yiaddr = 0;
    this.siaddr = 0;
    this.giaddr = 0;
    this.chaddr = chaddr;
    this.options = new Map();
  }
}

/** Reads the options from `at` to `end`. Returns false if one runs past it. */
function parseOptions(buf: Uint8Array, at: number, end: number, options: Map<number, Uint8Array>): boolean {
  while (at < end) {
    const code = buf[at++] ?? 0;
    if (code === OPT_END) return true;
    if (code === OPT_PAD) continue;
    const length = buf[at++] ?? 0;
    if (at + length > end) return false;
    const before = options.get(code);
    const data = new Uint8Array((before?.length ?? 0) + length);
    if (before !== undefined) data.set(before);
    data.set(buf.subarray(at, at + length), data.length - length);
    options.set(code, data);
    at += length;
  }
  return true;
}

/** Reads a message; null if it is cut short, malformed, or BOOTP without DHCP's cookie and type. */
export function dhcpParse(buf: Uint8Array): DhcpMessage | null {
  if (buf.length < OPTIONS) return null;
  const view = new DataView(buf.buffer, buf.byteOffset, buf.byteLength);
  const hlen = view.getUint8(2);
  if (view.getUint32(COOKIE) !== DHCP_COOKIE || hlen > CHADDR_LEN) return null;
  const msg = new DhcpMessage(view.getUint8(0), view.getUint32(4), buf.slice(CHADDR, CHADDR + hlen), view.getUint8(1));
  msg.secs = view.getUint16(8);
  msg.flags = view.getUint16(10);
  msg.ciaddr = view.getInt32(12);
  msg.yiaddr = view.getInt32(16);
  msg.siaddr = view.getInt32(20);
  msg.giaddr = view.getInt32(24);
  const { options } = msg;
  if (!parseOptions(buf, OPTIONS, buf.length, options)) return null;
  const overload = optU8(msg, OPT_OVERLOAD);
  if ((overload & 1) !== 0 && !parseOptions(buf, FILE, COOKIE, options)) return null;
  if ((overload & 2) !== 0 && !parseOptions(buf, SNAME, FILE, options)) return null;
  return options.get(OPT_MESSAGE_TYPE)?.length === 1 ? msg : null;
}

/** Octets that an option takes, its parts' heads included. */
function optionLength(data: Uint8Array): number {
  return data.length + 2 * Math.max(1, Math.ceil(data.length / 255));
}

/** Writes an option in parts of at most 255 octets; returns where it ends. */
function putOption(buf: Uint8Array, at: number, code: number, data: Uint8Array): number {
  let from = 0;
  do {
    const part = data.subarray(from, from + 255);
    buf[at] = code;
    buf[at + 1] = part.length;
    buf.set(part, at + 2);
    at += 2 + part.length;
    from += 255;
  } while (from < data.length);
  return at;
}

/** Writes a message. */
export function dhcpBuild(msg: DhcpMessage): Uint8Array {
  let length = OPTIONS + 1;
  for (const data of msg.options.values()) length += optionLength(data);
  const buf = new Uint8Array(Math.max(length, MIN_LENGTH));
  const view = new DataView(buf.buffer);
  view.setUint8(0, msg.op);
  view.setUint8(1, msg.htype);
  view.setUint8(2, msg.chaddr.length);
  view.setUint32(4, msg.xid);
  view.setUint16(8, msg.secs);
  view.setUint16(10, msg.flags);
  view.setInt32(12, msg.ciaddr);
  view.setInt32(16, msg.yiaddr);
  view.setInt32(20, msg.siaddr);
  view.setInt32(24, msg.giaddr);
  buf.set(msg.chaddr, CHADDR);
  view.setUint32(COOKIE, DHCP_COOKIE);
  let at = OPTIONS;
  for (const [code, data] of msg.options) at = putOption(buf, at, code, data);
  buf[at] = OPT_END;
  return buf;
}

/** An option of one octet; 0 if it is not there, or is none. */
export function optU8(msg: DhcpMessage, code: number): number {
  const data = msg.options.get(code);
  return data?.length === 1 ? data[0] ?? 0 : 0;
}

/** An option of two octets; 0 likewise. */
export function optU16(msg: DhcpMessage, code: number): number {
  const data = msg.options.get(code);
  return data?.length === 2 ? ((data[0] ?? 0) << 8) | (data[1] ?? 0) : 0;
}

/** The addresses (int32) in an option. What does not make a whole one is passed over. */
export function optAddresses(msg: DhcpMessage, code: number): number[] {
  const data = msg.options.get(code) ?? new Uint8Array(0);
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  return Array.from({ length: data.length >> 2 }, (_, i) => view.getInt32(i * 4));
}

/** The address in an option; 0 if there is none. */
export function optAddress(msg: DhcpMessage, code: number): number {
  return optAddresses(msg, code)[0] ?? 0;
}

/** An option of four octets as seconds; null if it is not there. */
export function optSeconds(msg: DhcpMessage, code: number): number | null {
  const data = msg.options.get(code);
  return data?.length === 4 ? optAddress(msg, code) >>> 0 : null;
}

/** The text of an option without NULs at its end; '' if it is not there. Octets beyond ASCII are char codes. */
export function optText(msg: DhcpMessage, code: number): string {
  return String.fromCharCode(...msg.options.get(code) ?? []).replace(/\0+$/, '');
}

/** Sets an option of 8 bits. */
export function setU8(msg: DhcpMessage, code: number, value: number): void {
  msg.options.set(code, Uint8Array.of(value));
}

/** Sets an option of 16 bits. */
export function setU16(msg: DhcpMessage, code: number, value: number): void {
  msg.options.set(code, Uint8Array.of(value >>> 8, value));
}

/** 32 bits: seconds, or an address. */
export function setU32(msg: DhcpMessage, code: number, value: number): void {
  setAddresses(msg, code, [value]);
}

/** Sets an option that is a list of addresses, int32. */
export function setAddresses(msg: DhcpMessage, code: number, addresses: readonly number[]): void {
  msg.options.set(code, Uint8Array.from(addresses.flatMap((addr) => [addr >>> 24, addr >>> 16, addr >>> 8, addr])));
}

/** Text; what is beyond Latin-1 is cut to its low octet. */
export function setText(msg: DhcpMessage, code: number, text: string): void {
  msg.options.set(code, Uint8Array.from(text, (char) => char.charCodeAt(0)));
}

/** `02:00:00:00:00:01` of octets. */
export function macText(octets: Uint8Array): string {
  return Array.from(octets, (octet) => octet.toString(16).padStart(2, '0')).join(':');
}
