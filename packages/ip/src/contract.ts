/*
 * The contract of InetProtocol: what IP expects of every transport, run on each of ours, and by users on theirs.
 *
 * A test runner goes over inetProtocolContract and calls run(make) of each; a rule that is broken throws. `make` gives a host with
 * an Ethernet device that is up and has an address; the transport is registered. Packets come in through netifReceiveSkb.
 *
 *   for (const { name, run } of inetProtocolContract) test(name, () => run(make));
 */
import { EEXIST, ENOENT, destroyNet, worldEnter, worldLeave } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { ETH_HLEN, ETH_P_IP, ethTypeTrans, netdevAllocSkb, netifReceiveSkb } from '@stack/netdev';
import type { NetDevice } from '@stack/netdev';
import { csumFold, csumPartial, leakReport, skbPut } from '@stack/skbuff';
import { ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, ICMP_HDR_LEN, ICMP_PARAMETERPROB, ICMP_REDIRECT, ICMP_TIME_EXCEEDED } from './icmp-types.ts';
import { IPPROTO_ICMP, IP_HDR_LEN } from './ip-header.ts';
import type { NetnsIpv4 } from './netns-ipv4.ts';
import { inetAddProtocol, inetDelProtocol } from './protocol.ts';
import type { InetProtocol } from './protocol.ts';

/** A transport on a host. */
export interface InetProtocolRig {
  readonly net: Net;
  /** Up, with address `local`. */
  readonly dev: NetDevice;
  readonly local: number;
  /** Another host on its link. */
  readonly remote: number;
  /** Registered under `protocol`. */
  readonly ops: InetProtocol;
  readonly protocol: number;
}

/** One rule of the contract. */
export interface InetProtocolRule {
  readonly name: string;
  /** Throws if a transport that `make` gives breaks the rule. */
  readonly run: (make: () => InetProtocolRig) => void;
}

/** Longest payload that a rule counts up to: more than the longest header of any transport. */
const LONGEST_HEADER = 80;

function check(what: boolean, message: string): void {
  if (!what) throw new Error(`InetProtocol contract: ${message}`);
}

/** Runs `body` on a fresh host, which then goes: it may not have panicked, and nothing may be left. */
function onHost(make: () => InetProtocolRig, body: (rig: InetProtocolRig) => void): void {
  const rig = make();
  const { net } = rig;
  body(rig);
  if (net.panicked !== null) throw net.panicked;
  destroyNet(net);
  check(leakReport(net.world).length === 0, 'a packet is left over');
}

/** Octets that look like nothing in particular, the same for the same seed. */
function noise(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed | 1;
  for (let i = 0; i < length; i++) {
    state = Math.imul(state, 1_664_525) + 1_013_904_223 | 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/** An IPv4 header without options in front of `payload`, its checksum right. */
function packetOf(saddr: number, daddr: number, protocol: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(IP_HDR_LEN + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, (0x4500 << 16) | bytes.length);
  view.setUint32(8, (64 << 24) | (protocol << 16));
  view.setInt32(12, saddr);
  view.setInt32(16, daddr);
  view.setUint16(10, csumFold(csumPartial(bytes, view, 0, IP_HDR_LEN, 0)));
  bytes.set(payload, IP_HDR_LEN);
  return bytes;
}

/** Has `packet` arrive. */
function receive({ dev }: InetProtocolRig, packet: Uint8Array): void {
  const { world } = dev.net;
  worldEnter(world);
  const skb = netdevAllocSkb(dev, ETH_HLEN + packet.length);
  if (skb === null) throw new Error('no memory');
  const at = skbPut(skb, ETH_HLEN + packet.length);
  skb.buf.set(dev.devAddr, at);
  skb.buf.set([2, 0, 0, 0, 0, 0x77], at + 6);
  skb.view.setUint16(at + 12, ETH_P_IP);
  skb.buf.set(packet, at + ETH_HLEN);
  skb.protocol = ethTypeTrans(skb, dev);
  netifReceiveSkb(skb);
  worldLeave(world);
}

/** An ICMP error of the remote host about a packet of ours that had `payload` behind its IP header. */
function icmpError(rig: InetProtocolRig, type: number, code: number, info: number, payload: Uint8Array): Uint8Array {
  const about = packetOf(rig.local, rig.remote, rig.protocol, payload);
  const message = new Uint8Array(ICMP_HDR_LEN + about.length);
  const view = new DataView(message.buffer);
  message[0] = type;
  message[1] = code;
  view.setInt32(4, info);
  message.set(about, ICMP_HDR_LEN);
  view.setUint16(2, csumFold(csumPartial(message, view, 0, message.length, 0)));
  return packetOf(rig.remote, rig.local, IPPROTO_ICMP, message);
}

function registered(make: () => InetProtocolRig): void {
  onHost(make, ({ net, ops, protocol }) => {
    check(inetAddProtocol(net, ops, protocol) === -EEXIST, 'it is registered twice, or was not');
    check(inetDelProtocol(net, ops, protocol) === 0, 'it cannot be taken out');
    check(inetDelProtocol(net, ops, protocol) === -ENOENT, 'it is still there');
    check(inetAddProtocol(net, ops, protocol) === 0, 'it cannot be put back');
    const ipv4: NetnsIpv4 = net.ipv4;
    check(ipv4.inetProtos[protocol] === ops, 'it is not under its number');
  });
}

function takesEveryLength(make: () => InetProtocolRig): void {
  onHost(make, (rig) => {
    const { remote, local, protocol } = rig;
    for (let length = 0; length <= LONGEST_HEADER; length++) {
      receive(rig, packetOf(remote, local, protocol, new Uint8Array(length)));
      receive(rig, packetOf(remote, local, protocol, new Uint8Array(length).fill(255)));
      for (let seed = 1; seed <= 5; seed++) receive(rig, packetOf(remote, local, protocol, noise(length, seed * 1000 + length)));
    }
    for (const length of [1000, 1480, 40_000]) receive(rig, packetOf(remote, local, protocol, noise(length, length)));
  });
}

function takesStrangers(make: () => InetProtocolRig): void {
  onHost(make, (rig) => {
    const { remote, local, protocol } = rig;
    for (const saddr of [0, local, 0x7f000001, -1, 0xe0000001 | 0]) receive(rig, packetOf(saddr, local, protocol, noise(60, 1)));
    for (const daddr of [-1, 0xe0000001 | 0, local | 0xff]) receive(rig, packetOf(remote, daddr, protocol, noise(60, 2)));
  });
}

function hearsOfErrors(make: () => InetProtocolRig): void {
  onHost(make, (rig) => {
    for (const type of [ICMP_DEST_UNREACH, ICMP_TIME_EXCEEDED, ICMP_PARAMETERPROB, ICMP_REDIRECT]) {
      for (let code = 0; code < 16; code++) {
        for (const length of [0, 7, 8, 20, 60]) receive(rig, icmpError(rig, type, code, code << 24, noise(length, code + length)));
      }
    }
    for (const mtu of [0, 67, 68, 576, 1500, 65535]) {
      receive(rig, icmpError(rig, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, mtu, noise(8, mtu)));
    }
  });
}

/** The rules. */
export const inetProtocolContract: readonly InetProtocolRule[] = [
  { name: 'it is registered under its number, once', run: registered },
  { name: 'it takes packets of every length and content, and frees them', run: takesEveryLength },
  { name: 'it takes packets from and to addresses that cannot be', run: takesStrangers },
  { name: 'RFC 1122 §3.2.2.1: it hears of every ICMP error about its packets, whatever of them came back', run: hearsOfErrors },
];
