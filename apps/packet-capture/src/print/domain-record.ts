/*
 * Resource records of DNS (RFC 1035 §3.2, RFC 3596, RFC 2782, RFC 6891, RFC 7553).
 */
import { Truncated, has, say, u16, u32, u8, type Dissection } from './dissect.ts';
import type { Message } from './domain.ts';
import { namePrint, skipName } from './domain-name.ts';
import { ednsOptionsPrint } from './edns.ts';
import { ip4, ip6, nameOf, relativeTime, safeText } from './text.ts';

const T_OPT = 41;
const CACHE_FLUSH = 0x8000;

const types: Readonly<Record<number, string>> = {
  1: 'A', 2: 'NS', 3: 'MD', 4: 'MF', 5: 'CNAME', 6: 'SOA', 7: 'MB', 8: 'MG', 9: 'MR', 10: 'NULL', 11: 'WKS', 12: 'PTR', 13: 'HINFO',
  14: 'MINFO', 15: 'MX', 16: 'TXT', 17: 'RP', 18: 'AFSDB', 19: 'X25', 20: 'ISDN', 21: 'RT', 22: 'NSAP', 23: 'NSAP_PTR', 24: 'SIG',
  25: 'KEY', 26: 'PX', 27: 'GPOS', 28: 'AAAA', 29: 'LOC', 30: 'NXT', 31: 'EID', 32: 'NIMLOC', 33: 'SRV', 34: 'ATMA', 35: 'NAPTR', 36: 'KX',
  37: 'CERT', 38: 'A6', 39: 'DNAME', 40: 'SINK', 41: 'OPT', 42: 'APL', 43: 'DS', 44: 'SSHFP', 45: 'IPSECKEY', 46: 'RRSIG', 47: 'NSEC',
  48: 'DNSKEY', 99: 'SPF', 100: 'UINFO', 101: 'UID', 102: 'GID', 103: 'UNSPEC', 104: 'UNSPECA', 249: 'TKEY', 250: 'TSIG', 251: 'IXFR',
  252: 'AXFR', 253: 'MAILB', 254: 'MAILA', 255: 'ANY', 256: 'URI',
};

const classes: Readonly<Record<number, string>> = { 1: 'IN', 3: 'CHAOS', 4: 'HS', 255: 'ANY' };

export function typeName(type: number): string {
  return nameOf(types, type, 'Type%d');
}

/** A class with a space before it; the Internet's goes without saying. */
export function classText(value: number): string {
  return value === 1 ? '' : ` ${nameOf(classes, value, '(Class %d)')}`;
}

/** Where a record's data lie. */
interface Data {
  readonly at: number;
  readonly end: number;
  readonly start: number;
  /** UDP size of OPT. */
  readonly class: number;
  readonly ttl: number;
}

type DataPrinter = (nd: Dissection, data: Data) => void;

function sayName(nd: Dissection, offset: number, start: number): void {
  say(nd, ' ');
  namePrint(nd, offset, start);
}

const address: DataPrinter = (nd, { at }) => say(nd, ` ${ip4(nd, at)}`);
const address6: DataPrinter = (nd, { at }) => say(nd, ` ${ip6(nd, at)}`);
const name: DataPrinter = (nd, { at, start }) => sayName(nd, at, start);

const startOfAuthority: DataPrinter = (nd, { at, start }) => {
  if (nd.options.verbose === 0) return;
  sayName(nd, at, start);
  const mailbox = skipName(nd, at);
  sayName(nd, mailbox, start);
  const numbers = skipName(nd, mailbox);
  for (let i = 0; i < 5; i++) say(nd, ` ${u32(nd, numbers + 4 * i)}`);
};

const mailExchange: DataPrinter = (nd, { at, start }) => {
  sayName(nd, at + 2, start);
  say(nd, ` ${u16(nd, at)}`);
};

const texts: DataPrinter = (nd, { at, end }) => {
  for (let from = at; from < end;) {
    const length = u8(nd, from);
    say(nd, ` "${safeText(nd, from + 1, length)}"`);
    from += 1 + length;
  }
};

const service: DataPrinter = (nd, { at, start }) => {
  sayName(nd, at + 6, start);
  say(nd, `:${u16(nd, at + 4)} ${u16(nd, at)} ${u16(nd, at + 2)}`);
};

const resourceIdentifier: DataPrinter = (nd, { at, end }) => {
  say(nd, ` ${u16(nd, at)} ${u16(nd, at + 2)} ${safeText(nd, at + 4, Math.max(0, end - at - 4))}`);
};

const extension: DataPrinter = (nd, data) => {
  say(nd, ` UDPsize=${data.class}`);
  if ((data.ttl & 0x8000) !== 0) say(nd, ' DO');
  if (data.end > data.at) ednsOptionsPrint(nd, data.at, data.end);
};

const printers: Readonly<Record<number, DataPrinter>> = {
  1: address, 2: name, 5: name, 6: startOfAuthority, 7: name, 8: name, 9: name, 12: name, 15: mailExchange, 16: texts, 28: address6,
  33: service, 39: name, [T_OPT]: extension, 99: texts, 256: resourceIdentifier,
};

/** The record at the place that the message is read to, which it moves behind it. */
export function recordPrint(nd: Dissection, message: Message): void {
  if (nd.options.verbose > 0) sayName(nd, message.at, message.start);
  const at = skipName(nd, message.at);
  if (!has(nd, at, 10)) {
    message.at = nd.end;
    return;
  }
  const type = u16(nd, at);
  const field = u16(nd, at + 2);
  const ttl = u32(nd, at + 4);
  const value = message.multicast ? field & ~CACHE_FLUSH : field;
  if (type !== T_OPT) say(nd, classText(value));
  if (message.multicast && (field & CACHE_FLUSH) !== 0) say(nd, ' (Cache flush)');
  if (nd.options.verbose > 2 && type !== T_OPT) say(nd, ` [${relativeTime(ttl)}]`);
  say(nd, ` ${typeName(type)}`);
  const end = at + 10 + u16(nd, at + 8);
  if (end > nd.end) throw new Truncated();
  message.at = end;
  printers[type]?.(nd, { at: at + 10, end, start: message.start, class: value, ttl });
}

/** The eight upper bits of the response code, which the OPT record among `records` of them has (RFC 6891 §6.1.3); 0 without one. */
export function extendedResponse(nd: Dissection, offset: number, records: number): number {
  let at = offset;
  for (let i = 0; i < records; i++) {
    at = skipName(nd, at);
    if (u16(nd, at) === T_OPT) return u8(nd, at + 4);
    at += 10 + u16(nd, at + 8);
  }
  return 0;
}
