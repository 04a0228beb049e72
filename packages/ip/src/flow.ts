/*
 * Flowi4: what a packet that wants to leave says of itself; the question put to the routing tables.
 *
 * Filled in by flowi4InitOutput(), put to ipRouteOutputFlow(), which fills in what was left open
 * (saddr, daddr, oif). One is kept per Net for the packet path; connect() makes its own.
 */

/** flowi4Flags: any source address will do, even one that is not ours. */
export const FLOWI_FLAG_ANYSRC = 0x01;
export const FLOWI_FLAG_KNOWN_NH = 0x02;

/** Scopes: how far away a destination may be (rtnetlink(7)). A greater number is nearer. */
export const RT_SCOPE_UNIVERSE = 0;
export const RT_SCOPE_SITE = 200;
export const RT_SCOPE_LINK = 253;
export const RT_SCOPE_HOST = 254;
export const RT_SCOPE_NOWHERE = 255;

/** Bit in a route's tos: the destination must be on the link itself (SO_DONTROUTE). */
export const RTO_ONLINK = 0x01;

/** A flow of IPv4 packets. */
export class Flowi4 {
  flowi4Oif: number;
  flowi4Iif: number;
  flowi4Mark: number;
  /** The TOS bits that routing looks at (IPTOS_RT_MASK). */
  flowi4Tos: number;
  flowi4Scope: number;
  flowi4Proto: number;
  flowi4Flags: number;
  saddr: number;
  daddr: number;
  fl4Sport: number;
  fl4Dport: number;

  constructor() {
    this.flowi4Oif = 0;
    this.flowi4Iif = 0;
    this.flowi4Mark = 0;
    this.flowi4Tos = 0;
    this.flowi4Scope = 0;
    this.flowi4Proto = 0;
    this.flowi4Flags = 0;
    this.saddr = 0;
    this.daddr = 0;
    this.fl4Sport = 0;
    this.fl4Dport = 0;
  }
}

/** Fills in fl for a question that no packet asks: which way leads to daddr? iif 0: from here; oif 0: by any device. */
export function flowi4InitLookup(fl: Flowi4, daddr: number, saddr: number, iif: number, oif: number, tos: number, scope: number): void {
  fl.flowi4Oif = oif;
  fl.flowi4Iif = iif;
  fl.flowi4Mark = 0;
  fl.flowi4Tos = tos;
  fl.flowi4Scope = scope;
  fl.saddr = saddr;
  fl.daddr = daddr;
}

/** Fills in fl for a packet made here. Ports are host-order numbers; oif 0 and saddr 0 leave the choice to the tables. */
export function flowi4InitOutput(
  fl: Flowi4, oif: number, mark: number, tos: number, scope: number, proto: number, flags: number,
  daddr: number, saddr: number, dport: number, sport: number,
): void {
  fl.flowi4Oif = oif;
  fl.flowi4Iif = 0;
  fl.flowi4Mark = mark;
  fl.flowi4Tos = tos;
  fl.flowi4Scope = scope;
  fl.flowi4Proto = proto;
  fl.flowi4Flags = flags;
  fl.saddr = saddr;
  fl.daddr = daddr;
  fl.fl4Sport = sport;
  fl.fl4Dport = dport;
}
