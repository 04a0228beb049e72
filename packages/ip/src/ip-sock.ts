/*
 * What a sock's options and a route say together about the header of its packets: DF, TTL, and the
 * MTU to go by.
 */
import { IP_PMTUDISC_DO, IP_PMTUDISC_PROBE, IP_PMTUDISC_WANT } from '@stack/inet-sock';
import type { InetSock } from '@stack/inet-sock';
import { RTAX_HOPLIMIT, dstMetric } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { IPSKB_FORWARDED, ipcbFlags } from './ip-cb.ts';
import { IP_MAX_MTU } from './ip-header.ts';
import { ipMtuLocked } from './route.ts';
import type { Rtable } from './rtable.ts';

/** Whether packets of sk on rt carry DF (RFC 1191 §3). */
export function ipDontFragment(sk: InetSock, rt: Rtable): boolean {
  const pmtudisc = sk.pmtudisc;
  return pmtudisc === IP_PMTUDISC_DO || (pmtudisc === IP_PMTUDISC_WANT && !ipMtuLocked(rt));
}

/** The TTL of unicast packets of sk (null: of the host) on rt. */
export function ipSelectTtl(sk: InetSock | null, rt: Rtable): number {
  if (sk !== null && sk.ucTtl >= 0) return sk.ucTtl;
  const hoplimit = dstMetric(rt, RTAX_HOPLIMIT);
  return hoplimit !== 0 ? hoplimit : rt.net.ipv4.sysctlIpDefaultTtl;
}

/** Whether packets of sk go by what was learned of the path, and not by the device's MTU alone. */
export function ipSkUsePmtu(sk: InetSock): boolean {
  return sk.pmtudisc < IP_PMTUDISC_PROBE;
}

/** The largest packet that may leave by skb's route, octets. */
export function ipSkbDstMtu(skb: SkBuff, rt: Rtable): number {
  const sk = skb.sk as InetSock | null;
  const dev = rt.dev;
  if (sk !== null && dev !== null && !ipSkUsePmtu(sk)) return Math.min(dev.mtu, IP_MAX_MTU);
  return ipDstMtuMaybeForward(rt, (ipcbFlags(skb) & IPSKB_FORWARDED) !== 0);
}

/** The route's MTU. A router goes by its own link's, not by what others told it of paths, unless ip_forward_use_pmtu or a locked metric. */
export function ipDstMtuMaybeForward(rt: Rtable, forwarding: boolean): number {
  if (!forwarding || rt.net.ipv4.sysctlIpForwardUsePmtu !== 0 || ipMtuLocked(rt)) return rt.ops.mtu(rt);
  const dev = rt.dev;
  return dev === null ? IP_MAX_MTU : Math.min(dev.mtu, IP_MAX_MTU);
}
