/*
 * DNS in numbers and structs (arpa/nameser.h): record types, flags, and the message that ns-parse.ts reads and
 * ns-build.ts writes. A name is text without its last dot, the root is ''; dots and odd octets inside a label are
 * escaped as master files have them (RFC 1035 §5.1). Read first: RFC 1035 §3–4, RFC 6891 (EDNS).
 */

/** Octets of a message's header. */
export const NS_HFIXEDSZ = 12;
/** Octets that a message over UDP has at most, without EDNS (RFC 1035 §2.3.4). */
export const NS_PACKETSZ = 512;
/** What EDNS is offered and taken here: fits an unfragmented datagram on any path (RFC 9715 §3). */
export const NS_EDNSSZ = 1232;
/** Octets of a message over TCP at most. */
export const NS_MAXMSG = 65535;

export const T_A = 1;
export const T_NS = 2;
export const T_CNAME = 5;
export const T_SOA = 6;
export const T_PTR = 12;
export const T_HINFO = 13;
export const T_MX = 15;
export const T_TXT = 16;
export const T_AAAA = 28;
export const T_SRV = 33;
export const T_OPT = 41;
export const T_IXFR = 251;
export const T_AXFR = 252;
export const T_ANY = 255;

export const C_IN = 1;

/* Flags in the second word of the header. */
export const NS_QR = 0x8000;
export const NS_OPCODE = 0x7800;
export const NS_AA = 0x0400;
export const NS_TC = 0x0200;
export const NS_RD = 0x0100;
export const NS_RA = 0x0080;
export const NS_CD = 0x0010;
export const NS_RCODE = 0x000f;

export const NOERROR = 0;
export const FORMERR = 1;
export const SERVFAIL = 2;
export const NXDOMAIN = 3;
export const NOTIMP = 4;
export const REFUSED = 5;
/** An extended one (RFC 6891 §6.1.3). */
export const BADVERS = 16;

/** A question (RFC 1035 §4.1.2). */
export class DnsQuestion {
  qname: string;
  qtype: number;
  qclass: number;

  constructor(qname: string, qtype: number, qclass = C_IN) {
    this.qname = qname;
    this.qtype = qtype;
    this.qclass = qclass;
  }
}

/** Data of an MX record. */
export class MxData {
  preference: number;
  exchange: string;

  constructor(preference: number, exchange: string) {
    this.preference = preference;
    this.exchange = exchange;
  }
}

/** Data of an SRV record (RFC 2782). */
export class SrvData {
  priority: number;
  weight: number;
  port: number;
  target: string;

  constructor(priority: number, weight: number, port: number, target: string) {
    this.priority = priority;
    this.weight = weight;
    this.port = port;
    this.target = target;
  }
}

/** Data of an SOA record; times in seconds. `minimum` is how long a negative answer may be kept (RFC 2308 §4). */
export class SoaData {
  mname: string;
  rname: string;
  serial: number;
  refresh: number;
  retry: number;
  expire: number;
  minimum: number;

  constructor(mname: string, rname: string, serial: number, refresh: number, retry: number, expire: number, minimum: number) {
    this.mname = mname;
    this.rname = rname;
    this.serial = serial;
    this.refresh = refresh;
    this.retry = retry;
    this.expire = expire;
    this.minimum = minimum;
  }
}

/**
 * The data of a record: an address (A), a name (NS, CNAME, PTR), character strings (TXT, HINFO), a struct (MX, SRV, SOA),
 * else the octets as they are (AAAA, and every type not known here: RFC 3597).
 */
export type Rdata = number | string | readonly string[] | MxData | SrvData | SoaData | Uint8Array;

/** A resource record (RFC 1035 §4.1.3); its time to live is in seconds. */
export class DnsRecord {
  name: string;
  type: number;
  class: number;
  /** Seconds. */
  ttl: number;
  data: Rdata;

  constructor(name: string, type: number, ttl: number, data: Rdata, rclass = C_IN) {
    this.name = name;
    this.type = type;
    this.class = rclass;
    this.ttl = ttl;
    this.data = data;
  }
}

/** What the OPT pseudo-record says (RFC 6891 §6.1). Options in it are passed over. */
export class Edns {
  /** Octets that the sender takes over UDP. */
  udpSize: number;
  version: number;
  /** The upper 8 bits of the rcode. */
  extRcode: number;

  constructor(udpSize: number, version = 0, extRcode = 0) {
    this.udpSize = udpSize;
    this.version = version;
    this.extRcode = extRcode;
  }
}

/** A message (RFC 1035 §4.1), as nsParse() reads it and nsBuild() writes it. */
export class DnsMessage {
  id: number;
  /** The second word of the header: NS_* */
  flags: number;
  question: DnsQuestion[];
  answer: DnsRecord[];
  authority: DnsRecord[];
  additional: DnsRecord[];
  edns: Edns | null;

  constructor(id: number, flags: number) {
    this.id = id;
    this.flags = flags;
    this.question = [];
    this.answer = [];
    this.authority = [];
    this.additional = [];
    this.edns = null;
  }
}

/** The rcode, with EDNS's upper bits. */
export function nsRcode(msg: DnsMessage): number {
  return (msg.flags & NS_RCODE) | (msg.edns === null ? 0 : msg.edns.extRcode << 4);
}
