// IP, ICMP, ARP and UDP against Linux: each side asks, each side answers, and tshark finds nothing wrong with any of it.
import { inAton, SockAddrIn } from '@stack/inet-sock';
import { ipNeighDel } from '@stack/ip';
import { ECONNREFUSED } from '@stack/kernel';
import { SO_BROADCAST, SO_RCVBUF, SOCK_DGRAM, SOL_SOCKET, PF_INET, sysBind, sysConnect, sysRecv, sysRecvfrom, sysSend, sysSendto, sysSetsockopt, sysSocket } from '@stack/socket';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { describeReal, eventually, nextLine, nsIp, nsIpJson, nsPeer, nsRun, nsSpawn } from '../support/netns.ts';
import { collectReplies, sendEcho } from '../support/ping.ts';
import { OURS, OUR_MAC, PEER, realHost, type RealHost, type RealOptions } from '../support/real-host.ts';
import { countFrames } from '../support/tshark.ts';

const variants: [string, RealOptions][] = [
  ['MTU 1500', {}],
  ['MTU 1500, no offloads', { offloads: false }],
  ['MTU 9000', { mtu: 9000 }],
];

let real: RealHost;

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Sizes around every edge: nothing, one octet, the last that fits MTU 1500, one more, the largest. */
const DATAGRAMS = [0, 1, 1472, 1473, 8972, 8973, 65507];

/** A UDP socket of ours, with room for several of the largest datagrams. */
function udpSocket(port = 0): number {
  const { task } = real.host;
  const fd = sysSocket(task, PF_INET, SOCK_DGRAM, 0);
  expect(sysSetsockopt(task, fd, SOL_SOCKET, SO_RCVBUF, 1 << 20)).toBe(0);
  if (port !== 0) expect(sysBind(task, fd, new SockAddrIn(0, port))).toBe(0);
  return fd;
}

/** Answers every datagram until the host ends. */
async function udpEcho(port: number): Promise<void> {
  const { task } = real.host;
  const fd = udpSocket(port);
  const buffer = new Uint8Array(65536);
  const from = new SockAddrIn();
  for (;;) {
    const length = await sysRecvfrom(task, fd, buffer, 0, from);
    if (length < 0) return;
    await sysSendto(task, fd, buffer.subarray(0, length), 0, from);
  }
}

describeReal.each(variants)('IP and UDP, %s', (variant, options) => {
  beforeEach(({ task }) => {
    real = realHost(`${variant}, ${task.name}`, options);
  });
  afterEach(() => real.close());

  test('Linux pings us: 0 to 65507 octets, whole or in fragments', async () => {
    for (const size of DATAGRAMS) {
      expect(await nsRun(real.ns, 'ping', '-q', '-c', '1', '-W', '5', '-s', String(size), OURS), `-s ${size}`).toContain(' 0% packet loss');
    }
    expect(real.host.show.counters()['IcmpInEchos']).toBe(DATAGRAMS.length);
  });

  test('we ping Linux: 0 to 65507 octets, whole or in fragments', async () => {
    const { net } = real.host;
    const { replies, stop } = collectReplies(net);
    for (const [i, size] of DATAGRAMS.entries()) {
      const payload = new Uint8Array(size).map((_, at) => at * 7);
      expect(sendEcho(net, PEER, i, payload)).toBe(0);
      await eventually(`an answer to ${size} octets`, () => replies.length === i + 1);
      expect(replies[i]).toMatchObject({ from: PEER, sequence: i });
      expect(Buffer.compare(replies[i]!.payload, payload), `${size} octets`).toBe(0);
    }
    stop();
    expect(real.host.show.counters()['IcmpInEchoReps']).toBe(DATAGRAMS.length);
  });

  test('UDP, Linux asks: 0 to 65507 octets', async () => {
    void udpEcho(7);
    const ncat = nsSpawn(real.ns, 'ncat', '-u', OURS, '7');
    ncat.stdin?.write('hello\n');
    expect(await nextLine(ncat)).toBe('hello');
    const client = nsPeer(real.ns, 'udp-client', OURS, 7, ...DATAGRAMS);
    for (const size of DATAGRAMS) expect(await nextLine(client)).toBe(String(size));
  });

  test('UDP, we ask: 0 to 65507 octets', async () => {
    const { task } = real.host;
    await nextLine(nsPeer(real.ns, 'udp-echo', 7));
    const fd = udpSocket();
    expect(sysConnect(task, fd, new SockAddrIn(inAton(PEER), 7))).toBe(0);
    const answer = new Uint8Array(65536);
    for (const size of DATAGRAMS) {
      const datagram = new Uint8Array(size).map((_, at) => at * 3);
      expect(sysSend(task, fd, datagram, 0)).toBe(size);
      expect(await sysRecv(task, fd, answer, 0)).toBe(size);
      expect(Buffer.compare(answer.subarray(0, size), datagram), `${size} octets`).toBe(0);
    }
  });

  test('RFC 1122 §4.1.3.1: a closed UDP port answers with ICMP port unreachable, both ways', async () => {
    const { task } = real.host;
    const ncat = nsSpawn(real.ns, 'sh', '-c', `ncat -u ${OURS} 9 2>&1`);
    const said = nextLine(ncat);
    const again = setInterval(() => ncat.stdin?.write('anybody?\n'), 20);
    try {
      expect(await said).toContain('Connection refused');
    } finally {
      clearInterval(again);
    }

    const fd = udpSocket();
    expect(sysConnect(task, fd, new SockAddrIn(inAton(PEER), 9))).toBe(0);
    expect(sysSend(task, fd, bytes('anybody?'), 0)).toBe(8);
    expect(await sysRecv(task, fd, new Uint8Array(16), 0)).toBe(-ECONNREFUSED);
    expect(countFrames(real.file, `icmp.type == 3 && icmp.code == 3 && eth.src == ${OUR_MAC}`)).toBeGreaterThan(0);
    expect(countFrames(real.file, `icmp.type == 3 && icmp.code == 3 && eth.src != ${OUR_MAC}`)).toBe(1);
  });
});

