// A host of ours as the NAT router between two networks: RFC 3022, RFC 4787 (UDP), RFC 5382 (TCP), RFC 5508 (ICMP).
import { conntrackFormat, conntrackShow, iptShow, type IptRule } from '@stack/conntrack';
import { createHost, virtioOn, type Host } from '@stack/host';
import { inAton, inNtoa, SockAddrIn } from '@stack/inet-sock';
import { ipRouteAdd, IP_RECVERR, IP_TTL } from '@stack/ip';
import { EAGAIN, idle, sleep, traceNet } from '@stack/kernel';
import { devClose, devGetByName, devSetMtu } from '@stack/netdev';
import { createSwitch } from '@stack/nic-virtio-sim';
import { MSG_DONTWAIT, MSG_ERRQUEUE, SOL_IP, makeMsgHdr, sysCall, sysRecvmsg, sysSetsockopt } from '@stack/socket';
import { afterEach, describe, expect, test } from 'vitest';
import {
  addClient, CLIENT, LAN, masquerade, natHouse, SERVER, tcpAsk, tcpEcho, udpEcho, udpOpen, udpSend, udpTake, WAN, type NatHouse,
  type NatHouseOptions,
} from './support/nat-house.ts';
import { sendEcho } from './support/ping.ts';

let house: NatHouse;
afterEach(() => house.close());

function build(options: NatHouseOptions = {}): NatHouse {
  house = natHouse(options);
  return house;
}

const bytes = (length: number): Uint8Array => new Uint8Array(length).map((_, i) => (i * 7 + (i >> 8)) & 0xff);
const text = (data: Uint8Array | undefined): string => new TextDecoder().decode(data);

describe.each([
  ['masquerade', [masquerade]],
  ['snat', [{ table: 'nat', chain: 'postrouting', oif: 'eth1', verdict: 'snat', to: WAN }]],
] as const)('%s', (_name, rules) => {
  test('TCP: 1 MiB both ways; the server sees the router', async () => {
    const { client, server, router } = build({ rules });
    const peers: string[] = [];
    void tcpEcho(server, 7, ({ remoteAddress }) => peers.push(remoteAddress));
    const data = bytes(1 << 20);
    expect(Buffer.compare(await tcpAsk(client, SERVER, 7, data), data)).toBe(0);
    expect(peers).toEqual([WAN]);
    const [row] = conntrackShow(router.net);
    expect(row).toMatchObject({ protocol: 'tcp', state: 'TIME_WAIT', assured: true, orig: { src: CLIENT, dst: SERVER, dport: 7 }, reply: { src: SERVER, dst: WAN, sport: 7 } });
    expect(server.show.counters()).toMatchObject({ TcpInCsumErrors: 0, TcpInErrs: 0 });
    expect(client.show.counters()).toMatchObject({ TcpInCsumErrors: 0, TcpInErrs: 0, TcpRetransSegs: 0 });
  });

  test('UDP: the server answers the router, the client hears it; the source port stays (RFC 4787 §4.2)', async () => {
    const { client, server } = build({ rules });
    const at = udpOpen(server, 53);
    const fd = udpOpen(client, 4000);
    udpSend(client, fd, SERVER, 53, 'ask');
    const asked = await udpTake(server, at);
    expect([text(asked?.data), asked?.from, asked?.port]).toEqual(['ask', WAN, 4000]);
    udpSend(server, at, WAN, 4000, 'answer');
    const answer = await udpTake(client, fd);
    expect([text(answer?.data), answer?.from, answer?.port]).toEqual(['answer', SERVER, 53]);
  });

  test('ICMP echo', async () => {
    const { world, client, router } = build({ rules });
    sendEcho(client.net, SERVER, 1, bytes(56));
    await idle(world);
    expect(client.show.counters()).toMatchObject({ IcmpInEchoReps: 1, IcmpInErrors: 0 });
    expect(conntrackShow(router.net)).toMatchObject([{ protocol: 'icmp', orig: { src: CLIENT, type: 8, code: 0 }, reply: { dst: WAN, type: 0 }, unreplied: false }]);
  });

  test('fragments: put together to be tracked, cut again as they came', async () => {
    const { client, server, router } = build({ rules });
    const fd = udpOpen(client, 4000);
    void udpEcho(server, 7);
    const data = bytes(20_000);
    udpSend(client, fd, SERVER, 7, data);
    const back = await udpTake(client, fd);
    expect(Buffer.compare(back!.data, data)).toBe(0);
    expect(router.show.counters()).toMatchObject({ IpReasmOKs: 2, IpFragOKs: 2 });
  });
});

