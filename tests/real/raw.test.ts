// Raw, ping and packet sockets against Linux's: each kind asks the other's, both say the same of the same messages, and a packet socket
// of ours sees what tcpdump sees on the other side.
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inAton, SockAddrIn } from '@stack/inet-sock';
import { ICMP_ECHO, ICMP_ECHOREPLY, ICMP_TIMESTAMP, IP_RECVERR, IPPROTO_ICMP, IPPROTO_RAW } from '@stack/ip';
import { ENOPROTOOPT } from '@stack/kernel';
import { ARPHRD_ETHER, ETH_P_8021Q, ETH_P_ALL, PACKET_HOST, PACKET_OUTGOING } from '@stack/netdev';
import { SockAddrLl } from '@stack/packet';
import { readCapture } from '@stack/pcap';
import {
  MSG_DONTWAIT, MSG_ERRQUEUE, PF_INET, PF_PACKET, SO_RCVBUF, SOCK_DGRAM, SOCK_RAW, SOL_IP, SOL_SOCKET, sysCall, sysRecvfrom, sysSendto,
  sysSetsockopt, sysSocket, type SockAddr,
} from '@stack/socket';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { describeRealWith, eventually, nextLine, nsIpJson, nsRun, nsSpawn, nsWriteSysctl } from '../support/netns.ts';
import { checksum, ethernet, icmp, ipv4 } from '../support/raw-rig.ts';
import { OUR_MAC, OURS, PEER, realHost, type RealHost } from '../support/real-host.ts';

/** Nobody's protocol and nobody's type (RFC 3692; IEEE 802, for experiments). */
const PROTO = 253;
const ETH_P_EXPERIMENT = 0x88b5;

const script = fileURLToPath(new URL('../support/raw-peer.py', import.meta.url));

let real: RealHost;

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const hex = (data: Uint8Array): string => Buffer.from(data).toString('hex');
const unhex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'));

beforeEach(({ task }) => {
  real = realHost(`raw ${task.name.slice(0, 40)}`, { offloads: false, sysctl: { 'net.ipv4.ping_group_range': [0, 0] } });
  nsWriteSysctl(real.ns, 'net.ipv4.ping_group_range', '0 0');
});
afterEach(() => real.close());

/** Linux's Ethernet address. */
function peerMac(): Uint8Array {
  const text = String(nsIpJson(real.ns, 'link', 'show', 'dev', real.dev.name)[0]?.['address']);
  return unhex(text.replaceAll(':', ''));
}

/** A socket of ours, with room for what comes while nobody reads. */
function open(family: number, type: number, protocol: number): number {
  const { task } = real.host;
  const fd = sysCall(sysSocket(task, family, type, protocol), 'socket');
  sysCall(sysSetsockopt(task, fd, SOL_SOCKET, SO_RCVBUF, 1 << 20), 'setsockopt');
  return fd;
}

const sendto = (fd: number, data: Uint8Array, to: SockAddr): number => sysSendto(real.host.task, fd, data, MSG_DONTWAIT, to) as number;

async function recvfrom(fd: number, from: SockAddr | null = null): Promise<Uint8Array> {
  const buffer = new Uint8Array(65536);
  const n = sysCall(await sysRecvfrom(real.host.task, fd, buffer, 0, from), 'recvfrom');
  return buffer.slice(0, n);
}

/** raw-peer.py as an echo server. */
async function linuxEcho(kind: string, target: string): Promise<() => Promise<string[]>> {
  const child = nsSpawn(real.ns, 'python3', script, 'echo', kind, real.dev.name, target);
  expect(await nextLine(child)).toBe('ready');
  return async () => (await nextLine(child)).split(' ');
}

/** What Linux's sendto says of each message. */
async function linuxSends(kind: string, target: string, ...messages: Uint8Array[]): Promise<number[]> {
  const said = await nsRun(real.ns, 'python3', script, 'send', kind, real.dev.name, target, ...messages.map(hex));
  return said.trim().split('\n').map(Number);
}

