/*
 * What an ICMP error means to raw and to ping sockets (raw_err, ping_err of net/ipv4; ip(7)): with IP_RECVERR each goes to the error
 * queue and is the error of the next call; without, only those that are for good, and only to a sock that is connected.
 */
import { EHOSTUNREACH, EMSGSIZE, EPROTO } from '@stack/kernel';
import { INET_FLAGS_RECVERR, inetTestBit, IP_PMTUDISC_DONT } from '@stack/inet-sock';
import type { InetSock } from '@stack/inet-sock';
import {
  ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, ICMP_PARAMETERPROB, ICMP_REDIRECT, ICMP_SOURCE_QUENCH, icmpErrCode, icmpErrConvert, icmpErrFatal,
  icmpErrType, ipIcmpError, ipv4SkRedirect, ipv4SkUpdatePmtu,
} from '@stack/ip';
import type { SkBuff } from '@stack/skbuff';
import { TCP_ESTABLISHED } from '@stack/socket';

/**
 * Tells sk of the error in skb (lent, data at the IP header that came back), as InetProtocol.errHandler. `payload`: how far
 * behind that header what the user sent begins.
 */
export function inetDgramErr(sk: InetSock, skb: SkBuff, info: number, payload: number): void {
  const type = icmpErrType(skb);
  const code = icmpErrCode(skb);
  const tooBig = type === ICMP_DEST_UNREACH && code === ICMP_FRAG_NEEDED;
  if (tooBig) ipv4SkUpdatePmtu(skb, sk, info);
  if (type === ICMP_REDIRECT) ipv4SkRedirect(skb, sk);
  if (type === ICMP_REDIRECT || type === ICMP_SOURCE_QUENCH) return;
  const recverr = inetTestBit(sk, INET_FLAGS_RECVERR);
  if (!recverr && sk.skState !== TCP_ESTABLISHED) return;
  const err = inetDgramErrno(type, code);
  if (recverr) ipIcmpError(sk, skb, err, 0, info, payload);
  else if (tooBig ? sk.pmtudisc === IP_PMTUDISC_DONT : !isHard(type, code)) return;
  sk.skErr = err;
  sk.skErrorReport(sk);
}

function isHard(type: number, code: number): boolean {
  return type === ICMP_PARAMETERPROB || (type === ICMP_DEST_UNREACH && icmpErrFatal(code));
}

function inetDgramErrno(type: number, code: number): number {
  if (type === ICMP_PARAMETERPROB) return EPROTO;
  if (type !== ICMP_DEST_UNREACH) return EHOSTUNREACH;
  return code === ICMP_FRAG_NEEDED ? EMSGSIZE : icmpErrConvert(code) || EHOSTUNREACH;
}
