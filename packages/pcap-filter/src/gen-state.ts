// What the generator knows while it walks a filter: where in a packet each layer begins, and which scratch cells are taken.
//
// createGen() sets the offsets of a link type; `vlan`, `mpls` and `pppoes` move them, for all of the filter behind them: that is
// libpcap's rule, parentheses or not. load() and compare() make the loads and tests that all the other files are made of.

import { BPF_ABS, BPF_ALU, BPF_AND, BPF_B, BPF_IMM, BPF_IND, BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JSET, BPF_K, BPF_LD, BPF_LDX, BPF_MEMWORDS, BPF_MSH } from './bpf.ts';
import { test, not, type Condition, type Statement } from './condition.ts';
import { FilterError } from './error.ts';
import { linkLayer, linkTypeName } from './link-types.ts';
import type { Token } from './lexer.ts';
import type { FilterNames } from './resolve.ts';

/** What an offset is counted from. */
export const OR_PACKET = 0;
export const OR_LINKHDR = 1;
export const OR_LINKTYPE = 2;
/** The header behind the link layer's: 802.2's, where there is one. */
export const OR_LLC = 3;
/** The network layer's header; where 802.2 is before it, with SNAP and without. */
export const OR_LINKPL = 4;
export const OR_LINKPL_NOSNAP = 5;
export const OR_MPLSPL = 6;
export const OR_PREVMPLSHDR = 7;
/** The transport's header behind an IPv4 header, whose length the packet says, and behind an IPv6 header without extensions. */
export const OR_TRAN_IPV4 = 8;
export const OR_TRAN_IPV6 = 9;

const IP6_HDRLEN = 40;
const MPLS_HDRLEN = 4;
const ALL_ONES = -1;

export class Gen {
  text: string;
  names: FilterNames;
  netmask: number;
  swapped: boolean;
  linkType: number;
  offLinkhdr: number;
  /** -1: the link layer has no type. */
  offLinktype: number;
  offLinkpl: number;
  offNl: number;
  offNlNosnap: number;
  labelStackDepth: number;
  regused: boolean[];
  curreg: number;

  constructor(text: string, linkType: number, netmask: number, swapped: boolean, names: FilterNames) {
    const layer = linkLayer(linkType);
    this.text = text;
    this.names = names;
    this.netmask = netmask;
    this.swapped = swapped;
    this.linkType = linkType;
    this.offLinkhdr = 0;
    this.offLinktype = layer === null ? -1 : layer.linkType;
    this.offLinkpl = layer === null ? 0 : layer.payload;
    this.offNl = 0;
    this.offNlNosnap = layer === null ? 0 : layer.afterLlc;
    this.labelStackDepth = 0;
    this.regused = new Array<boolean>(BPF_MEMWORDS).fill(false);
    this.curreg = 0;
  }
}

/** A generator for packets of `linkType`. Throws a FilterError if it is not known. */
export function createGen(text: string, linkType: number, netmask: number, swapped: boolean, names: FilterNames): Gen {
  if (linkLayer(linkType) === null) throw new FilterError(`filters on link type ${linkTypeName(linkType)} are not supported`, text, 0, text.trim().length);
  return new Gen(text, linkType, netmask, swapped, names);
}

/** The error of a word that makes no sense where it stands. */
export function wrong(gen: Gen, word: Token, reason: string): FilterError {
  return new FilterError(reason, gen.text, word.at, word.length);
}

export function stmt(code: number, k = 0): Statement {
  return { code, k: k | 0 };
}

/** Loads `size` (BPF_B, BPF_H, BPF_W) at `offset` from `rel` into the accumulator. */
export function load(gen: Gen, rel: number, offset: number, size: number): Statement[] {
  if (rel === OR_TRAN_IPV4) return [...loadIpHeaderLength(gen), stmt(BPF_LD | BPF_IND | size, gen.offLinkpl + gen.offNl + offset)];
  return [stmt(BPF_LD | BPF_ABS | size, base(gen, rel) + offset)];
}

function base(gen: Gen, rel: number): number {
  switch (rel) {
    case OR_LINKHDR: return gen.offLinkhdr;
    case OR_LINKTYPE: return gen.offLinktype;
    case OR_LLC: return gen.offLinkpl;
    case OR_LINKPL:
    case OR_MPLSPL: return gen.offLinkpl + gen.offNl;
    case OR_LINKPL_NOSNAP: return gen.offLinkpl + gen.offNlNosnap;
    case OR_PREVMPLSHDR: return gen.offLinkpl + gen.offNl - MPLS_HDRLEN;
    case OR_TRAN_IPV6: return gen.offLinkpl + gen.offNl + IP6_HDRLEN;
    default: return 0;
  }
}

/** Sets X to the length of the IPv4 header, options and all. */
export function loadIpHeaderLength(gen: Gen): Statement[] {
  return [stmt(BPF_LDX | BPF_MSH | BPF_B, gen.offLinkpl + gen.offNl)];
}

/** Whether the number there, under `mask`, compares to `value` as `jump` says: BPF_JEQ, BPF_JGT, BPF_JGE or BPF_JSET. */
export function compare(gen: Gen, rel: number, offset: number, size: number, jump: number, value: number, mask = ALL_ONES): Condition {
  const statements = load(gen, rel, offset, size);
  if (mask !== ALL_ONES) statements.push(stmt(BPF_ALU | BPF_AND | BPF_K, mask));
  return test(statements, jump, value);
}

/** Whether the number there is `value`. */
export function equals(gen: Gen, rel: number, offset: number, size: number, value: number, mask = ALL_ONES): Condition {
  return compare(gen, rel, offset, size, BPF_JEQ, value, mask);
}

export function atLeast(gen: Gen, rel: number, offset: number, size: number, value: number): Condition {
  return compare(gen, rel, offset, size, BPF_JGE, value);
}

export function greater(gen: Gen, rel: number, offset: number, size: number, value: number): Condition {
  return compare(gen, rel, offset, size, BPF_JGT, value);
}

/** Whether any bit of `bits` is set there. */
export function anyBit(gen: Gen, rel: number, offset: number, size: number, bits: number): Condition {
  return compare(gen, rel, offset, size, BPF_JSET, bits);
}

/** A condition that is always true, or always false. */
export function always(outcome: boolean): Condition {
  return test([stmt(BPF_LD | BPF_IMM, outcome ? 0 : 1)], BPF_JEQ, 0);
}

/** Whether the packet is whole, or the first fragment: the only one with a transport's header. */
export function notLaterFragment(gen: Gen): Condition {
  return not(anyBit(gen, OR_LINKPL, 6, 0x08, 0x1fff));
}

/** A free cell of scratch memory, taken until freeReg(). */
export function allocReg(gen: Gen, word: Token): number {
  for (let tried = 0; tried < BPF_MEMWORDS; tried++) {
    if (!gen.regused[gen.curreg]) {
      gen.regused[gen.curreg] = true;
      return gen.curreg;
    }
    gen.curreg = (gen.curreg + 1) % BPF_MEMWORDS;
  }
  throw wrong(gen, word, `too deep an expression: it needs more than ${BPF_MEMWORDS} intermediate results`);
}

export function freeReg(gen: Gen, register: number): void {
  gen.regused[register] = false;
}
