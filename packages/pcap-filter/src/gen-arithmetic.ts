// Arithmetic on what a packet holds: `tcp[13] & 2 != 0`.
//
// gen_load, gen_arth and gen_relation of libpcap: each value is computed into a scratch cell; a load brings the test that the packet is of
// its protocol, which is made before anything is computed. Read first: pcap-filter(7), "expr1 relop expr2".

import type { Arithmetic, Load, Operation, Relation } from './ast.ts';
import {
  BPF_ADD, BPF_ALU, BPF_AND, BPF_B, BPF_DIV, BPF_H, BPF_IMM, BPF_IND, BPF_JEQ, BPF_JGE, BPF_JGT, BPF_K, BPF_LD, BPF_LDX, BPF_LEN, BPF_LSH, BPF_MEM,
  BPF_MISC, BPF_MOD, BPF_MUL, BPF_NEG, BPF_OR, BPF_RSH, BPF_ST, BPF_SUB, BPF_TAX, BPF_W, BPF_X, BPF_XOR,
} from './bpf.ts';
import { and, not, test, type Condition, type Statement } from './condition.ts';
import { protocol } from './gen-proto.ts';
import {
  allocReg, equals, freeReg, loadIpHeaderLength, loadVariable, notLaterFragment, stmt, wrong, OR_LINKPL, type Gen, type VariablePart,
} from './gen-state.ts';
import { LINKTYPE_IEEE802_11_RADIOTAP } from './link-types.ts';
import { IPPROTO_ICMPV6 } from './names.ts';
import {
  Q_AARP, Q_ARP, Q_ATALK, Q_CARP, Q_DECNET, Q_ICMP, Q_ICMPV6, Q_IGMP, Q_IGRP, Q_IP, Q_IPV6, Q_LAT, Q_LINK, Q_MOPDL, Q_MOPRC, Q_PIM, Q_RADIO, Q_RARP,
  Q_SCA, Q_SCTP, Q_TCP, Q_UDP, Q_VRRP,
} from './qualifiers.ts';

const OPERATORS: ReadonlyMap<string, number> = new Map([
  ['+', BPF_ADD], ['-', BPF_SUB], ['*', BPF_MUL], ['/', BPF_DIV], ['%', BPF_MOD], ['&', BPF_AND], ['|', BPF_OR], ['^', BPF_XOR], ['<<', BPF_LSH], ['>>', BPF_RSH],
]);

/** Relations: the jump, and whether it is taken where the relation does not hold. */
const RELATIONS: ReadonlyMap<string, readonly [jump: number, reversed: boolean]> = new Map([
  ['=', [BPF_JEQ, false]], ['!=', [BPF_JEQ, true]], ['>', [BPF_JGT, false]], ['<=', [BPF_JGT, true]], ['>=', [BPF_JGE, false]], ['<', [BPF_JGE, true]],
]);

const OF_NETWORK: readonly number[] = [
  Q_IP, Q_IPV6, Q_ARP, Q_RARP, Q_ATALK, Q_DECNET, Q_LAT, Q_SCA, Q_MOPRC, Q_MOPDL, Q_AARP,
];
const OF_TRANSPORT: readonly number[] = [Q_TCP, Q_UDP, Q_SCTP, Q_ICMP, Q_IGMP, Q_IGRP, Q_PIM, Q_VRRP, Q_CARP];

const SIZES: ReadonlyMap<number, number> = new Map([[1, BPF_B], [2, BPF_H], [4, BPF_W]]);
const IP6_HDRLEN = 40;

/** A value in the making: what computes it, the cell it ends in, and what must be true of the packet. */
interface Value {
  readonly statements: readonly Statement[];
  readonly register: number;
  readonly guard: Condition | null;
}

/** The test of a relation between two values. */
export function relation(gen: Gen, node: Relation): Condition {
  const left = valueOf(gen, node.left);
  const right = valueOf(gen, node.right);
  const [jump, reversed] = RELATIONS.get(node.operator) ?? [BPF_JEQ, false];
  const operands = [...left.statements, ...right.statements, stmt(BPF_LDX | BPF_MEM, right.register), stmt(BPF_LD | BPF_MEM, left.register)];
  const compared = jump === BPF_JEQ ? test([...operands, stmt(BPF_ALU | BPF_SUB | BPF_X)], BPF_JEQ | BPF_K, 0) : test(operands, jump | BPF_X, 0);
  freeReg(gen, left.register);
  freeReg(gen, right.register);
  const guard = both(left.guard, right.guard);
  const tested = reversed ? not(compared) : compared;
  return guard === null ? tested : and(guard, tested);
}

function both(left: Condition | null, right: Condition | null): Condition | null {
  return left === null ? right : right === null ? left : and(left, right);
}

