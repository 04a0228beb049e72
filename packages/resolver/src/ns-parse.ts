/*
 * Reading a DNS message (RFC 1035 §4). nsParse() is the one way in: it reads header, questions and records, and gives
 * null for a message that is wrong anywhere. A Reader never reads past its end: it goes `bad` and gives zeros. A compressed
 * name (§4.1.4) may only point before where it stands, ever further back, so that no message makes a loop.
 */
import {
  DnsMessage, DnsQuestion, DnsRecord, Edns, MxData, NS_HFIXEDSZ, SoaData, SrvData, T_A, T_CNAME, T_HINFO, T_MX, T_NS, T_OPT, T_PTR, T_SOA,
  T_SRV, T_TXT, type Rdata,
} from './nameser.ts';
import { nsNameText } from './ns-name.ts';

const NS_MAXCDNAME = 255;
/** The two bits that make a length octet a pointer. */
const NS_CMPRSFLGS = 0xc0;

class Reader {
  buf: Uint8Array;
  at: number;
  /** Reading stops here: the message's end, or the record's. */
  end: number;
  bad: boolean;

  constructor(buf: Uint8Array) {
    this.buf = buf;
    this.at = 0;
    this.end = buf.length;
    this.bad = false;
  }
}

function octet(r: Reader): number {
  if (r.at >= r.end) {
    r.bad = true;
    return 0;
  }
  return r.buf[r.at++] ?? 0;
}

function word(r: Reader): number {
  return (octet(r) << 8) | octet(r);
}

/** 32 bits, unsigned. */
function long(r: Reader): number {
  return word(r) * 65536 + word(r);
}

function octets(r: Reader, count: number): Uint8Array {
  if (count > r.end - r.at) {
    r.bad = true;
    return new Uint8Array(0);
  }
  r.at += count;
  return r.buf.slice(r.at - count, r.at);
}

/** Octets as a string of char codes. */
function octetString(r: Reader, count: number): string {
  return String.fromCharCode(...octets(r, count));
}

/** A domain name. */
function readName(r: Reader): string {
  const labels: string[] = [];
  let length = 1;
  let resume = -1;
  let floor = r.at;
  for (let count = octet(r); count !== 0; count = octet(r)) {
    if ((count & NS_CMPRSFLGS) === NS_CMPRSFLGS) {
      const target = ((count & ~NS_CMPRSFLGS) << 8) | octet(r);
      if (target >= floor) r.bad = true;
      if (resume < 0) resume = r.at;
      floor = target;
      r.at = target;
    } else {
      length += count + 1;
      if ((count & NS_CMPRSFLGS) !== 0 || length > NS_MAXCDNAME) r.bad = true;
      else labels.push(octetString(r, count));
    }
    if (r.bad) return '';
  }
  if (resume >= 0) r.at = resume;
  return nsNameText(labels);
}

/** Character strings up to the end of the record. */
function readStrings(r: Reader): string[] {
  const strings: string[] = [];
  while (r.at < r.end && !r.bad) strings.push(octetString(r, octet(r)));
  return strings;
}

function readSoa(r: Reader): SoaData {
  const mname = readName(r);
  const rname = readName(r);
  return new SoaData(mname, rname, long(r), long(r), long(r), long(r), long(r));
}

function readSrv(r: Reader): SrvData {
  const [priority, weight, port] = [word(r), word(r), word(r)];
  return new SrvData(priority, weight, port, readName(r));
}

/** The data of a record, which end at r.end. */
function readRdata(r: Reader, type: number): Rdata {
  switch (type) {
    case T_A:
      return long(r) | 0;
    case T_NS:
    case T_CNAME:
    case T_PTR:
      return readName(r);
    case T_TXT:
    case T_HINFO:
      return readStrings(r);
    case T_MX: {
      const preference = word(r);
      return new MxData(preference, readName(r));
    }
    case T_SRV:
      return readSrv(r);
    case T_SOA:
      return readSoa(r);
    default:
      return octets(r, r.end - r.at);
  }
}

/** One record; null for the OPT pseudo-record, which becomes msg.edns. A second one, or one with a name, is bad (RFC 6891 §6.1.1). */
function readRecord(r: Reader, msg: DnsMessage): DnsRecord | null {
  const name = readName(r);
  const type = word(r);
  const rclass = word(r);
  const ttl = long(r);
  const length = word(r);
  const end = r.at + length;
  const messageEnd = r.end;
  if (r.bad || end > messageEnd) {
    r.bad = true;
    return null;
  }
  r.end = end;
  const data = readRdata(r, type);
  if (r.at !== end) r.bad = true;
  r.end = messageEnd;
  if (type === T_OPT) {
    if (msg.edns !== null || name !== '') r.bad = true;
    msg.edns = new Edns(rclass, (ttl >>> 16) & 255, ttl >>> 24);
    return null;
  }
  // RFC 2181 §8: a TTL with the highest bit set is 0.
  return new DnsRecord(name, type, ttl > 0x7fffffff ? 0 : ttl, data, rclass);
}

function readRecords(r: Reader, msg: DnsMessage, count: number, into: DnsRecord[]): void {
  for (let i = 0; i < count && !r.bad; i++) {
    const record = readRecord(r, msg);
    if (record !== null) into.push(record);
  }
}

/** Reads a message; null if it is cut short or malformed. What follows its last record is passed over. */
export function nsParse(buf: Uint8Array): DnsMessage | null {
  if (buf.length < NS_HFIXEDSZ) return null;
  const r = new Reader(buf);
  const msg = new DnsMessage(word(r), word(r));
  const [qdcount, ancount, nscount, arcount] = [word(r), word(r), word(r), word(r)];
  for (let i = 0; i < qdcount && !r.bad; i++) {
    const qname = readName(r);
    msg.question.push(new DnsQuestion(qname, word(r), word(r)));
  }
  readRecords(r, msg, ancount, msg.answer);
  readRecords(r, msg, nscount, msg.authority);
  readRecords(r, msg, arcount, msg.additional);
  return r.bad ? null : msg;
}
