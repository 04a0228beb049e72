// Tests on ports: `port 53`, `tcp dst port http`, `udp portrange 6000-6008`.
//
// gen_port, gen_port6, gen_portrange and gen_portrange6 of libpcap: in IPv6 right behind its header, in IPv4 behind the header that the
// packet says, and only where the transport's header is: not in a later fragment. Read first: RFC 9293 §3.1, RFC 768.

import { BPF_B, BPF_H } from './bpf.ts';
import { and, not, or, type Condition } from './condition.ts';
import { linkType } from './gen-link.ts';
import { atLeast, equals, greater, notLaterFragment, wrong, OR_LINKPL, OR_TRAN_IPV4, OR_TRAN_IPV6, type Gen } from './gen-state.ts';
import type { Token } from './lexer.ts';
import { ETHERTYPE_IP, ETHERTYPE_IPV6, IPPROTO_SCTP, IPPROTO_TCP, IPPROTO_UDP, PROTO_UNDEF } from './names.ts';
import { Q_AND, Q_DEFAULT, Q_DST, Q_OR, Q_SCTP, Q_SRC, Q_TCP, Q_UDP, protocolWord } from './qualifiers.ts';

/** What is looked for: ports from `first` to `last`. */
export interface Ports {
  readonly first: number;
  readonly last: number;
  readonly range: boolean;
}

/** The transport that a qualifier names; PROTO_UNDEF for none: TCP, UDP and SCTP. */
export function transportOf(gen: Gen, proto: number, word: Token): number {
  switch (proto) {
    case Q_TCP: return IPPROTO_TCP;
    case Q_UDP: return IPPROTO_UDP;
    case Q_SCTP: return IPPROTO_SCTP;
    case Q_DEFAULT: return PROTO_UNDEF;
    default: throw wrong(gen, word, `'${protocolWord(proto)}' has no ports: expected tcp, udp, sctp or nothing before them`);
  }
}

/** Whether a packet of `transport` has such ports. */
export function port(gen: Gen, ports: Ports, transport: number, dir: number, word: Token): Condition {
  const ip6 = and(linkType(gen, ETHERTYPE_IPV6, word), ofTransport(transport, (one) => port6(gen, ports, one, dir, word)));
  const ip = and(linkType(gen, ETHERTYPE_IP, word), ofTransport(transport, (one) => port4(gen, ports, one, dir, word)));
  return or(ip6, ip);
}

function ofTransport(transport: number, of: (one: number) => Condition): Condition {
  if (transport !== PROTO_UNDEF) return of(transport);
  return or(of(IPPROTO_SCTP), or(of(IPPROTO_TCP), of(IPPROTO_UDP)));
}

function port4(gen: Gen, ports: Ports, transport: number, dir: number, word: Token): Condition {
  const whole = and(equals(gen, OR_LINKPL, 9, BPF_B, transport), notLaterFragment(gen));
  return and(whole, inDirection(gen, OR_TRAN_IPV4, ports, dir, word));
}

function port6(gen: Gen, ports: Ports, transport: number, dir: number, word: Token): Condition {
  return and(equals(gen, OR_LINKPL, 6, BPF_B, transport), inDirection(gen, OR_TRAN_IPV6, ports, dir, word));
}

function inDirection(gen: Gen, rel: number, ports: Ports, dir: number, word: Token): Condition {
  switch (dir) {
    case Q_SRC: return portAt(gen, rel, 0, ports);
    case Q_DST: return portAt(gen, rel, 2, ports);
    case Q_AND: return and(portAt(gen, rel, 0, ports), portAt(gen, rel, 2, ports));
    case Q_DEFAULT:
    case Q_OR: return or(portAt(gen, rel, 0, ports), portAt(gen, rel, 2, ports));
    default: throw wrong(gen, word, "'addr1' to 'addr4', 'ra' and 'ta' are link-layer addresses");
  }
}

function portAt(gen: Gen, rel: number, offset: number, ports: Ports): Condition {
  if (!ports.range) return equals(gen, rel, offset, BPF_H, ports.first);
  return and(atLeast(gen, rel, offset, BPF_H, ports.first), not(greater(gen, rel, offset, BPF_H, ports.last)));
}
