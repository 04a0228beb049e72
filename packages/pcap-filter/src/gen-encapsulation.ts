// What wraps packets: VLAN tags, MPLS labels, PPP over Ethernet.
//
// gen_vlan, gen_mpls, gen_pppoed and gen_pppoes of libpcap. Each tests that the wrapper is there and moves the offsets for
// everything behind it in the filter. Read first: IEEE 802.1Q, RFC 3032 §2.1, RFC 2516 §4.

import type { Encapsulation } from './ast.ts';
import { BPF_B, BPF_H, BPF_W } from './bpf.ts';
import { and, or, type Condition } from './condition.ts';
import { isWlan, linkType } from './gen-link.ts';
import { equals, wrong, OR_LINKPL, OR_LINKTYPE, OR_MPLSPL, OR_PREVMPLSHDR, type Gen } from './gen-state.ts';
import type { Token } from './lexer.ts';
import { LINKTYPE_C_HDLC, LINKTYPE_ETHERNET, LINKTYPE_PPP } from './link-types.ts';
import { ETHERTYPE_8021AD, ETHERTYPE_8021Q, ETHERTYPE_8021QINQ, ETHERTYPE_MPLS, ETHERTYPE_PPPOED, ETHERTYPE_PPPOES } from './names.ts';

const VLAN_HLEN = 4;
const MPLS_HDRLEN = 4;
const PPPOE_HDRLEN = 6;
const PPP_PROTOCOL_LENGTH = 2;
const PPP_MPLS_UCAST = 0x0281;

/** The test of a wrapper; from now on the offsets are those of what it holds. */
export function encapsulation(gen: Gen, node: Encapsulation): Condition {
  switch (node.kind) {
    case 'vlan': return vlan(gen, node);
    case 'mpls': return mpls(gen, node);
    case 'pppoed': return linkType(gen, ETHERTYPE_PPPOED, node.word);
    case 'pppoes': return pppoes(gen, node);
    default: throw wrong(gen, node.word, "'geneve' is not supported: its header's length varies; 'udp port 6081' selects its packets");
  }
}

function vlan(gen: Gen, { id, word }: Encapsulation): Condition {
  if (gen.labelStackDepth > 0) throw wrong(gen, word, 'no VLAN can be told under MPLS');
  if (gen.linkType !== LINKTYPE_ETHERNET && !isWlan(gen)) throw wrong(gen, word, 'VLANs are known on Ethernet and 802.11 only');
  const tagged = or(or(linkType(gen, ETHERTYPE_8021Q, word), linkType(gen, ETHERTYPE_8021AD, word)), linkType(gen, ETHERTYPE_8021QINQ, word));
  const found = id === null ? tagged : and(tagged, equals(gen, OR_LINKPL, 0, BPF_H, limited(gen, id, 'a VLAN', 0xfff), 0xfff));
  gen.offLinkpl += VLAN_HLEN;
  gen.offLinktype += VLAN_HLEN;
  return found;
}

function mpls(gen: Gen, { id, word }: Encapsulation): Condition {
  const labelled = labelBelow(gen, word);
  const found = id === null ? labelled : and(labelled, equals(gen, OR_MPLSPL, 0, BPF_W, limited(gen, id, 'an MPLS label', 0xfffff) << 12, 0xfffff000 | 0));
  gen.offNl += MPLS_HDRLEN;
  gen.offNlNosnap += MPLS_HDRLEN;
  gen.labelStackDepth++;
  return found;
}

/** Whether a label follows: behind the link layer's header by its type, behind a label where that is not the bottom of the stack. */
function labelBelow(gen: Gen, word: Token): Condition {
  if (gen.labelStackDepth > 0) return equals(gen, OR_PREVMPLSHDR, 2, BPF_B, 0, 0x01);
  if (gen.linkType === LINKTYPE_ETHERNET || gen.linkType === LINKTYPE_C_HDLC) return linkType(gen, ETHERTYPE_MPLS, word);
  if (gen.linkType === LINKTYPE_PPP) return equals(gen, OR_LINKTYPE, 0, BPF_H, PPP_MPLS_UCAST);
  throw wrong(gen, word, 'MPLS is known on Ethernet, PPP and HDLC only');
}

function pppoes(gen: Gen, { id, word }: Encapsulation): Condition {
  const session = linkType(gen, ETHERTYPE_PPPOES, word);
  const found = id === null ? session : and(session, equals(gen, OR_LINKPL, 0, BPF_W, limited(gen, id, 'a PPPoE session', 0xffff), 0xffff));
  gen.linkType = LINKTYPE_PPP;
  gen.varLinkhdr = gen.varLinkpl;
  gen.offLinkhdr = gen.offLinkpl + gen.offNl + PPPOE_HDRLEN;
  gen.offLinktype = gen.offLinkhdr;
  gen.offLinkpl = gen.offLinkhdr + PPP_PROTOCOL_LENGTH;
  gen.offNl = 0;
  gen.offNlNosnap = 0;
  return found;
}

function limited(gen: Gen, id: Token, what: string, largest: number): number {
  if (id.value > largest) throw wrong(gen, id, `${what} is at most ${largest}`);
  return id.value;
}
