/*
 * The options of DHCP (RFC 2132 and after), a line each, in the words and forms of tcpdump: what kind of value an option has is in
 * the table `kinds`, and a guess by its length for those that are in none.
 */
import { has, need, say, u16, u32, u8, type Dissection } from './dissect.ts';
import { classlessRoutes, clientId, fqdn, parameterRequest, relayAgent, userClass } from './dhcp-structured.ts';
import { ip4, nameOf, safeText } from './text.ts';

const PAD = 0;
const END = 255;

export const optionNames: Readonly<Record<number, string>> = {
  0: 'PAD', 1: 'Subnet-Mask', 2: 'Time-Zone', 3: 'Default-Gateway', 4: 'Time-Server', 5: 'IEN-Name-Server', 6: 'Domain-Name-Server',
  7: 'LOG', 8: 'CS', 9: 'LPR-Server', 10: 'IM', 11: 'RL', 12: 'Hostname', 13: 'BS', 14: 'DP', 15: 'Domain-Name', 16: 'SS', 17: 'RP',
  18: 'EP', 19: 'IPF', 20: 'SRT', 21: 'PF', 22: 'RSZ', 23: 'TTL', 24: 'MTU-Timeout', 25: 'MTU-Table', 26: 'MTU', 27: 'LSN', 28: 'BR',
  29: 'MD', 30: 'MS', 31: 'Router-Discovery', 32: 'RSA', 33: 'Static-Route', 34: 'UT', 35: 'AT', 36: 'IE', 37: 'TT', 38: 'KI', 39: 'KG',
  40: 'YD', 41: 'YS', 42: 'NTP', 43: 'Vendor-Option', 44: 'Netbios-Name-Server', 45: 'WDD', 46: 'Netbios-Node', 47: 'Netbios-Scope',
  48: 'XFS', 49: 'XDM', 50: 'Requested-IP', 51: 'Lease-Time', 52: 'OO', 53: 'DHCP-Message', 54: 'Server-ID', 55: 'Parameter-Request',
  56: 'MSG', 57: 'MSZ', 58: 'RN', 59: 'RB', 60: 'Vendor-Class', 61: 'Client-ID', 64: 'N+D', 65: 'N+S', 66: 'TFTP', 67: 'BF', 68: 'MH',
  69: 'SMTP', 70: 'POP3', 71: 'NNTP', 72: 'WWW', 73: 'FG', 74: 'IRC', 75: 'STS', 76: 'STDA', 77: 'User-Class', 78: 'SLP-DA',
  79: 'SLP-SCOPE', 80: 'SLP-NA', 81: 'FQDN', 82: 'Agent-Information', 83: 'ARMT', 88: 'TZSTR', 89: 'FQDNS', 90: 'AUTH',
  91: 'Last-Transaction-Time', 92: 'Associated-IP', 93: 'ARCH', 94: 'NDI', 95: 'LDAP', 97: 'GUID', 98: 'UAP', 100: 'POSIX-TZ',
  101: 'TZ-Name', 112: 'NI', 113: 'NITAG', 114: 'URL', 116: 'NOAUTO', 117: 'NSSEARCH', 118: 'SUBNET', 121: 'Classless-Static-Route',
  150: 'TFTP-Server-Address', 161: 'MUD-URL', 249: 'Classless-Static-Route-Microsoft', 255: 'END',
};

const messageTypes: Readonly<Record<number, string>> = {
  1: 'Discover', 2: 'Offer', 3: 'Request', 4: 'Decline', 5: 'ACK', 6: 'NACK', 7: 'Release', 8: 'Inform', 10: 'LeaseQuery',
  11: 'LeaseUnassigned', 12: 'LeaseUnknown', 13: 'LeaseActive',
};
const nodeTypes: Readonly<Record<number, string>> = { 1: 'b-node', 2: 'p-node', 4: 'm-node', 8: 'h-node' };
const overloads: Readonly<Record<number, string>> = { 1: 'file', 2: 'sname', 3: 'file+sname' };

/** Says the value of `length` octets, and returns how many of them are left over. */
export type OptionKind = (nd: Dissection, offset: number, length: number) => number;

/** A list of values of `size` octets each, with `separator` between. */
function listOf(size: number, separator: string, text: (nd: Dissection, offset: number) => string): OptionKind {
  return (nd, offset, length) => {
    const count = Math.floor(length / size);
    for (let i = 0; i < count; i++) say(nd, `${i === 0 ? '' : separator}${text(nd, offset + size * i)}`);
    return length - count * size;
  };
}

