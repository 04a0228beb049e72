// What a filter says, as a tree: the parser makes it, gen.ts walks it, from left to right.
//
// Each node has the word that an error about it points at.

import type { Token } from './lexer.ts';
import type { Qualifiers } from './qualifiers.ts';

/** A filter, or a part of one that is true or false of a packet. */
export type Expression = Combination | Negation | Identified | Abbreviation | Relation | ByteTest | Broadcast | Length | Encapsulation | LlcTest | Direction;

export interface Combination {
  readonly kind: 'and' | 'or';
  readonly left: Expression;
  readonly right: Expression;
}

export interface Negation {
  readonly kind: 'not';
  readonly operand: Expression;
}

/** `host 10.0.0.1`, `tcp src port http`, `net 10/8`: an id and what qualifies it. */
export interface Identified {
  readonly kind: 'id';
  readonly qualifiers: Qualifiers;
  readonly word: Token;
  /** Behind a slash; null if there is none. */
  readonly prefix: Token | null;
  /** Behind `mask`; null if there is none. */
  readonly mask: Token | null;
}

/** A protocol alone: `tcp`. */
export interface Abbreviation {
  readonly kind: 'protocol';
  readonly proto: number;
  readonly word: Token;
}

export interface Relation {
  readonly kind: 'relation';
  /** `=`, `!=`, `<`, `<=`, `>`, `>=`. */
  readonly operator: string;
  readonly left: Arithmetic;
  readonly right: Arithmetic;
}

/** `byte 5 = 6`. */
export interface ByteTest {
  readonly kind: 'byte';
  readonly offset: number;
  /** `=`, `<`, `>`. Deviation: `&` and `|` are refused; libpcap's look at no byte of the packet. */
  readonly operator: string;
  readonly value: number;
  readonly word: Token;
}

export interface Broadcast {
  readonly kind: 'broadcast' | 'multicast';
  readonly proto: number;
  readonly word: Token;
}

/** `less 64`, `greater 128`. */
export interface Length {
  readonly kind: 'less' | 'greater';
  readonly length: number;
}

/** `vlan 5`, `mpls`: what follows is about what is inside. */
export interface Encapsulation {
  readonly kind: 'vlan' | 'mpls' | 'pppoed' | 'pppoes' | 'geneve';
  /** The tag, label or session; null: any. */
  readonly id: Token | null;
  readonly word: Token;
}

/** `llc`, `llc ui`. */
export interface LlcTest {
  readonly kind: 'llc';
  readonly type: Token | null;
  readonly word: Token;
}

export interface Direction {
  readonly kind: 'inbound' | 'outbound';
  readonly word: Token;
}

/** A number that is computed of a packet. */
export type Arithmetic = Constant | PacketLength | Load | Operation | Negative;

export interface Constant {
  readonly kind: 'constant';
  readonly value: number;
  readonly word: Token;
}

export interface PacketLength {
  readonly kind: 'length';
  readonly word: Token;
}

/** `tcp[offset:size]`. */
export interface Load {
  readonly kind: 'load';
  readonly proto: number;
  readonly offset: Arithmetic;
  readonly size: Token | null;
  readonly word: Token;
}

export interface Operation {
  readonly kind: 'operation';
  readonly operator: string;
  readonly left: Arithmetic;
  readonly right: Arithmetic;
  readonly word: Token;
}

export interface Negative {
  readonly kind: 'negative';
  readonly operand: Arithmetic;
  readonly word: Token;
}
