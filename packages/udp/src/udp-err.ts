/*
 * ICMP errors about datagrams of ours (udp_err of net/ipv4/udp.c). RFC 1122 §4.1.3.3: they reach the user. A connected
 * sock gets those that are for good as the error of its next call; one with IP_RECVERR gets all, with what came back, in
 * its error queue.
 */
import { EHOSTUNREACH, EMSGSIZE, ENOENT, EPROTO, snmpInc } from '@stack/kernel';
import { INET_FLAGS_RECVERR, inetTestBit, IP_PMTUDISC_DONT } from '@stack/inet-sock';
import {
  ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, ICMP_MIB_INERRORS, ICMP_PARAMETERPROB, ICMP_REDIRECT, ICMP_SOURCE_QUENCH, icmpErrCode, icmpErrConvert,
  icmpErrFatal, icmpErrType, ipIcmpError, IPH_DADDR, IPH_SADDR, ipv4SkRedirect, ipv4SkUpdatePmtu,
} from '@stack/ip';
import type { SkBuff } from '@stack/skbuff';
import { TCP_ESTABLISHED } from '@stack/socket';
import { UDP_DEST, UDP_HLEN, UDP_SOURCE } from './udp-hdr.ts';
import { udp4LibLookup } from './udp-lookup.ts';
import type { UdpSock } from './udp-sock.ts';

/** InetProtocol.errHandler: skb (lent) has its data at the quoted IP header. 0, or -ENOENT if no sock sent it. */
export function udpErr(skb: SkBuff, info: number): number {
  const { net, view } = skb;
  const ip = skb.data;
  const hlen = (view.getUint8(ip) & 0x0f) << 2;
  const at = ip + hlen;
  const dport = view.getUint16(at + UDP_DEST);
  const sk = udp4LibLookup(
    net.udp.table, view.getInt32(ip + IPH_DADDR), dport, view.getInt32(ip + IPH_SADDR), view.getUint16(at + UDP_SOURCE), skb.skbIif,
  );
  if (sk === null) {
    snmpInc(net.ipv4.icmpMib, ICMP_MIB_INERRORS);
    return -ENOENT;
  }
  const err = udpErrno(sk, skb, info);
  if (err === 0) return 0;
  const recverr = inetTestBit(sk, INET_FLAGS_RECVERR);
  if (recverr) ipIcmpError(sk, skb, Math.abs(err), dport, info, hlen + UDP_HLEN);
  else if (err < 0 || sk.skState !== TCP_ESTABLISHED) return 0;
  sk.skErr = Math.abs(err);
  sk.skErrorReport(sk);
  return 0;
}

/** What the error means: an errno if it is for good, negative if it may pass, 0 if it is nothing for the user. */
function udpErrno(sk: UdpSock, skb: SkBuff, info: number): number {
  const code = icmpErrCode(skb);
  switch (icmpErrType(skb)) {
    case ICMP_SOURCE_QUENCH:
      return 0;
    case ICMP_REDIRECT:
      ipv4SkRedirect(skb, sk);
      return 0;
    case ICMP_PARAMETERPROB:
      return EPROTO;
    case ICMP_DEST_UNREACH:
      if (code !== ICMP_FRAG_NEEDED) return icmpErrFatal(code) ? icmpErrConvert(code) : -icmpErrConvert(code);
      ipv4SkUpdatePmtu(skb, sk, info);
      return sk.pmtudisc === IP_PMTUDISC_DONT ? 0 : EMSGSIZE;
    default:
      return -EHOSTUNREACH;
  }
}