const addresses = listOf(4, ',', ip4);
const pairs = listOf(8, ',', (nd, offset) => `(${ip4(nd, offset)}:${ip4(nd, offset + 4)})`);
const shorts = listOf(2, ',', (nd, offset) => String(u16(nd, offset)));
const longs = listOf(4, ',', (nd, offset) => String(u32(nd, offset)));
const signedLongs = listOf(4, ',', (nd, offset) => String(u32(nd, offset) | 0));
const octets = listOf(1, '.', (nd, offset) => String(u8(nd, offset)));
const flags = listOf(1, ',', (nd, offset) => ['N', 'Y'][u8(nd, offset)] ?? `${u8(nd, offset)}?`);

const text: OptionKind = (nd, offset, length) => {
  say(nd, `"${safeText(nd, offset, length)}"`);
  return 0;
};

/** The first octet by name. */
function named(names: Readonly<Record<number, string>>): OptionKind {
  return (nd, offset, length) => {
    if (length < 1) {
      say(nd, '[ERROR: length < 1 bytes]');
      return 0;
    }
    say(nd, nameOf(names, u8(nd, offset), '#%d'));
    return 0;
  };
}

const messageType: OptionKind = (nd, offset, length) => {
  if (length !== 1) return octets(nd, offset, length);
  say(nd, nameOf(messageTypes, u8(nd, offset), 'Unknown (%d)'));
  return 0;
};

/** What a value of an unknown kind looks like, by its length. */
const guessed: OptionKind = (nd, offset, length) => {
  if (length % 4 === 0) return longs(nd, offset, length);
  return (length % 2 === 0 ? shorts : octets)(nd, offset, length);
};

const kinds: ReadonlyMap<number, OptionKind> = new Map<number, OptionKind>([
  ...[1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 16, 28, 32, 41, 42, 44, 45, 48, 49, 50, 54, 65, 68, 69, 70, 71, 72, 73, 74, 75, 76, 92, 112, 118, 150]
    .map((tag) => [tag, addresses] as const),
  ...[12, 14, 15, 17, 18, 40, 47, 56, 60, 66, 67, 80, 88, 95, 98, 100, 101, 113, 114, 161].map((tag) => [tag, text] as const),
  ...[19, 20, 27, 29, 30, 31, 34, 36, 39, 116].map((tag) => [tag, flags] as const),
  ...[13, 22, 25, 26, 57, 64, 93, 117].map((tag) => [tag, shorts] as const),
  ...[24, 35, 38, 51, 58, 59, 91].map((tag) => [tag, longs] as const),
  ...[23, 37, 43, 78, 79, 83, 89, 90, 94, 97].map((tag) => [tag, octets] as const),
  [2, signedLongs], [21, pairs], [33, pairs], [46, named(nodeTypes)], [52, named(overloads)], [53, messageType], [55, parameterRequest],
  [61, clientId], [77, userClass], [81, fqdn], [82, relayAgent], [121, classlessRoutes], [249, classlessRoutes],
]);

/** A run of PADs, told as one under -vvv; returns what follows it. */
function padsPrint(nd: Dissection, offset: number): number {
  let at = offset;
  while (has(nd, at, 1) && u8(nd, at) === PAD) at++;
  if (nd.options.verbose > 2) say(nd, `\n\t    PAD (0), length 0${at - offset > 1 ? `, occurs ${at - offset}` : ''}`);
  return at;
}

/** The options from `offset` to the end mark, or the packet's end; what is behind the end mark is told under -vvv. */
export function dhcpOptionsPrint(nd: Dissection, offset: number): void {
  for (let at = offset; has(nd, at, 1);) {
    const tag = u8(nd, at);
    if (tag === PAD) {
      at = padsPrint(nd, at);
      continue;
    }
    if (tag === END) {
      if (nd.options.verbose <= 2) return;
      say(nd, '\n\t    END (255), length 0');
      at++;
      continue;
    }
    const length = u8(nd, at + 1);
    say(nd, `\n\t    ${nameOf(optionNames, tag, 'Unknown')} (${tag}), length ${length}${length > 0 ? ': ' : ''}`);
    need(nd, at + 2, length);
    const left = (kinds.get(tag) ?? guessed)(nd, at + 2, length);
    if (left > 0) say(nd, `\n\t  trailing data length ${left}`);
    at += 2 + length;
  }
}
