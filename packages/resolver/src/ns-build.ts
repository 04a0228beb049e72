/*
 * Writing a DNS message (RFC 1035 §4). nsBuild() writes it into at most `limit` octets; what does not fit is left out and
 * TC is set (RFC 2181 §9): additional records go without a word, an answer that does not fit takes the records with it.
 * Names are compressed (§4.1.4) where RFC 3597 §4 allows it: the owner, and the data of the types of RFC 1035.
 */
import {
  MxData, NS_MAXMSG, NS_TC, SoaData, SrvData, T_OPT, T_SRV, type DnsMessage, type DnsRecord, type Edns, type Rdata,
} from './nameser.ts';
import { nsNameLabels, nsNameText } from './ns-name.ts';

/** A pointer reaches so far. */
const MAX_POINTER = 0x3fff;
/** Octets of an OPT pseudo-record without options. */
const OPT_LEN = 11;

class Writer {
  buf: Uint8Array;
  at: number;
  /** Where a name, or the rest of one, was written: by its text. */
  names: Map<string, number>;
  /** Something did not fit, or was no name. */
  full: boolean;

  constructor(limit: number) {
    this.buf = new Uint8Array(limit);
    this.at = 0;
    this.names = new Map();
    this.full = false;
  }
}

function putOctet(w: Writer, value: number): void {
  if (w.at < w.buf.length) w.buf[w.at++] = value;
  else w.full = true;
}

function putWord(w: Writer, value: number): void {
  putOctet(w, value >>> 8);
  putOctet(w, value);
}

function putLong(w: Writer, value: number): void {
  putWord(w, value >>> 16);
  putWord(w, value);
}

function putOctets(w: Writer, bytes: Uint8Array): void {
  if (bytes.length > w.buf.length - w.at) {
    w.full = true;
    return;
  }
  w.buf.set(bytes, w.at);
  w.at += bytes.length;
}

/** A string of at most 255 octets behind its length. */
function putString(w: Writer, text: string): void {
  if (text.length > 255) w.full = true;
  putOctet(w, text.length);
  for (let i = 0; i < text.length; i++) putOctet(w, text.charCodeAt(i));
}

function putName(w: Writer, name: string, compress: boolean): void {
  const labels = nsNameLabels(name);
  if (labels === null) {
    w.full = true;
    return;
  }
  for (let i = 0; i < labels.length; i++) {
    const rest = nsNameText(labels.slice(i));
    const known = w.names.get(rest);
    if (known !== undefined && compress) {
      putWord(w, 0xc000 | known);
      return;
    }
    if (w.at <= MAX_POINTER && known === undefined) w.names.set(rest, w.at);
    putString(w, labels[i] ?? '');
  }
  putOctet(w, 0);
}

function putSoa(w: Writer, soa: SoaData): void {
  putName(w, soa.mname, true);
  putName(w, soa.rname, true);
  for (const value of [soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum]) putLong(w, value);
}

function putRdata(w: Writer, type: number, data: Rdata): void {
  if (typeof data === 'number') {
    putLong(w, data);
  } else if (typeof data === 'string') {
    putName(w, data, true);
  } else if (data instanceof Uint8Array) {
    putOctets(w, data);
  } else if (data instanceof SoaData) {
    putSoa(w, data);
  } else if (data instanceof MxData) {
    putWord(w, data.preference);
    putName(w, data.exchange, true);
  } else if (data instanceof SrvData) {
    for (const value of [data.priority, data.weight, data.port]) putWord(w, value);
    putName(w, data.target, type !== T_SRV);
  } else {
    for (const text of data) putString(w, text);
  }
}

/** Writes one record, or nothing. Returns whether it fitted. */
function putRecord(w: Writer, record: DnsRecord): boolean {
  const start = w.at;
  putName(w, record.name, true);
  putWord(w, record.type);
  putWord(w, record.class);
  putLong(w, record.ttl);
  const lengthAt = w.at;
  putWord(w, 0);
  putRdata(w, record.type, record.data);
  if (w.full) {
    for (const [name, at] of w.names) if (at >= start) w.names.delete(name);
    w.at = start;
    return false;
  }
  const length = w.at - lengthAt - 2;
  w.buf[lengthAt] = length >>> 8;
  w.buf[lengthAt + 1] = length;
  return true;
}

/** Writes records as far as they fit; returns how many. `w.full` is set if some did not. */
function putRecords(w: Writer, records: readonly DnsRecord[]): number {
  let count = 0;
  while (count < records.length && putRecord(w, records[count] as DnsRecord)) count++;
  return count;
}

function putOpt(w: Writer, edns: Edns): void {
  putOctet(w, 0);
  putWord(w, T_OPT);
  putWord(w, edns.udpSize);
  putLong(w, (edns.extRcode << 24) | (edns.version << 16));
  putWord(w, 0);
}

/**
 * Writes a message of at most `limit` octets. A message whose answer or authority does not fit has TC set, and the records of the
 * section that did. Throws a TypeError if the question itself does not fit or is no name: nobody asked it.
 */
export function nsBuild(msg: DnsMessage, limit = NS_MAXMSG): Uint8Array {
  const room = msg.edns === null ? 0 : OPT_LEN;
  const w = new Writer(limit - room);
  putWord(w, msg.id);
  putWord(w, msg.flags);
  putWord(w, msg.question.length);
  for (let i = 0; i < 3; i++) putWord(w, 0);
  for (const { qname, qtype, qclass } of msg.question) {
    putName(w, qname, true);
    putWord(w, qtype);
    putWord(w, qclass);
  }
  if (w.full) throw new TypeError(`no DNS question: ${msg.question.map((question) => question.qname).join(', ')}`);
  const answers = putRecords(w, msg.answer);
  const authorities = w.full ? 0 : putRecords(w, msg.authority);
  const truncated = w.full;
  const additionals = w.full ? 0 : putRecords(w, msg.additional);
  const out = new Uint8Array(w.at + room);
  out.set(w.buf.subarray(0, w.at));
  const view = new DataView(out.buffer);
  if (truncated) view.setUint16(2, msg.flags | NS_TC);
  view.setUint16(6, answers);
  view.setUint16(8, authorities);
  view.setUint16(10, additionals + (msg.edns === null ? 0 : 1));
  if (msg.edns !== null) {
    const tail = new Writer(OPT_LEN);
    putOpt(tail, msg.edns);
    out.set(tail.buf, w.at);
  }
  return out;
}
