// The sk_buff and what hangs on it: the structs of include/linux/skbuff.h, without behaviour.
//
// One SkBuff describes one packet at every layer. It points at a data area in a slab of the World's pool: `buf` and
// `view` are the whole slab, and head, data, tail, end and the three header fields are int32 offsets into them, so that
// no view is ever made for a packet. Behind the linear area, `shinfo` lists page fragments and further sk_buffs.
//
//   buf:  ....|head ... headroom ... |data ... linear part ... |tail ... tailroom ... |end ....
//             '------------------------ the slot of the pool (shinfo.page) ------------'
//
// skb.len counts linear part, fragments and fragList; skb.dataLen counts what is not in the linear part.

import type { Net } from '@stack/kernel';
import type { DstEntry } from './dst.ts';
import type { Page } from './page.ts';

/** Types of the layers above that a sk_buff or a dst refers to. The owner merges its own in: `declare module '@stack/skbuff' { interface SkbLinks { dev: NetDevice } }`. */
export interface SkbLinks {}

/** The type of a reference that points up: the owner's type or null; `unknown` where its package is not loaded. */
export type Link<K extends string> = K extends keyof SkbLinks ? SkbLinks[K] | null : unknown;

/** Most page fragments of one sk_buff (MAX_SKB_FRAGS). */
export const MAX_SKB_FRAGS = 17;

/** skb.ipSummed: nobody has looked at the checksum (receive); the protocol has filled it in (send). */
export const CHECKSUM_NONE = 0;
/** skb.ipSummed, receive: the device has verified it. */
export const CHECKSUM_UNNECESSARY = 1;
/** skb.ipSummed, receive: skb.csum is the sum of the whole packet from skb.data on. */
export const CHECKSUM_COMPLETE = 2;
/** skb.ipSummed: the checksum from csumStart to the end of the packet is still to be put at csumStart + csumOffset. */
export const CHECKSUM_PARTIAL = 3;

/** shinfo.gsoType: TCP over IPv4. */
export const SKB_GSO_TCPV4 = 1 << 0;
/** shinfo.gsoType: from a source that is not trusted: gsoSegs must be computed again. */
export const SKB_GSO_DODGY = 1 << 1;
/** shinfo.gsoType: only the first segment carries CWR. */
export const SKB_GSO_TCP_ECN = 1 << 2;
/** shinfo.gsoType: all segments carry the same IP id. */
export const SKB_GSO_TCP_FIXEDID = 1 << 3;
/** shinfo.gsoType: TCP over IPv6. */
export const SKB_GSO_TCPV6 = 1 << 4;
/** shinfo.gsoType: UDP, one datagram per gsoSize. */
export const SKB_GSO_UDP_L4 = 1 << 17;

/** A piece of a packet in a page. */
export class SkbFrag {
  /** Memory that the fragment holds one reference on; null in an unused slot. */
  page: Page | null;
  /** Where the piece begins: offset into page.buf (like every offset of an sk_buff; not relative to page.base). */
  offset: number;
  /** Bytes. */
  size: number;

  constructor() {
    this.page = null;
    this.offset = 0;
    this.size = 0;
  }
}

/** What to call when the last sk_buff that shares user memory (zero copy) has gone. */
export interface UbufInfoOps {
  /** Called once, with no reference left. `success`: the data was sent without a copy. */
  readonly complete: (uarg: UbufInfo, success: boolean) => void;
}

/** A reference counted notification of zero copy, shared by the sk_buffs of one call. */
export class UbufInfo {
  ops: UbufInfoOps;
  refcnt: number;
  /** Whose memory it is: free for the ops' use. */
  data: unknown;

  constructor(ops: UbufInfoOps, data: unknown) {
    this.ops = ops;
    this.refcnt = 1;
    this.data = data;
  }
}

/** How netfilter's connection tracking gets its reference back. */
export interface NfConntrackOps {
  /** Called when the last reference has gone. */
  readonly destroy: (nfct: NfConntrack) => void;
}

/** What a sk_buff knows of a tracked connection (struct nf_conntrack): nf_conn extends it. */
export class NfConntrack {
  use: number;
  ops: NfConntrackOps;

  constructor(ops: NfConntrackOps) {
    this.use = 1;
    this.ops = ops;
  }
}

/** What all clones of one data area share (struct skb_shared_info). It belongs to the slot of the linear area. */
export class SkbSharedInfo {
  /** Low 16 bits: sk_buffs that use the area; high 16 bits: how many of them have given up its headers (nohdr). */
  dataref: number;
  nrFrags: number;
  gsoSize: number;
  gsoSegs: number;
  gsoType: number;
  txFlags: number;
  /** Time stamp key of SO_TIMESTAMPING. */
  tskey: number;
  fragList: SkBuff | null;
  uarg: UbufInfo | null;
  /** Slot of the linear area; the shared info holds one reference on it. */
  page: Page;
  /** MAX_SKB_FRAGS objects made once; the first nrFrags are in use. */
  frags: SkbFrag[];

  constructor(page: Page) {
    this.dataref = 0;
    this.nrFrags = 0;
    this.gsoSize = 0;
    this.gsoSegs = 0;
    this.gsoType = 0;
    this.txFlags = 0;
    this.tskey = 0;
    this.fragList = null;
    this.uarg = null;
    this.page = page;
    this.frags = [];
    for (let i = 0; i < MAX_SKB_FRAGS; i++) this.frags.push(new SkbFrag());
  }
}

/** Low half of SkbSharedInfo.dataref: references to the area. */
export const SKB_DATAREF_MASK = 0xffff;
/** Shift of the high half of SkbSharedInfo.dataref: references that are to the payload only. */
export const SKB_DATAREF_SHIFT = 16;