describeReal('on the link', () => {
  beforeEach(({ task }) => {
    real = realHost(task.name);
  });
  afterEach(() => real.close());

  test('ARP both ways: each asks for the other, and both tables say the same as the devices', async () => {
    const { ns, host, dev } = real;
    const peerMac = String(nsIpJson(ns, 'link', 'show', 'dev', dev.name)[0]?.['address']);
    const { replies, stop } = collectReplies(host.net);

    expect(sendEcho(host.net, PEER, 1, bytes('we ask'))).toBe(0);
    await eventually('an answer', () => replies.length === 1);
    expect(host.show.neigh()).toEqual([{ dst: PEER, dev: dev.name, lladdr: peerMac, state: ['REACHABLE'] }]);

    expect(ipNeighDel(host.net, { dst: PEER, dev: dev.name })).toBe(0);
    nsIp(ns, 'neighbour', 'flush', 'all');
    await nsRun(ns, 'ping', '-c', '1', '-W', '2', OURS);
    expect(nsIpJson(ns, 'neighbour', 'show')).toEqual([{ dst: OURS, dev: dev.name, lladdr: OUR_MAC, state: ['REACHABLE'] }]);
    stop();

    // A unicast probe of an entry that is known: RFC 1122 §2.3.2.1.
    nsIp(ns, 'neighbour', 'change', OURS, 'lladdr', OUR_MAC, 'dev', dev.name, 'nud', 'probe');
    await eventually('our answer to its probe', () => String(nsIpJson(ns, 'neighbour', 'show')[0]?.['state']) === 'REACHABLE');
    expect(countFrames(real.file, `arp.opcode == 1 && arp.src.proto_ipv4 == ${OURS}`)).toBeGreaterThan(0);
    expect(countFrames(real.file, `arp.opcode == 1 && arp.src.proto_ipv4 == ${PEER}`)).toBeGreaterThan(1);
  });

  test('an address that nobody has is unreachable', async () => {
    const { task } = real.host;
    const fd = udpSocket();
    expect(sysConnect(task, fd, new SockAddrIn(inAton('10.99.0.77'), 9))).toBe(0);
    expect(sysSend(task, fd, bytes('anybody?'), 0)).toBe(8);
    await eventually('FAILED', () => real.host.show.neigh().some(({ dst, state }) => dst === '10.99.0.77' && state[0] === 'FAILED'));
    expect(countFrames(real.file, 'arp.dst.proto_ipv4 == 10.99.0.77')).toBe(3);
  });

  test('UDP, a broadcast reaches Linux', async () => {
    const { task } = real.host;
    const listener = nsSpawn(real.ns, 'ncat', '-u', '-l', '10.99.0.255', '9', '--recv-only');
    const heard = nextLine(listener);
    const fd = udpSocket();
    expect(sysSetsockopt(task, fd, SOL_SOCKET, SO_BROADCAST, 1)).toBe(0);
    // Again and again: ncat does not say when it listens.
    const again = setInterval(() => void sysSendto(task, fd, bytes('to all\n'), 0, new SockAddrIn(inAton('10.99.0.255'), 9)), 20);
    try {
      expect(await heard).toBe('to all');
    } finally {
      clearInterval(again);
    }
  });
});
