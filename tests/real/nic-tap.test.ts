// The TAP driver against the kernel, with no layer above it: frames in, frames out, what is left undone in them, errors.
import { statSync } from 'node:fs';
import { createNet, createWorld, destroyNet, worldEnter, worldLeave, type Net } from '@stack/kernel';
import { realClock } from '@stack/kernel/real-clock';
import {
  ETH_P_ARP, ETH_P_IP, LINK_STATE_XOFF, NETIF_F_SG, devAddPack, devOpen, devQueueXmit, installNetdev, llReservedSpace, netifCarrierOk,
  type NetDevice, type PacketType,
} from '@stack/netdev';
import { closeTap, openTap, type TapOptions } from '@stack/nic-tap';
import {
  CHECKSUM_NONE, CHECKSUM_PARTIAL, CHECKSUM_UNNECESSARY, NET_RX_SUCCESS, allocSkb, consumeSkb, csumFold, csumTcpudpNofold, installSkbuff,
  leakReport, skbAddRxFrag, allocPage, skbChecksum, skbCopyBits, skbPut, skbReserve, type SkBuff,
} from '@stack/skbuff';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createNetns, deleteNetns, describeReal, eventually, ip, nsIp, nsIpJson, nsRun, plug, type Netns } from '../support/netns.ts';

const PEER = '10.99.0.1';
const OURS = '10.99.0.2';
const MAC = Uint8Array.of(2, 0x53, 0x54, 0, 0, 1);
const ARP_REQUEST = 1;
const ARP_REPLY = 2;

let net: Net;
let ns: Netns;
let received: { protocol: number; bytes: Uint8Array; ipSummed: number; csumOffset: number; check: number }[];

function octets(address: string): number[] {
  return address.split('.').map(Number);
}

/** A protocol that notes what comes. */
function note(skb: SkBuff): number {
  const bytes = new Uint8Array(skb.len);
  skbCopyBits(skb, 0, bytes, 0, skb.len);
  const { protocol, ipSummed, csumOffset } = skb;
  received.push({ protocol, bytes, ipSummed, csumOffset, check: protocol === ETH_P_IP ? udpCheck(skb) : 0 });
  consumeSkb(skb);
  return NET_RX_SUCCESS;
}

/** The UDP checksum verified over the packet, data at the IP header: 0 if it is right. */
function udpCheck(skb: SkBuff): number {
  const { view } = skb;
  const length = skb.len - 20;
  const pseudo = csumTcpudpNofold(view.getInt32(skb.data + 12), view.getInt32(skb.data + 16), length, 17, 0);
  return csumFold(skbChecksum(skb, 20, length, pseudo)) & 0xffff;
}

const noteArp: PacketType = { type: ETH_P_ARP, dev: null, func: note, afPacketPriv: null };
const noteIp: PacketType = { type: ETH_P_IP, dev: null, func: note, afPacketPriv: null };

function open(options: TapOptions = {}): NetDevice {
  const dev = openTap(net, { name: `st${process.pid}t%d`.slice(-15), mac: MAC, ...options });
  plug(ns, dev.name, `${PEER}/24`);
  expect(devOpen(dev)).toBe(0);
  return dev;
}

/** An Ethernet frame with an ARP packet of ours. */
function arp(operation: number, target: Uint8Array): Uint8Array {
  return Uint8Array.from([
    ...target, ...MAC, 8, 6, 0, 1, 8, 0, 6, 4, 0, operation, ...MAC, ...octets(OURS), ...target, ...octets(PEER),
  ]);
}

function send(dev: NetDevice, bytes: Uint8Array, split = bytes.length): void {
  const room = llReservedSpace(dev);
  const skb = allocSkb(net, room + split)!;
  skbReserve(skb, room);
  skb.buf.set(bytes.subarray(0, split), skbPut(skb, split));
  if (split < bytes.length) {
    const page = allocPage(net, 2048)!;
    page.pool.debug?.pages.delete(page);
    page.buf.set(bytes.subarray(split), page.base);
    skbAddRxFrag(skb, 0, page, page.base, bytes.length - split, 2048);
  }
  skb.dev = dev;
  skb.protocol = ETH_P_ARP;
  skb.networkHeader = skb.data + 14;
  worldEnter(net.world);
  devQueueXmit(skb);
  worldLeave(net.world);
}