/** One packet. Objects come from the pool (allocSkb, skbClone, …) and go back to it (kfreeSkb, consumeSkb). */
export class SkBuff {
  // queue
  next: SkBuff | null;
  prev: SkBuff | null;
  /** The queue that it is on, null when on none. */
  list: SkBuffHead | null;
  /** Links of a tree (rbtree.ts), or of what else the owner defines. */
  left: SkBuff | null;
  right: SkBuff | null;
  parent: SkBuff | null;
  red: boolean;

  // owner
  /** The host that it is in: its pool, its drop counters, its trace. Devices that join two hosts move it. */
  net: Net;
  /** Number in the World, for traces. */
  id: number;
  /** References to this object; 0 once freed. */
  users: number;
  sk: Link<'sk'>;
  dev: Link<'dev'>;
  dst: DstEntry | null;
  nfct: NfConntrack | null;
  nfctinfo: number;
  mark: number;
  /** Called once when the sk_buff is freed or orphaned: gives its memory back to the sock's account. */
  destructor: ((skb: SkBuff) => void) | null;

  // data area
  /** The slab that the linear area is in, as bytes. */
  buf: Uint8Array;
  /** The same slab, for big-endian header fields. */
  view: DataView;
  shinfo: SkbSharedInfo;
  head: number;
  data: number;
  tail: number;
  end: number;
  /** All bytes of the packet from data on. */
  len: number;
  /** Those of them in fragments and fragList. */
  dataLen: number;
  /** Memory that it occupies, in bytes, for the accounts of socks. */
  truesize: number;

  // headers: offsets into buf, -1 = not set
  macHeader: number;
  networkHeader: number;
  transportHeader: number;
  macLen: number;
  /** Inner headers are valid (a tunnel's). */
  encapsulation: boolean;

  // state
  /** ETH_P_*, host order. */
  protocol: number;
  /** PACKET_*: for whom it is, seen from the link. */
  pktType: number;
  /** CHECKSUM_*. */
  ipSummed: number;
  /** CHECKSUM_COMPLETE: sum of the packet; otherwise the protocol's own use. */
  csum: number;
  /** CHECKSUM_PARTIAL: where summing begins, from head. */
  csumStart: number;
  /** CHECKSUM_PARTIAL: where the checksum goes, from csumStart. */
  csumOffset: number;
  /** CHECKSUM_UNNECESSARY: how many checksums beyond the first the device has verified. */
  csumLevel: number;
  priority: number;
  hash: number;
  queueMapping: number;
  vlanTci: number;
  vlanProto: number;
  /** ifindex that it arrived on. */
  skbIif: number;
  /** Nanoseconds of the World's clock, 0 = none. */
  tstamp: number;
  /** The data area may be shared with another sk_buff (ask skbCloned). */
  cloned: boolean;
  /** Only the payload of the data area is referred to: a clone owns the headers. */
  nohdr: boolean;
  /** The linear area may become a fragment of another sk_buff (head_frag). Any of the pool may; a device that stands for one with other memory says no. */
  headFrag: boolean;
  peeked: boolean;

  // control block: the layer that has the packet owns these (TCP_SKB_CB, IPCB, …)
  cb0: number;
  cb1: number;
  cb2: number;
  cb3: number;
  cb4: number;
  cb5: number;
  cb6: number;
  cb7: number;
  cb8: number;
  cb9: number;
  cb10: number;
  cb11: number;

  constructor(net: Net, page: Page, shinfo: SkbSharedInfo) {
    this.next = null;
    this.prev = null;
    this.list = null;
    this.left = null;
    this.right = null;
    this.parent = null;
    this.red = false;
    this.net = net;
    this.id = 0;
    this.users = 0;
    this.sk = null;
    this.dev = null;
    this.dst = null;
    this.nfct = null;
    this.nfctinfo = 0;
    this.mark = 0;
    this.destructor = null;
    this.buf = page.buf;
    this.view = page.view;
    this.shinfo = shinfo;
    this.head = 0;
    this.data = 0;
    this.tail = 0;
    this.end = 0;
    this.len = 0;
    this.dataLen = 0;
    this.truesize = 0;
    this.macHeader = -1;
    this.networkHeader = -1;
    this.transportHeader = -1;
    this.macLen = 0;
    this.encapsulation = false;
    this.protocol = 0;
    this.pktType = 0;
    this.ipSummed = 0;
    this.csum = 0;
    this.csumStart = 0;
    this.csumOffset = 0;
    this.csumLevel = 0;
    this.priority = 0;
    this.hash = 0;
    this.queueMapping = 0;
    this.vlanTci = 0;
    this.vlanProto = 0;
    this.skbIif = 0;
    this.tstamp = 0;
    this.cloned = false;
    this.nohdr = false;
    this.headFrag = true;
    this.peeked = false;
    this.cb0 = 0;
    this.cb1 = 0;
    this.cb2 = 0;
    this.cb3 = 0;
    this.cb4 = 0;
    this.cb5 = 0;
    this.cb6 = 0;
    this.cb7 = 0;
    this.cb8 = 0;
    this.cb9 = 0;
    this.cb10 = 0;
    this.cb11 = 0;
  }
}

/** Head of a doubly linked queue. Both ends are null when empty; the last sk_buff's next and the first's prev are null. */
export class SkBuffHead {
  /** First sk_buff. */
  next: SkBuff | null;
  /** Last sk_buff. */
  prev: SkBuff | null;
  qlen: number;

  constructor() {
    this.next = null;
    this.prev = null;
    this.qlen = 0;
  }
}
