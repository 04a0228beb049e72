// What the generator knows while it walks a filter: where in a packet each layer begins, and which scratch cells are taken.
//
// A Gen begins with the offsets of a link type (of one that is not known only what asks for none can be generated); `vlan`, `mpls`
// and `pppoes` move them, for all of the filter behind them: that is libpcap's rule, parentheses or not. load() and compare() make
// the loads and tests that all the other files are made of.

import {
  BPF_ABS, BPF_ADD, BPF_ALU, BPF_AND, BPF_B, BPF_H, BPF_IMM, BPF_IND, BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JSET, BPF_K, BPF_LD, BPF_LDX, BPF_LSH, BPF_MEM, BPF_MEMWORDS,
  BPF_MISC, BPF_MSH, BPF_TAX, BPF_W, BPF_X,
} from './bpf.ts';
import { wordOf } from './address.ts';
import { and, not, test, type Condition, type Statement } from './condition.ts';
import { FilterError } from './error.ts';
import { linkLayer } from './link-types.ts';
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

/** A part of an offset that is computed for each packet, into a scratch cell; -1: nothing needs it so far. */
export class VariablePart {
  register: number;

  constructor() {
    this.register = -1;
  }
}

/** A filter that is being compiled. */
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
  /** What each packet adds to the offsets of the link layer's header and payload; null: nothing. */
  varLinkhdr: VariablePart | null;
  varLinkpl: VariablePart | null;
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
    this.varLinkhdr = layer !== null && layer.variableHeader ? new VariablePart() : null;
    this.varLinkpl = layer !== null && layer.variablePayload ? new VariablePart() : null;
    this.offNl = layer === null ? 0 : layer.network;
    this.offNlNosnap = layer === null ? 0 : layer.afterLlc;
    this.labelStackDepth = 0;
    this.regused = new Array<boolean>(BPF_MEMWORDS).fill(false);
    this.curreg = 0;
  }
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
  const variable = loadVariable(gen, rel === OR_LINKHDR || rel === OR_LINKTYPE ? gen.varLinkhdr : gen.varLinkpl);
  return [...variable, stmt(BPF_LD | (variable.length > 0 ? BPF_IND : BPF_ABS) | size, base(gen, rel) + offset)];
}

/** Sets X to the part of an offset that the packet says; nothing if there is none. */
export function loadVariable(gen: Gen, part: VariablePart | null): Statement[] {
  if (part === null) return [];
  if (part.register < 0) part.register = allocReg(gen, null);
  return [stmt(BPF_LDX | BPF_MEM, part.register)];
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

/** Sets X to where the IPv4 header ends, options and all, counted from where it begins; or, if that varies, from the variable part. */
export function loadIpHeaderLength(gen: Gen): Statement[] {
  const at = gen.offLinkpl + gen.offNl;
  const variable = loadVariable(gen, gen.varLinkpl);
  if (variable.length === 0) return [stmt(BPF_LDX | BPF_MSH | BPF_B, at)];
  const length = [stmt(BPF_LD | BPF_IND | BPF_B, at), stmt(BPF_ALU | BPF_AND | BPF_K, 0xf), stmt(BPF_ALU | BPF_LSH | BPF_K, 2)];
  return [...variable, ...length, stmt(BPF_ALU | BPF_ADD | BPF_X), stmt(BPF_MISC | BPF_TAX)];
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

/** Whether these octets are there; the last are compared first. */
export function octetsAt(gen: Gen, rel: number, offset: number, octets: readonly number[]): Condition {
  let all: Condition | null = null;
  let left = octets.length;
  while (left > 0) {
    const size = left >= 4 ? 4 : left >= 2 ? 2 : 1;
    left -= size;
    const value = size === 4 ? wordOf(octets, left) : size === 2 ? (octets[left]! << 8) | octets[left + 1]! : octets[left]!;
    const one = equals(gen, rel, offset + left, size === 4 ? BPF_W : size === 2 ? BPF_H : BPF_B, value);
    all = all === null ? one : and(all, one);
  }
  return all ?? always(true);
}

/** An 802.2 header with SNAP: organization and type. */
export function snap(gen: Gen, organization: number, type: number): Condition {
  const octets = [0xaa, 0xaa, 0x03, organization >> 16, (organization >> 8) & 0xff, organization & 0xff, type >> 8, type & 0xff];
  return octetsAt(gen, OR_LLC, 0, octets);
}

/** A condition that is always true, or always false. */
export function always(outcome: boolean): Condition {
  return test([stmt(BPF_LD | BPF_IMM, outcome ? 0 : 1)], BPF_JEQ, 0);
}

/** Whether the packet is whole, or the first fragment: the only one with a transport's header. */
export function notLaterFragment(gen: Gen): Condition {
  return not(anyBit(gen, OR_LINKPL, 6, BPF_H, 0x1fff));
}

/** A free cell of scratch memory, taken until freeReg(). */
export function allocReg(gen: Gen, word: Token | null): number {
  for (let tried = 0; tried < BPF_MEMWORDS; tried++) {
    if (!gen.regused[gen.curreg]) {
      gen.regused[gen.curreg] = true;
      return gen.curreg;
    }
    gen.curreg = (gen.curreg + 1) % BPF_MEMWORDS;
  }
  const reason = `too deep an expression: it needs more than ${BPF_MEMWORDS} intermediate results`;
  throw word === null ? new FilterError(reason, gen.text, 0, gen.text.length) : wrong(gen, word, reason);
}

export function freeReg(gen: Gen, register: number): void {
  gen.regused[register] = false;
}