/** What the kernel knows of our address. */
function neighbour(): Record<string, unknown> | undefined {
  return nsIpJson(ns, 'neighbour', 'show').find((entry) => entry['dst'] === OURS);
}

describeReal('nic-tap', () => {
  beforeEach(() => {
    const world = createWorld({ clock: realClock(), debug: true });
    installSkbuff(world);
    net = createNet(world, { name: 'a' });
    installNetdev(net);
    devAddPack(net, noteArp);
    devAddPack(net, noteIp);
    received = [];
    ns = createNetns('nic-tap');
  });

  afterEach(() => {
    destroyNet(net);
    deleteNetns(ns);
    expect(leakReport(net.world)).toEqual([]);
  });

  test('receives what Linux sends: an ARP request when it looks for us', async () => {
    const dev = open();
    const ping = nsRun(ns, 'ping', '-c', '1', '-W', '1', OURS).catch(() => '');
    await eventually('an ARP request', () => received.some(({ protocol, bytes }) => protocol === ETH_P_ARP && bytes[7] === ARP_REQUEST));
    const request = received.find(({ protocol }) => protocol === ETH_P_ARP);
    expect([...request!.bytes.subarray(14, 18)]).toEqual(octets(PEER));
    expect([...request!.bytes.subarray(24, 28)]).toEqual(octets(OURS));
    expect(dev.stats.rxPackets).toBeGreaterThan(0);
    await ping;
  });

  test.each([['linear', 42], ['in the linear part and a fragment', 20]])('sends to Linux a frame that lies %s', async (_how, split) => {
    const dev = open();
    expect(dev.features & NETIF_F_SG).not.toBe(0);
    const ping = nsRun(ns, 'ping', '-c', '1', '-W', '2', OURS).catch(() => '');
    await eventually('an ARP request', () => received.some(({ protocol }) => protocol === ETH_P_ARP));
    const asker = received.find(({ protocol }) => protocol === ETH_P_ARP)!.bytes.subarray(8, 14);
    send(dev, arp(ARP_REPLY, asker), split);
    await eventually('our address in its table', () => neighbour()?.['lladdr'] === '02:53:54:00:00:01');
    await eventually('the echo request', () => received.some(({ protocol }) => protocol === ETH_P_IP));
    expect(dev.stats.txPackets).toBe(1);
    expect(dev.stats.txBytes).toBe(42);
    await ping;
  });

  test.each([[true, CHECKSUM_PARTIAL], [false, CHECKSUM_NONE]])('offloads %s: a UDP checksum is left undone accordingly', async (offloads, ipSummed) => {
    open({ offloads });
    nsIp(ns, 'neighbour', 'replace', OURS, 'lladdr', '02:53:54:00:00:01', 'dev', net.netdev.devList.at(-1)!.name, 'nud', 'permanent');
    await nsRun(ns, 'sh', '-c', `echo hello | ncat -u --send-only ${OURS} 9`);
    await eventually('the datagram', () => received.some(({ protocol, bytes }) => protocol === ETH_P_IP && bytes[9] === 17));
    const datagram = received.find(({ protocol, bytes }) => protocol === ETH_P_IP && bytes[9] === 17)!;
    expect(datagram.ipSummed).toBe(ipSummed);
    expect(datagram.ipSummed).not.toBe(CHECKSUM_UNNECESSARY);
    expect(new TextDecoder().decode(datagram.bytes.subarray(28))).toBe('hello\n');
    if (offloads) expect(datagram.csumOffset).toBe(6);
    expect(datagram.check === 0).toBe(!offloads);
  });

  test('receives a burst larger than its budget, none lost', async () => {
    const dev = open({ offloads: false });
    nsIp(ns, 'neighbour', 'replace', OURS, 'lladdr', '02:53:54:00:00:01', 'dev', dev.name, 'nud', 'permanent');
    await nsRun(ns, 'ping', '-q', '-f', '-c', '1000', '-l', '1000', '-W', '1', '-s', '100', OURS).catch(() => '');
    await eventually('1000 packets', () => received.filter(({ bytes }) => bytes[9] === 1).length === 1000);
    const sequence = received.filter(({ bytes }) => bytes[9] === 1).map(({ bytes }) => ((bytes[26] ?? 0) << 8) | (bytes[27] ?? 0));
    expect(sequence).toEqual(Array.from({ length: 1000 }, (_, i) => i + 1));
  });

  test('a TUN interface carries IP packets without a link-layer header', async () => {
    const dev = open({ mode: 'tun' });
    expect([dev.hardHeaderLen, dev.type]).toEqual([0, 0xfffe]);
    await nsRun(ns, 'ping', '-c', '1', '-W', '1', OURS).catch(() => '');
    await eventually('the echo request', () => received.some(({ protocol }) => protocol === ETH_P_IP));
    expect(received.find(({ protocol }) => protocol === ETH_P_IP)!.bytes[0]).toBe(0x45);
  });

  test('sets up Linux\'s end where asked to', () => {
    const name = `sp${process.pid}`.slice(-15);
    openTap(net, { name, peer: { address: '10.98.0.1/24', mtu: 1400 } });
    const [link] = JSON.parse(ip('-j', 'address', 'show', 'dev', name)) as Record<string, unknown>[];
    expect(link).toMatchObject({ mtu: 1400, txqlen: 4096 });
    expect(link?.['addr_info']).toContainEqual(expect.objectContaining({ family: 'inet', local: '10.98.0.1', prefixlen: 24 }));
    expect(link?.['flags']).toContain('UP');
  });

  test('counts what Linux refuses while its end is down, and goes on', () => {
    const dev = open();
    nsIp(ns, 'link', 'set', dev.name, 'down');
    send(dev, arp(ARP_REPLY, new Uint8Array(6)));
    expect(dev.stats).toMatchObject({ txErrors: 1, txCarrierErrors: 1, txPackets: 0 });
    nsIp(ns, 'link', 'set', dev.name, 'up');
    send(dev, arp(ARP_REPLY, new Uint8Array(6)));
    expect(dev.stats).toMatchObject({ txErrors: 1, txPackets: 1 });
    expect(dev.state & LINK_STATE_XOFF).toBe(0);
  });

  test('loses its carrier when the interface is deleted', async () => {
    const dev = open();
    expect(netifCarrierOk(dev)).toBe(true);
    nsIp(ns, 'link', 'delete', dev.name);
    await eventually('no carrier', () => !netifCarrierOk(dev));
  });

  test('gives the interface back', () => {
    const dev = open();
    expect(nsIp(ns, 'link', 'show')).toContain(dev.name);
    closeTap(dev);
    closeTap(dev);
    expect(nsIp(ns, 'link', 'show')).not.toContain(dev.name);
  });

  test('says what to do: EBUSY, EPERM or EACCES, EINVAL', () => {
    const { name } = openTap(net, { name: `sb${process.pid}`.slice(-15) });
    expect(() => openTap(net, { name })).toThrow(expect.objectContaining({ code: 'EBUSY', message: expect.stringContaining('another process') as string }));
    expect(() => openTap(net, { name: 'lo' })).toThrow(expect.objectContaining({ code: 'EINVAL', message: expect.stringContaining('another kind') as string }));
    // Not root: the ioctl refuses, or the device file does where it is root's alone.
    const refused = (statSync('/dev/net/tun').mode & 0o006) === 0o006 ? 'EPERM' : 'EACCES';
    process.seteuid?.(65534);
    try {
      expect(() => openTap(net, { name: `se${process.pid}`.slice(-15) })).toThrow(expect.objectContaining({ code: refused, message: expect.stringContaining('root') as string }));
    } finally {
      process.seteuid?.(0);
    }
  });
});
