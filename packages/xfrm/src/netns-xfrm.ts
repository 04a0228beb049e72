/*
 * The structs of transformations: XfrmState (how packets of one tunnel are wrapped), XfrmPolicy
 * (which packets are), NetnsXfrm, hung on net.xfrm by installXfrm(). RFC 4301 §4.4 calls them SAD
 * and SPD.
 */

declare module '@stack/kernel' {
  interface NetLinks {
    xfrm: NetnsXfrm;
  }
}

/** A tunnel, one way: from saddr to daddr. At its end it is known by daddr and spi. */
export class XfrmState {
  saddr: number;
  daddr: number;
  spi: number;
  /** The sequence number of the last packet wrapped (RFC 4303 §2.2). */
  oseq: number;
  packets: number;
  bytes: number;

  constructor(saddr: number, daddr: number, spi: number) {
    this.saddr = saddr;
    this.daddr = daddr;
    this.spi = spi;
    this.oseq = 0;
    this.packets = 0;
    this.bytes = 0;
  }
}

/** Packets from src/srcLen to dst/dstLen leave by the tunnel `state`. */
export class XfrmPolicy {
  src: number;
  srcLen: number;
  dst: number;
  dstLen: number;
  state: XfrmState;

  constructor(src: number, srcLen: number, dst: number, dstLen: number, state: XfrmState) {
    this.src = src;
    this.srcLen = srcLen;
    this.dst = dst;
    this.dstLen = dstLen;
    this.state = state;
  }
}

/** The transformations of one Net. */
export class NetnsXfrm {
  states: XfrmState[];
  /** The first that matches decides. */
  policies: XfrmPolicy[];
  /** Bundles made before the last change of these are no longer valid. */
  genid: number;

  constructor() {
    this.states = [];
    this.policies = [];
    this.genid = 0;
  }
}
