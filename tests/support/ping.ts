// `ping` from a host of ours, as ping(8) does it: a raw socket, echo requests down, echo replies up.
import { inAton, inNtoa, SockAddrIn } from '@stack/inet-sock';
import { ICMP_ECHO, ICMP_ECHOREPLY, ICMP_HDR_LEN, IPPROTO_ICMP } from '@stack/ip';
import { ICMP_FILTER, IcmpFilter } from '@stack/inet';
import type { Net } from '@stack/kernel';
import {
  createTask, exitTask, MSG_DONTWAIT, PF_INET, SOCK_RAW, SOL_RAW, sysCall, sysRecvfrom, sysSendto, sysSetsockopt, sysSocket, type Task,
} from '@stack/socket';
import { icmp } from './raw-rig.ts';

/** An answer: from whom, to which request, with which octets behind the header. */
export interface EchoReply {
  readonly from: string;
  readonly ident: number;
  readonly sequence: number;
  readonly payload: Uint8Array;
}

const ident = 0x5354;
const MAX_PACKET = 65535;

/** Collects the echo replies that reach `net` until stop(). */
export function collectReplies(net: Net): { replies: EchoReply[]; stop: () => void } {
  const replies: EchoReply[] = [];
  const task = createTask(net, 'ping');
  const fd = sysCall(sysSocket(task, PF_INET, SOCK_RAW, IPPROTO_ICMP), 'socket');
  sysCall(sysSetsockopt(task, fd, SOL_RAW, ICMP_FILTER, new IcmpFilter(~(1 << ICMP_ECHOREPLY))), 'setsockopt');
  void readReplies(task, fd, replies);
  return { replies, stop: () => exitTask(task) };
}

async function readReplies(task: Task, fd: number, replies: EchoReply[]): Promise<void> {
  const packet = new Uint8Array(MAX_PACKET);
  const from = new SockAddrIn();
  for (;;) {
    const n = await sysRecvfrom(task, fd, packet, 0, from);
    if (n < 0) return;
    const message = packet.slice(((packet[0] ?? 0) & 0x0f) * 4, n);
    const view = new DataView(message.buffer);
    replies.push({ from: inNtoa(from.sinAddr), ident: view.getUint16(4), sequence: view.getUint16(6), payload: message.subarray(ICMP_HDR_LEN) });
  }
}

/** Sends one echo request. Returns what sending returned: 0 or -errno. */
export function sendEcho(net: Net, to: string, sequence: number, payload: Uint8Array): number {
  const task = createTask(net, 'ping');
  const fd = sysCall(sysSocket(task, PF_INET, SOCK_RAW, IPPROTO_ICMP), 'socket');
  const request = icmp(ICMP_ECHO, 0, ident, sequence, payload);
  const n = sysSendto(task, fd, request, MSG_DONTWAIT, new SockAddrIn(inAton(to), 0)) as number;
  exitTask(task);
  return Math.min(n, 0);
}
