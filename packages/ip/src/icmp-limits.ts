/*
 * What the limits of ICMP errors remember; icmp-ratelimit.ts applies them.
 */

/** One host that ICMP messages went to (the kernel's inet_peer, as far as ICMP needs it). */
export class IcmpPeer {
  /** Milliseconds of credit. */
  rateTokens: number;
  /** Jiffies of the last error. */
  rateLast: number;
  /** Redirects sent without effect, and the jiffies of the last. */
  redirects: number;
  redirectLast: number;

  constructor(now: number) {
    this.rateTokens = 0;
    this.rateLast = now;
    this.redirects = 0;
    this.redirectLast = now;
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