function valueOf(gen: Gen, node: Arithmetic): Value {
  switch (node.kind) {
    case 'constant': return stored(gen, node, [stmt(BPF_LD | BPF_IMM, node.value)]);
    case 'length': return stored(gen, node, [stmt(BPF_LD | BPF_LEN)]);
    case 'negative': {
      const { statements, register, guard } = valueOf(gen, node.operand);
      return { statements: [...statements, stmt(BPF_LD | BPF_MEM, register), stmt(BPF_ALU | BPF_NEG), stmt(BPF_ST, register)], register, guard };
    }
    case 'operation': return operation(gen, node);
    default: return loaded(gen, node);
  }
}

/** The accumulator's value in a new cell. */
function stored(gen: Gen, node: Arithmetic, statements: readonly Statement[]): Value {
  const register = allocReg(gen, node.word);
  return { statements: [...statements, stmt(BPF_ST, register)], register, guard: null };
}

function operation(gen: Gen, node: Operation): Value {
  const left = valueOf(gen, node.left);
  const right = valueOf(gen, node.right);
  checkConstant(gen, node);
  freeReg(gen, left.register);
  freeReg(gen, right.register);
  const register = allocReg(gen, node.word);
  const compute = [
    stmt(BPF_LDX | BPF_MEM, right.register), stmt(BPF_LD | BPF_MEM, left.register), stmt(BPF_ALU | BPF_X | (OPERATORS.get(node.operator) ?? BPF_ADD)),
    stmt(BPF_ST, register),
  ];
  // libpcap's rule: the protocol of what stands on the right of an operator is not tested. `ip[0] + tcp[0] = 5` is true of UDP, too.
  return { statements: [...left.statements, ...right.statements, ...compute], register, guard: left.guard };
}

function checkConstant(gen: Gen, node: Operation): void {
  if (node.right.kind !== 'constant') return;
  const { value, word } = node.right;
  if (value === 0 && (node.operator === '/' || node.operator === '%')) throw wrong(gen, word, 'division by zero');
  if (value > 31 && (node.operator === '<<' || node.operator === '>>')) throw wrong(gen, word, 'shift by more than 31 bits');
}

/** Bytes at an offset that is itself a value. */
function loaded(gen: Gen, node: Load): Value {
  const size = SIZES.get(node.size === null ? 1 : node.size.value);
  if (size === undefined) throw wrong(gen, node.size ?? node.word, 'a size is 1, 2 or 4');
  const index = valueOf(gen, node.offset);
  const register = allocReg(gen, node.word);
  freeReg(gen, index.register);
  const place = placeOf(gen, node, index.register, size);
  return {
    statements: [...index.statements, ...place.statements, stmt(BPF_ST, register)],
    register,
    guard: both(index.guard, place.guard),
  };
}

/** Loads from the header of `node.proto`, at the offset in cell `index`. */
function placeOf(gen: Gen, node: Load, index: number, size: number): { statements: readonly Statement[]; guard: Condition | null } {
  const { proto, word } = node;
  if (proto === Q_LINK) return { statements: indexed(gen, gen.varLinkhdr, index, size, gen.offLinkhdr), guard: null };
  if (proto === Q_RADIO) {
    if (gen.linkType !== LINKTYPE_IEEE802_11_RADIOTAP) throw wrong(gen, word, 'the capture has no radio information');
    return { statements: indexed(gen, null, index, size, 0), guard: null };
  }
  const network = gen.offLinkpl + gen.offNl;
  if (OF_NETWORK.includes(proto)) return { statements: indexed(gen, gen.varLinkpl, index, size, network), guard: protocol(gen, proto, word) };
  if (proto === Q_ICMPV6) {
    const guard = and(protocol(gen, Q_IPV6, word), equals(gen, OR_LINKPL, 6, BPF_B, IPPROTO_ICMPV6));
    return { statements: indexed(gen, gen.varLinkpl, index, size, network + IP6_HDRLEN), guard };
  }
  if (!OF_TRANSPORT.includes(proto)) throw wrong(gen, word, `'${word.text}' has no offsets`);
  const statements = [...loadIpHeaderLength(gen), ...added(index), stmt(BPF_LD | BPF_IND | size, network)];
  const carried = and(protocol(gen, proto, word), notLaterFragment(gen));
  return { statements, guard: and(protocol(gen, Q_IP, word), carried) };
}

/** Loads at the offset in cell `index` and `offset`, behind the variable part if there is one. */
function indexed(gen: Gen, part: VariablePart | null, index: number, size: number, offset: number): Statement[] {
  const variable = loadVariable(gen, part);
  const place = variable.length === 0 ? [stmt(BPF_LDX | BPF_MEM, index)] : [...variable, ...added(index)];
  return [...place, stmt(BPF_LD | BPF_IND | size, offset)];
}

/** Adds cell `index` to X. */
function added(index: number): Statement[] {
  return [stmt(BPF_LD | BPF_MEM, index), stmt(BPF_ALU | BPF_ADD | BPF_X), stmt(BPF_MISC | BPF_TAX)];
}