test('64 clients with the same source port: each has a port of its own at the router, and its own answer', async () => {
  const { server, router } = build();
  void udpEcho(server, 7);
  const clients = Array.from({ length: 64 }, (_, i) => addClient(house, `10.0.0.${100 + i}`));
  const sockets = clients.map((host) => udpOpen(host, 5000));
  clients.forEach((host, i) => udpSend(host, sockets[i]!, SERVER, 7, `from ${i}`));
  for (const [i, host] of clients.entries()) expect(text((await udpTake(host, sockets[i]!))?.data), `client ${i}`).toBe(`from ${i}`);
  const ports = conntrackShow(router.net).map(({ reply }) => reply.dport);
  expect(new Set(ports).size).toBe(64);
  expect(ports.filter((port) => port === 5000)).toHaveLength(1);
  for (const port of ports) expect(port).toBeGreaterThanOrEqual(1024);
});

test('RFC 4787 §4.1: one source keeps its mapping whoever it speaks to', async () => {
  const { client, router, server } = build();
  const first = addClient(house, '10.0.0.9');
  const [a, b] = [udpOpen(first, 5000), udpOpen(client, 5000)];
  udpSend(first, a, SERVER, 7, 'has port 5000 to port 7');
  udpSend(client, b, SERVER, 7, 'gets another');
  udpSend(client, b, SERVER, 8, 'keeps that');
  await idle(house.world);
  const mapped = conntrackShow(router.net).filter(({ orig }) => orig.src === CLIENT).map(({ reply }) => reply.dport);
  expect(mapped).toHaveLength(2);
  expect(mapped[0]).toBe(mapped[1]);
  expect(mapped[0]).not.toBe(5000);
  expect(server.show.counters()['UdpNoPorts']).toBe(3);
});

test('snat to ranges: the addresses and ports of the rule, and no others', async () => {
  const to = '192.0.2.10-192.0.2.13:6000-6003';
  const { client, router } = build({ rules: [{ table: 'nat', chain: 'postrouting', oif: 'eth1', protocol: 'udp', verdict: 'snat', to }] });
  const fd = udpOpen(client, 5000);
  for (let port = 1; port <= 4; port++) udpSend(client, fd, SERVER, port, 'x');
  await idle(house.world);
  const rows = conntrackShow(router.net).filter(({ protocol }) => protocol === 'udp');
  expect(rows).toHaveLength(4);
  for (const { reply } of rows) {
    expect(inAton(reply.dst) - inAton('192.0.2.10')).toBeLessThan(4);
    expect(reply.dport! >= 6000 && reply.dport! <= 6003).toBe(true);
  }
});

test('a range that is used up: the connection is refused, those that stand go on', async () => {
  const { client, router } = build({ rules: [{ table: 'nat', chain: 'postrouting', oif: 'eth1', protocol: 'udp', verdict: 'snat', to: `${WAN}:6000-6001` }] });
  const sockets = [5000, 5001, 5002].map((port) => udpOpen(client, port));
  for (const fd of sockets) udpSend(client, fd, SERVER, 7, 'x');
  await idle(house.world);
  expect(conntrackShow(router.net)).toHaveLength(2);
  expect(router.show.counters()['NfConntrackInsertFailed']).toBe(1);
});

