/*
 * What the limits of ICMP errors remember; icmp-ratelimit.ts applies them.
 */

/** One destination of errors (the kernel's inet_peer, as far as ICMP needs it). */
export class IcmpPeer {
  /** Milliseconds of credit. */
  rateTokens: number;
  /** Jiffies of the last error. */
  rateLast: number;

  constructor(now: number) {
    this.rateTokens = 0;
    this.rateLast = now;
  }
}

/** Per Net: the bucket for all errors, and one per destination. */
export class IcmpLimits {
  credit: number;
  /** Jiffies of the last refill. */
  stamp: number;
  /** By address; the one used longest ago is the first. */
  peers: Map<number, IcmpPeer>;

  constructor() {
    this.credit = 0;
    this.stamp = 0;
    this.peers = new Map();
  }
}
