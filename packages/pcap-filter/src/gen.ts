// From a filter's tree to its condition: each kind of node to the file that knows it.

import type { ByteTest, Direction, Expression, LlcTest } from './ast.ts';
import { BPF_B, BPF_H, BPF_JGE, BPF_JGT, BPF_LD, BPF_LEN } from './bpf.ts';
import { and, not, or, test, type Condition } from './condition.ts';
import { relation } from './gen-arithmetic.ts';
import { encapsulation } from './gen-encapsulation.ts';
import { broadcast, multicast } from './gen-host.ts';
import { identified } from './gen-id.ts';
import { llcFrame } from './gen-link.ts';
import { protocol } from './gen-proto.ts';
import { anyBit, atLeast, equals, greater, stmt, wrong, OR_LINKHDR, OR_LLC, type Gen } from './gen-state.ts';
import { LINKTYPE_IPNET, LINKTYPE_LINUX_SLL, LINKTYPE_LINUX_SLL2 } from './link-types.ts';
import { LLC_WORDS } from './names.ts';

/** Packet type in a cooked header: sent by the host that captured. */
const LINUX_SLL_OUTGOING = 4;
const IPNET_OUTBOUND = 1;
const IPNET_INBOUND = 2;

/** The condition that `node` says. Goes from left to right, since a `vlan` changes what stands behind it. */
export function generate(gen: Gen, node: Expression): Condition {
  switch (node.kind) {
    case 'and': {
      const left = generate(gen, node.left);
      return and(left, generate(gen, node.right));
    }
    case 'or': {
      const left = generate(gen, node.left);
      return or(left, generate(gen, node.right));
    }
    case 'not': return not(generate(gen, node.operand));
    case 'id': return identified(gen, node);
    case 'protocol': return protocol(gen, node.proto, node.word);
    case 'relation': return relation(gen, node);
    case 'byte': return byteTest(gen, node);
    case 'broadcast': return broadcast(gen, node.proto, node.word);
    case 'multicast': return multicast(gen, node.proto, node.word);
    case 'less': return not(test([stmt(BPF_LD | BPF_LEN)], BPF_JGT, node.length));
    case 'greater': return test([stmt(BPF_LD | BPF_LEN)], BPF_JGE, node.length);
    case 'llc': return llc(gen, node);
    case 'inbound':
    case 'outbound': return direction(gen, node);
    default: return encapsulation(gen, node);
  }
}

/** `byte OFFSET op VALUE`, of the whole frame. */
function byteTest(gen: Gen, { offset, operator, value }: ByteTest): Condition {
  switch (operator) {
    case '<': return not(atLeast(gen, OR_LINKHDR, offset, BPF_B, value));
    case '>': return greater(gen, OR_LINKHDR, offset, BPF_B, value);
    default: return equals(gen, OR_LINKHDR, offset, BPF_B, value);
  }
}

/** `llc`, or an 802.2 PDU of one type, which its control field says. */
function llc(gen: Gen, node: LlcTest): Condition {
  const frame = llcFrame(gen, node.word);
  if (node.type === null) return frame;
  if (node.type.text === 'i') return and(frame, not(anyBit(gen, OR_LLC, 2, BPF_B, 0x01)));
  const known = LLC_WORDS.get(node.type.text);
  if (known === undefined) throw wrong(gen, node.type, `unknown LLC type '${node.type.text}': expected i, ${[...LLC_WORDS.keys()].join(', ')}`);
  return and(frame, equals(gen, OR_LLC, 2, BPF_B, known[0], known[1]));
}

/** Only cooked headers and Solaris' say who sent. */
function direction(gen: Gen, node: Direction): Condition {
  const outbound = node.kind === 'outbound';
  switch (gen.linkType) {
    case LINKTYPE_LINUX_SLL: return outbound ? equals(gen, OR_LINKHDR, 0, BPF_H, LINUX_SLL_OUTGOING) : not(equals(gen, OR_LINKHDR, 0, BPF_H, LINUX_SLL_OUTGOING));
    case LINKTYPE_LINUX_SLL2: return outbound ? equals(gen, OR_LINKHDR, 10, BPF_B, LINUX_SLL_OUTGOING) : not(equals(gen, OR_LINKHDR, 10, BPF_B, LINUX_SLL_OUTGOING));
    case LINKTYPE_IPNET: return equals(gen, OR_LINKHDR, 2, BPF_H, outbound ? IPNET_OUTBOUND : IPNET_INBOUND);
    default: throw wrong(gen, node.word, `'${node.kind}' needs a capture with a Linux cooked header`);
  }
}