describe('port forwarding', () => {
  const forward = { table: 'nat', chain: 'prerouting', iif: 'eth1', protocol: 'tcp', dport: 8080, verdict: 'dnat', to: `${CLIENT}:80` } as const;

  test('TCP: a connection to the router\'s port reaches the host inside, which sees who asks', async () => {
    const { client, server, router } = build({ rules: [masquerade, forward] });
    const peers: string[] = [];
    void tcpEcho(client, 80, ({ remoteAddress }) => peers.push(remoteAddress));
    expect(text(await tcpAsk(server, WAN, 8080, bytes(5)))).toBe(text(bytes(5)));
    expect(peers).toEqual([SERVER]);
    expect(conntrackShow(router.net)).toMatchObject([{ orig: { src: SERVER, dst: WAN, dport: 8080 }, reply: { src: CLIENT, dst: SERVER, sport: 80 } }]);
  });

  test('another port is the router\'s own', async () => {
    const { server } = build({ rules: [masquerade, forward] });
    await expect(tcpAsk(server, WAN, 8081, bytes(5))).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  test('hairpin: from inside, by the router\'s outer address, to a host inside', async () => {
    const rules = [
      { table: 'nat', chain: 'prerouting', dst: WAN, protocol: 'tcp', dport: 8080, verdict: 'dnat', to: `${CLIENT}:80` },
      { table: 'nat', chain: 'postrouting', src: '10.0.0.0/24', dst: CLIENT, oif: 'eth0', verdict: 'masquerade' }, masquerade,
    ] as const;
    const { client } = build({ rules });
    const other = addClient(house, '10.0.0.9');
    const peers: string[] = [];
    void tcpEcho(client, 80, ({ remoteAddress }) => peers.push(remoteAddress));
    expect(await tcpAsk(other, WAN, 8080, bytes(3000))).toHaveLength(3000);
    expect(peers).toEqual([LAN]);
  });

  test('what a rule refuses behind the forward is refused by the address that was asked: reset and ICMP error', async () => {
    const refuse = (more: object): IptRule => ({ chain: 'forward', protocol: 'tcp', verdict: 'reject', ...more }) as IptRule;
    const { server } = build({ rules: [masquerade, forward, { ...forward, dport: 8081, to: `${CLIENT}:81` }, refuse({ dport: 80, rejectWith: 'tcp-reset' }), refuse({ dport: 81 })] });
    for (const port of [8080, 8081]) {
      await expect(tcpAsk(server, WAN, port, bytes(5))).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    }
    expect(server.show.counters()).toMatchObject({ TcpInErrs: 0, IcmpInErrors: 0, IcmpInDestUnreachs: 1 });
  });

  test('UDP, and the answer comes from where it was asked', async () => {
    const { client, server } = build({ rules: [{ table: 'nat', chain: 'prerouting', iif: 'eth1', protocol: 'udp', dport: '5000-5009', verdict: 'dnat', to: `${CLIENT}:7` }] });
    void udpEcho(client, 7);
    ipRouteAdd(client.net, { dst: '192.0.2.0/24', gateway: LAN });
    const fd = udpOpen(server, 4000);
    udpSend(server, fd, WAN, 5005, 'ask');
    expect(await udpTake(server, fd)).toMatchObject({ from: WAN, port: 5005 });
  });

  test('redirect: what goes by is answered by the router itself', async () => {
    const { client, router } = build({ rules: [masquerade, { table: 'nat', chain: 'prerouting', iif: 'eth0', protocol: 'tcp', dport: 80, verdict: 'redirect', to: 3128 }] });
    void tcpEcho(router, 3128);
    expect(await tcpAsk(client, SERVER, 80, bytes(10))).toHaveLength(10);
  });
});

describe('packets that are made on the router', () => {
  test('dnat in output: the packet is routed anew, by where it goes now', async () => {
    const { server, router } = build({ rules: [masquerade, { table: 'nat', chain: 'output', dst: '10.0.0.77', protocol: 'tcp', verdict: 'dnat', to: `${SERVER}:7` }] });
    void tcpEcho(server, 7);
    expect(await tcpAsk(router, '10.0.0.77', 80, bytes(2000))).toHaveLength(2000);
  });

  test('redirect in output: to itself, over loopback', async () => {
    const { router } = build({ rules: [{ table: 'nat', chain: 'output', dst: SERVER, protocol: 'tcp', dport: 80, verdict: 'redirect', to: 3128 }] });
    void tcpEcho(router, 3128);
    expect(await tcpAsk(router, SERVER, 80, bytes(2000))).toHaveLength(2000);
  });

  test('its own connections are masqueraded like others, and share the ports', async () => {
    const { client, server, router } = build();
    void udpEcho(server, 7);
    const [a, b] = [udpOpen(client, 5000), udpOpen(router, 5000)];
    udpSend(client, a, SERVER, 7, 'client');
    expect(text((await udpTake(client, a))?.data)).toBe('client');
    udpSend(router, b, SERVER, 7, 'router');
    expect(text((await udpTake(router, b))?.data)).toBe('router');
    expect(new Set(conntrackShow(router.net).map(({ reply }) => reply.dport)).size).toBe(2);
  });
});

describe('ICMP errors', () => {
  /** What is in the queue of errors: type and code, who says so, and about a packet to whom. */
  async function errorOf(fd: number): Promise<unknown> {
    await idle(house.world);
    const msg = makeMsgHdr([new Uint8Array(2000)], new SockAddrIn());
    msg.msgControl = [];
    msg.msgControllen = 4;
    const got = await sysRecvmsg(house.client.task, fd, msg, MSG_ERRQUEUE | MSG_DONTWAIT);
    if (got < 0) return got === -EAGAIN ? null : got;
    const { eeType, eeCode, offender } = msg.msgControl[0]!.cmsgData as { eeType: number; eeCode: number; offender: number };
    const about = msg.msgName as SockAddrIn;
    return { type: eeType, code: eeCode, from: inNtoa(offender), about: `${inNtoa(about.sinAddr)}:${about.sinPort}` };
  }

  test('RFC 5508 §4.2: port unreachable, from outside, reaches the socket inside', async () => {
    const { client } = build();
    const fd = udpOpen(client, 5000);
    sysCall(sysSetsockopt(client.task, fd, SOL_IP, IP_RECVERR, 1), 'setsockopt');
    udpSend(client, fd, SERVER, 9, 'anybody?');
    expect(await errorOf(fd)).toMatchObject({ type: 3, code: 3, from: SERVER, about: `${SERVER}:9` });
  });

  test('time exceeded: the first hop is the router, the second is seen through it', async () => {
    const { client } = build();
    const fd = udpOpen(client, 5000);
    sysCall(sysSetsockopt(client.task, fd, SOL_IP, IP_RECVERR, 1), 'setsockopt');
    for (const [ttl, from, type] of [[1, LAN, 11], [2, SERVER, 3]] as const) {
      sysCall(sysSetsockopt(client.task, fd, SOL_IP, IP_TTL, ttl), 'setsockopt');
      udpSend(client, fd, SERVER, 33434, 'probe');
      expect(await errorOf(fd)).toMatchObject({ type, from });
    }
  });

  /** A router behind the router, `server`, and a host on the far side of it: 198.51.100.2. */
  function farHost(): Host {
    const { world, server, router } = house;
    const beyond = createSwitch(world);
    server.sysctl('net.ipv4.ip_forward', 1);
    server.addNic({ device: virtioOn(beyond), address: '198.51.100.1/24' });
    const far = createHost({ world, name: 'far', nics: [{ device: virtioOn(beyond), address: '198.51.100.2/24', gateway: '198.51.100.1' }] });
    house.more.push(far);
    ipRouteAdd(router.net, { dst: '198.51.100.0/24', gateway: SERVER });
    return far;
  }

  const narrow = (host: Host, dev: string): number => sysCall(devSetMtu(devGetByName(host.net, dev)!, 1280), 'mtu');

  test('RFC 1191 through NAT: a hop of 1,280 octets beyond the router; the error comes in to who is masqueraded', async () => {
    const { client, server } = build();
    const far = farHost();
    narrow(server, 'eth1');
    void tcpEcho(far, 7);
    const data = bytes(200_000);
    expect(Buffer.compare(await tcpAsk(client, '198.51.100.2', 7, data), data)).toBe(0);
    expect(client.show.counters()['IcmpInDestUnreachs']).toBeGreaterThan(0);
    expect(client.show.counters()['IcmpInErrors']).toBe(0);
  });

  test('RFC 1191 through NAT: a hop of 1,280 octets inside; the error goes out, from the address that was asked', async () => {
    const { client, router } = build({ rules: [{ table: 'nat', chain: 'prerouting', protocol: 'tcp', dport: 8080, verdict: 'dnat', to: `${CLIENT}:80` }] });
    ipRouteAdd(router.net, { dst: '198.51.100.0/24', gateway: SERVER });
    const far = farHost();
    narrow(router, 'eth0');
    void tcpEcho(client, 80);
    const data = bytes(200_000);
    expect(Buffer.compare(await tcpAsk(far, WAN, 8080, data), data)).toBe(0);
    expect(far.show.counters()['IcmpInDestUnreachs']).toBeGreaterThan(0);
    expect(far.show.counters()['IcmpInErrors']).toBe(0);
  });
});

test('a packet that is forwarded and changed: its way through the hooks, in order', async () => {
  const { client, server, router } = build({ rules: [masquerade, { chain: 'forward', ctState: ['new', 'established'], verdict: 'accept' }] });
  udpOpen(server, 7);
  const fd = udpOpen(client, 5000);
  udpSend(client, fd, SERVER, 7, 'first'); // ARP
  await idle(house.world);
  const hits: string[] = [];
  const stop = traceNet(router.net, ({ function: name }) => hits.push(name));
  const other = udpOpen(client, 5001);
  udpSend(client, other, SERVER, 7, 'second');
  await idle(house.world);
  stop();
  const from = hits.indexOf('ip_rcv');
  expect(hits.slice(from, hits.indexOf('dev_queue_xmit') + 1)).toEqual([
    'ip_rcv', 'NF_INET_PRE_ROUTING', 'nf_conntrack_in', 'ipt_do_table', 'nf_nat_ipv4_pre_routing', 'ipt_do_table',
    'ip_rcv_finish', 'ip_route_input', 'dst_input',
    'ip_forward', 'NF_INET_FORWARD', 'ipt_do_table', 'ipt_do_table', 'ip_forward_finish', 'dst_output',
    'ip_output', 'ip_finish_output', 'NF_INET_POST_ROUTING', 'ipt_do_table', 'nf_nat_ipv4_out', 'ipt_do_table', 'nf_confirm',
    'ip_finish_output2', 'hh_output', 'dev_queue_xmit',
  ]);
});

test('the line of conntrack -L', async () => {
  const { client, server, router } = build({ sysctl: { 'net.netfilter.nf_conntrack_acct': 1 } });
  void udpEcho(server, 7);
  const fd = udpOpen(client, 5000);
  udpSend(client, fd, SERVER, 7, 'hello');
  await idle(house.world);
  expect(conntrackShow(router.net).map(conntrackFormat)).toEqual([
    'udp      17 30 src=10.0.0.2 dst=192.0.2.2 sport=5000 dport=7 packets=1 bytes=33 src=192.0.2.2 dst=192.0.2.1 sport=7 dport=5000 packets=1 bytes=33 mark=0 use=1',
  ]);
});

test('an interface that goes down takes its masqueraded connections with it', async () => {
  const { client, router } = build();
  const fd = udpOpen(client, 5000);
  udpSend(client, fd, SERVER, 7, 'x');
  await idle(house.world);
  expect(conntrackShow(router.net)).toHaveLength(1);
  devClose(devGetByName(router.net, 'eth1')!);
  expect(conntrackShow(router.net)).toEqual([]);
});

test('timeouts: a mapping ends when its time is over, and a late answer finds nothing', async () => {
  const { world, client, server, router } = build();
  const [fd, at] = [udpOpen(client, 5000), udpOpen(server, 7)];
  udpSend(client, fd, SERVER, 7, 'ask');
  expect((await udpTake(server, at))?.port).toBe(5000);
  await sleep(world, 29_000);
  expect(conntrackShow(router.net)).toHaveLength(1);
  await sleep(world, 2_000);
  expect(conntrackShow(router.net)).toEqual([]);
  udpSend(server, at, WAN, 5000, 'late');
  expect(await udpTake(client, fd)).toBeNull();
});

test('NAT rules are asked once for a connection', async () => {
  const { client, server, router } = build();
  void udpEcho(server, 7);
  const fd = udpOpen(client, 5000);
  for (let i = 0; i < 5; i++) {
    udpSend(client, fd, SERVER, 7, 'x');
    expect(await udpTake(client, fd)).not.toBeNull();
  }
  const [nat] = iptShow(router.net).filter(({ table, chain }) => table === 'nat' && chain === 'postrouting');
  expect(nat?.rules).toMatchObject([{ verdict: 'masquerade', packets: 1, bytes: 29 }]);
});
