// `ping` from a host of ours: an echo request made by hand, since raw sockets are not there to make it.
import { inAton, inNtoa } from '@stack/inet-sock';
import {
  Flowi4, ICMP_ECHO, ICMP_ECHOREPLY, ICMP_HDR_LEN, IPH_PROTOCOL, IPH_TTL, IPH_DADDR, IPH_SADDR, IPPROTO_ICMP, IP_HDR_LEN, RT_SCOPE_UNIVERSE,
  __ipSelectIdent, flowi4InitOutput, inetAddRawOps, inetDelRawOps, ipHdrSaddr, ipLocalOut, ipRouteOutputFlow, type RawOps,
} from '@stack/ip';
import { worldEnter, worldLeave, type Net } from '@stack/kernel';
import { allocSkb, csumFold, csumPartial, skbCopyBits, skbPut, skbReserve } from '@stack/skbuff';

/** An answer: from whom, to which request, with which octets behind the header. */
export interface EchoReply {
  readonly from: string;
  readonly ident: number;
  readonly sequence: number;
  readonly payload: Uint8Array;
}

const ident = 0x5354;
const MAX_HEADER = 64;

/** Collects the echo replies that reach `net` until stop(). */
export function collectReplies(net: Net): { replies: EchoReply[]; stop: () => void } {
  const replies: EchoReply[] = [];
  const ops: RawOps = {
    localDeliver: (skb, protocol) => {
      const message = new Uint8Array(skb.len);
      skbCopyBits(skb, 0, message, 0, skb.len);
      if (protocol !== IPPROTO_ICMP || message[0] !== ICMP_ECHOREPLY) return false;
      const view = new DataView(message.buffer);
      replies.push({ from: inNtoa(ipHdrSaddr(skb)), ident: view.getUint16(4), sequence: view.getUint16(6), payload: message.subarray(ICMP_HDR_LEN) });
      return true;
    },
    icmpError: () => undefined,
  };
  inetAddRawOps(net, ops);
  return { replies, stop: () => inetDelRawOps(net, ops) };
}

/** Sends one echo request. Returns what sending returned: 0 or -errno. */
export function sendEcho(net: Net, to: string, sequence: number, payload: Uint8Array): number {
  worldEnter(net.world);
  const fl = new Flowi4();
  flowi4InitOutput(fl, 0, 0, 0, RT_SCOPE_UNIVERSE, IPPROTO_ICMP, 0, inAton(to), 0, 0, 0);
  const rt = ipRouteOutputFlow(net, fl, null);
  const skb = allocSkb(net, MAX_HEADER + IP_HDR_LEN + ICMP_HDR_LEN + payload.length);
  if (typeof rt === 'number' || skb === null) throw new Error(`no route to ${to}, or no memory`);
  skbReserve(skb, MAX_HEADER);
  const at = skbPut(skb, IP_HDR_LEN + ICMP_HDR_LEN + payload.length);
  const icmp = at + IP_HDR_LEN;
  const { view, buf } = skb;
  view.setInt32(at, 0x45000000);
  view.setInt32(at + 4, 0);
  view.setUint8(at + IPH_TTL, 64);
  view.setUint8(at + IPH_PROTOCOL, IPPROTO_ICMP);
  view.setInt32(at + IPH_SADDR, fl.saddr);
  view.setInt32(at + IPH_DADDR, fl.daddr);
  skb.networkHeader = at;
  skb.transportHeader = icmp;
  view.setInt32(icmp, ICMP_ECHO << 24);
  view.setInt32(icmp + 4, (ident << 16) | sequence);
  buf.set(payload, icmp + ICMP_HDR_LEN);
  view.setUint16(icmp + 2, csumFold(csumPartial(buf, view, icmp, ICMP_HDR_LEN + payload.length, 0)) & 0xffff);
  skb.dst = rt;
  __ipSelectIdent(net, skb, 1);
  const result = ipLocalOut(net, skb);
  worldLeave(net.world);
  return result;
}