describeRealWith(['python3', 'tcpdump'], 'raw, ping and packet sockets', () => {
  test('our ping over a raw socket and over a ping socket: 0 octets to the most', async () => {
    const to = new SockAddrIn(inAton(PEER), 0);
    for (const [type, most] of [[SOCK_RAW, 65507], [SOCK_DGRAM, 65499]] as const) {
      const fd = open(PF_INET, type, IPPROTO_ICMP);
      for (const [i, size] of [0, 1, 56, 1472, 1473, most].entries()) {
        const payload = new Uint8Array(size).map((_, at) => at * 7);
        expect(sendto(fd, icmp(ICMP_ECHO, 0, 0x77, i, payload), to)).toBe(size + 8);
        const packet = await recvfrom(fd);
        const reply = type === SOCK_RAW ? packet.subarray(20) : packet;
        const view = new DataView(reply.buffer, reply.byteOffset);
        expect([view.getUint8(0), view.getUint16(6), checksum(reply)]).toEqual([ICMP_ECHOREPLY, i, 0]);
        expect(Buffer.compare(reply.subarray(8), payload), `${size} octets`).toBe(0);
      }
    }
  });

  test('Linux pings us over its ping socket and its raw socket', async () => {
    // ping(8) takes a ping socket where it may, else a raw one.
    for (const range of ['0 0', '1 0']) {
      nsWriteSysctl(real.ns, 'net.ipv4.ping_group_range', range);
      expect(await nsRun(real.ns, 'ping', '-q', '-c', '3', '-i', '0.01', OURS)).toContain(' 0% packet loss');
    }
    nsWriteSysctl(real.ns, 'net.ipv4.ping_group_range', '0 0');
    expect(await linuxSends('ping', OURS, icmp(ICMP_ECHO, 0, 1, 1, bytes('x')))).toEqual([9]);
  });

  test('raw sockets of one protocol, both ways: the packets, IP header and all', async () => {
    const said = await linuxEcho(`raw:${PROTO}`, OURS);
    const fd = open(PF_INET, SOCK_RAW, PROTO);
    for (const size of [1, 100, 1480, 1481, 20000]) {
      const payload = new Uint8Array(size).map((_, at) => at * 3);
      expect(sendto(fd, payload, new SockAddrIn(inAton(PEER), 0))).toBe(size);
      const [text = '', sender] = await said();
      expect([sender, hex(unhex(text).subarray(20)) === hex(payload)]).toEqual([OURS, true]);
      const from = new SockAddrIn();
      const answer = await recvfrom(fd, from);
      expect([from.sinAddr, Buffer.compare(answer.subarray(20), payload), new DataView(answer.buffer).getUint16(2)]).toEqual(
        [inAton(PEER), 0, size + 20],
      );
    }
  });

  test('IP_HDRINCL: both kernels fill in the same fields of the same packet', async () => {
    const said = await linuxEcho(`raw:${PROTO}`, OURS);
    const listener = open(PF_INET, SOCK_RAW, PROTO);
    const draft = (to: string, id: number): Uint8Array => {
      const packet = ipv4(PROTO, '0.0.0.0', to, bytes('header included'), id, 17);
      packet[1] = 0x10;
      packet.set([0xde, 0xad], 2);
      packet.set([0xbe, 0xef], 10);
      return packet;
    };
    const own = open(PF_INET, SOCK_RAW, IPPROTO_RAW);
    for (const id of [0, 0x4321]) {
      expect(sendto(own, draft(PEER, id), new SockAddrIn(inAton(PEER), 0))).toBe(35);
      const ours = unhex((await said())[0] ?? '');
      await recvfrom(listener); // Linux's answer
      expect(await linuxSends('hdrincl', OURS, draft(OURS, id))).toEqual([35]);
      const theirs = await recvfrom(listener);
      const fields = (packet: Uint8Array): (number | boolean)[] => {
        const view = new DataView(packet.buffer, packet.byteOffset);
        return [view.getUint16(0), view.getUint16(2), view.getUint16(4) === id, view.getUint16(6), view.getUint16(8), checksum(packet.subarray(0, 20))];
      };
      expect(fields(ours)).toEqual(fields(theirs));
      expect([hex(ours.subarray(12, 16)), hex(theirs.subarray(12, 16))]).toEqual(['0a630002', '0a630001']);
    }
  });

  test('what sendto refuses: the same errno as Linux, kind by kind', async () => {
    const [here, there] = [new SockAddrIn(inAton(PEER), 0), OURS];
    const badLength = ipv4(PROTO, OURS, PEER, bytes('x'));
    badLength[0] = 0x4f;
    const cases: [string, number, number, Uint8Array[]][] = [
      ['hdrincl', SOCK_RAW, IPPROTO_RAW, [new Uint8Array(19), badLength, ipv4(PROTO, OURS, PEER, new Uint8Array(1481))]],
      ['ping', SOCK_DGRAM, IPPROTO_ICMP, [
        icmp(ICMP_ECHOREPLY, 0, 1, 1, bytes('x')), icmp(ICMP_TIMESTAMP, 0, 1, 1, new Uint8Array(12)), icmp(ICMP_ECHO, 1, 1, 1, bytes('x')), new Uint8Array(7),
      ]],
      [`raw:${PROTO}`, SOCK_RAW, PROTO, [new Uint8Array(0), new Uint8Array(65515), new Uint8Array(65516)]],
    ];
    for (const [kind, type, protocol, messages] of cases) {
      const fd = open(PF_INET, type, protocol);
      expect(messages.map((message) => sendto(fd, message, here)), kind).toEqual(await linuxSends(kind, there, ...messages));
    }
    const frames = [13, 14, 15, 1514, 1515, 1518, 1519].map((size) => {
      const frame = new Uint8Array(size);
      frame.set([2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 8, 0x88, 0xb5].slice(0, size));
      return frame;
    });
    const tagged = frames.filter(({ length }) => length > 18).map((frame) => {
      const copy = frame.slice();
      copy.set([0x81, 0x00, 0, 5, 0x88, 0xb5], 12);
      return copy;
    });
    const tag = (size: number): Uint8Array => {
      const payload = new Uint8Array(size);
      payload.set([0, 5, 0x88, 0xb5]);
      return payload;
    };
    const packets: [string, number, number, Uint8Array[]][] = [
      [`packet-raw:${ETH_P_EXPERIMENT}`, SOCK_RAW, ETH_P_EXPERIMENT, [...frames, ...tagged]],
      [`packet-dgram:${ETH_P_EXPERIMENT}`, SOCK_DGRAM, ETH_P_EXPERIMENT, [0, 1, 1500, 1501, 1504].map((size) => new Uint8Array(size))],
      [`packet-dgram:${ETH_P_8021Q}`, SOCK_DGRAM, ETH_P_8021Q, [1500, 1504, 1505].map(tag)],
    ];
    for (const [kind, type, protocol, messages] of packets) {
      const fd = open(PF_PACKET, type, protocol);
      const to = new SockAddrLl(protocol, real.dev.ifindex, Uint8Array.of(2, 0, 0, 0, 0, 9));
      expect(messages.map((message) => sendto(fd, message, to)), kind).toEqual(await linuxSends(kind, '02:00:00:00:00:09', ...messages));
    }
  });

  test('RFC 1122 §3.2.2.1: Linux says that it has no such protocol, and IP_RECVERR brings it; so do we', async () => {
    const { task } = real.host;
    const fd = open(PF_INET, SOCK_RAW, PROTO);
    sysCall(sysSetsockopt(task, fd, SOL_IP, IP_RECVERR, 1), 'setsockopt');
    expect(sendto(fd, bytes('nobody there?'), new SockAddrIn(inAton(PEER), 0))).toBe(13);
    expect(await sysRecvfrom(task, fd, new Uint8Array(64), 0, null)).toBe(-ENOPROTOOPT);
    const quoted = new Uint8Array(64);
    const n = await sysRecvfrom(task, fd, quoted, MSG_ERRQUEUE, null);
    expect(hex(quoted.subarray(0, n))).toBe(hex(bytes('nobody there?')));

    expect(await linuxSends('raw:254', OURS, bytes('nobody there?'))).toEqual([13]);
    await eventually('our answer', () => real.host.show.counters()['IcmpOutDestUnreachs'] === 1);
  });

  test('packet sockets, SOCK_RAW and SOCK_DGRAM, both ways: frames, and what each says of the sender', async () => {
    const mac = peerMac();
    for (const [kind, type] of [['packet-raw', SOCK_RAW], ['packet-dgram', SOCK_DGRAM]] as const) {
      const said = await linuxEcho(`${kind}:${ETH_P_EXPERIMENT}`, OUR_MAC);
      const fd = open(PF_PACKET, type, ETH_P_EXPERIMENT);
      const payload = new Uint8Array(100).map((_, at) => at);
      const own = unhex(OUR_MAC.replaceAll(':', ''));
      const message = type === SOCK_RAW ? ethernet(mac, own, ETH_P_EXPERIMENT, payload) : payload;
      expect(sendto(fd, message, new SockAddrLl(ETH_P_EXPERIMENT, real.dev.ifindex, mac))).toBe(message.length);
      expect(await said()).toEqual([hex(message), String(ETH_P_EXPERIMENT), String(PACKET_HOST), String(ARPHRD_ETHER), hex(own)]);

      const from = new SockAddrLl();
      const answer = await recvfrom(fd, from);
      expect(hex(answer)).toBe(type === SOCK_RAW ? hex(ethernet(own, mac, ETH_P_EXPERIMENT, payload)) : hex(payload));
      expect([from.sllProtocol, from.sllPkttype, from.sllHatype, hex(from.sllAddr.subarray(0, from.sllHalen))]).toEqual(
        [ETH_P_EXPERIMENT, PACKET_HOST, ARPHRD_ETHER, hex(mac)],
      );
    }
  });

  test('a packet socket sees what tcpdump sees on the other side, octet for octet', async () => {
    const { task } = real.host;
    const file = join(real.file, '..', `tcpdump-${process.pid}.pcap`);
    const tap = open(PF_PACKET, SOCK_RAW, ETH_P_ALL);
    const tcpdump = nsSpawn(real.ns, 'sh', '-c', `exec tcpdump -i ${real.dev.name} -s 0 -U --immediate-mode -w ${file} 2>&1`);
    expect(await nextLine(tcpdump)).toContain('listening on');

    // A conversation: ARP, echo in fragments both ways, an ICMP error, a connection that is refused, a strange frame.
    expect(await nsRun(real.ns, 'ping', '-q', '-c', '2', '-i', '0.01', '-s', '4000', OURS)).toContain(' 0% packet loss');
    const raw = open(PF_INET, SOCK_RAW, IPPROTO_ICMP);
    sendto(raw, icmp(ICMP_ECHO, 0, 1, 1, new Uint8Array(3000)), new SockAddrIn(inAton(PEER), 0));
    await recvfrom(raw);
    expect(await linuxSends('raw:254', OURS, bytes('nobody there?'))).toEqual([13]);
    await nsRun(real.ns, 'sh', '-c', `ncat ${OURS} 9 </dev/null || true`);
    const last = ethernet(peerMac(), unhex(OUR_MAC.replaceAll(':', '')), ETH_P_EXPERIMENT, new Uint8Array(50).fill(0x55));
    sendto(open(PF_PACKET, SOCK_RAW, 0), last, new SockAddrLl(0, real.dev.ifindex));
    await eventually('the last frame at tcpdump', () => readFileSync(file).includes(Buffer.from(last)));

    const theirs = [...readCapture(new Uint8Array(readFileSync(file)))].map(({ data, offset, caplen }) => hex(data.subarray(offset, offset + caplen)));
    const ours: string[] = [];
    const outgoing: boolean[] = [];
    const buffer = new Uint8Array(65536);
    const from = new SockAddrLl();
    for (let n = sysRecvfrom(task, tap, buffer, MSG_DONTWAIT, from) as number; n > 0; n = sysRecvfrom(task, tap, buffer, MSG_DONTWAIT, from) as number) {
      ours.push(hex(buffer.subarray(0, n)));
      outgoing.push(from.sllPkttype === PACKET_OUTGOING);
    }
    rmSync(file);
    expect(ours.length).toBeGreaterThan(15);
    expect([...ours].sort()).toEqual([...theirs].sort());
    const ourSource = OUR_MAC.replaceAll(':', '');
    expect(outgoing).toEqual(ours.map((frame) => frame.slice(12, 24) === ourSource));
    // Each direction in its own order.
    for (const mine of [true, false]) {
      const of = (frames: string[]): string[] => frames.filter((frame) => (frame.slice(12, 24) === ourSource) === mine);
      expect(of(ours)).toEqual(of(theirs));
    }
  });
});
