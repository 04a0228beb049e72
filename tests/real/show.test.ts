// host.show.{addr,route,neigh,sockets} beside `ip -j addr|route|neigh` and `ss`: the same scenario on Linux and on us, field by field.
import type { SocketRow } from '@stack/host';
import { ipAddrAdd, ipNeighAdd, ipRouteAdd } from '@stack/ip';
import {
  PF_INET, SHUT_WR, SOCK_DGRAM, SOCK_STREAM, sysAccept, sysBind, sysCall, sysListen, sysShutdown, sysSocket,
} from '@stack/socket';
import { SockAddrIn } from '@stack/inet-sock';
import { TCPI_OPT_SACK, TCPI_OPT_TIMESTAMPS } from '@stack/tcp';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { describeReal, eventually, nextLine, nsIp, nsIpJson, nsPeer, nsSpawn } from '../support/netns.ts';
import { sendEcho } from '../support/ping.ts';
import { OURS, PEER } from '../support/real-host.ts';
import { ipAddress, realTwins, ss, type SsRow, type Twins } from '../support/real-twins.ts';

let twins: Twins;

/** The fields that both have, ours under `ss`'s names. Time alone makes the rest differ: rto, rtt, lastsnd, pacing_rate … */
function infoOf(row: SocketRow): Record<string, unknown> | null {
  if (row.netid !== 'tcp' || row.info === null || row.state === 'LISTEN') return null;
  const { info } = row;
  return {
    congestion: row.congestion,
    ts: (info.tcpiOptions & TCPI_OPT_TIMESTAMPS) !== 0,
    sack: (info.tcpiOptions & TCPI_OPT_SACK) !== 0,
    wscale: `${info.tcpiSndWscale},${info.tcpiRcvWscale}`,
    mss: info.tcpiSndMss,
    pmtu: info.tcpiPmtu,
    rcvmss: info.tcpiRcvMss,
    advmss: info.tcpiAdvmss,
    cwnd: info.tcpiSndCwnd,
    bytes_received: info.tcpiBytesReceived,
    bytes_sent: info.tcpiBytesSent,
    segs_in: info.tcpiSegsIn,
    segs_out: info.tcpiSegsOut,
    data_segs_in: info.tcpiDataSegsIn,
    rcv_space: info.tcpiRcvSpace,
    rcv_ssthresh: info.tcpiRcvSsthresh,
    snd_wnd: info.tcpiSndWnd,
  };
}

function infoOfSs({ state, info }: SsRow): Record<string, unknown> | null {
  if (!info.has('mss') || state === 'LISTEN') return null;
  const number = (name: string): number => Number(info.get(name) ?? 0);
  return {
    congestion: ['cubic', 'reno', 'bbr'].find((name) => info.has(name)) ?? null,
    ts: info.has('ts'),
    sack: info.has('sack'),
    wscale: info.get('wscale'),
    mss: number('mss'),
    pmtu: number('pmtu'),
    rcvmss: number('rcvmss'),
    advmss: number('advmss'),
    cwnd: number('cwnd'),
    bytes_received: number('bytes_received'),
    bytes_sent: number('bytes_sent'),
    segs_in: number('segs_in'),
    segs_out: number('segs_out'),
    data_segs_in: number('data_segs_in'),
    rcv_space: number('rcv_space'),
    rcv_ssthresh: number('rcv_ssthresh'),
    snd_wnd: number('snd_wnd'),
  };
}

type Comparable = Omit<SsRow, 'timer' | 'info'> & { timer: string | null; info: Record<string, unknown> | null };

function byPorts(a: Comparable, b: Comparable): number {
  return a.netid.localeCompare(b.netid) || a.localPort - b.localPort || a.peerPort - b.peerPort;
}

function comparable(row: SocketRow): Comparable {
  const { netid, state, recvQ, sendQ, localAddress, localPort, peerAddress, peerPort } = row;
  return { netid, state, recvQ, sendQ, localAddress, localPort, peerAddress, peerPort, timer: row.netid === 'tcp' ? (row.timer?.name ?? null) : null, info: infoOf(row) };
}

describeReal('what we show of ourselves is what Linux shows of itself', () => {
  beforeEach(({ task }) => {
    twins = realTwins(`show, ${task.name}`);
  });
  afterEach(() => twins.close());

  test('show.addr is `ip -j address`: flags, MTU, queueing, state, primary and secondary addresses, labels', () => {
    const { ours, theirs } = twins;
    const { host, dev } = ours;
    ipAddrAdd(dev, '10.99.0.3/24');
    ipAddrAdd(dev, '10.98.0.1/30', { broadcast: '+' });
    ipAddrAdd(dev, '10.97.0.1/32', { label: `${dev.name}:1` });
    nsIp(theirs, 'address', 'add', '10.99.0.3/24', 'dev', dev.name);
    nsIp(theirs, 'address', 'add', '10.98.0.1/30', 'broadcast', '+', 'dev', dev.name);
    nsIp(theirs, 'address', 'add', '10.97.0.1/32', 'label', `${dev.name}:1`, 'dev', dev.name);
    expect(host.show.addr()).toEqual(ipAddress(theirs, ours.ns));
  });

  test('show.route is `ip -j route`: connected, by gateway, by metric, blackhole, with a source and an MTU', () => {
    const { ours: { host, dev }, theirs } = twins;
    for (const add of [(text: string) => ipAddrAdd(dev, text), (text: string) => void nsIp(theirs, 'address', 'add', text, 'dev', dev.name)]) {
      add('10.99.0.3/24');
      add('10.98.0.1/30');
    }
    ipRouteAdd(host.net, { dst: 'default', gateway: PEER });
    ipRouteAdd(host.net, { dst: '192.0.2.0/24', gateway: PEER, metric: 100, mtu: 1400 });
    ipRouteAdd(host.net, { dst: '192.0.2.0/24', gateway: '10.98.0.2', metric: 200 });
    ipRouteAdd(host.net, { dst: '198.51.100.7', dev: dev.name, src: '10.99.0.3' });
    ipRouteAdd(host.net, { dst: '203.0.113.0/24', type: 'blackhole' });
    nsIp(theirs, 'route', 'add', 'default', 'via', PEER);
    nsIp(theirs, 'route', 'add', '192.0.2.0/24', 'via', PEER, 'metric', '100', 'mtu', '1400');
    nsIp(theirs, 'route', 'add', '192.0.2.0/24', 'via', '10.98.0.2', 'metric', '200');
    nsIp(theirs, 'route', 'add', '198.51.100.7', 'dev', dev.name, 'src', '10.99.0.3');
    nsIp(theirs, 'route', 'add', 'blackhole', '203.0.113.0/24');
    expect(host.show.route()).toEqual(nsIpJson(theirs, 'route', 'show'));
  });

  test('show.neigh is `ip -j neigh`: reachable, permanent, failed', async () => {
    const { ours: { host, dev }, theirs } = twins;
    const octet = new Uint8Array(1);
    sendEcho(host.net, PEER, 1, octet);
    sendEcho(host.net, '10.99.0.77', 1, octet);
    ipNeighAdd(host.net, { dst: '10.99.0.8', dev: dev.name, lladdr: '02:00:00:00:00:08' });
    nsSpawn(theirs, 'ping', '-c', '1', '-W', '1', PEER);
    nsSpawn(theirs, 'ping', '-c', '1', '-W', '1', '10.99.0.77');
    nsIp(theirs, 'neighbour', 'add', '10.99.0.8', 'lladdr', '02:00:00:00:00:08', 'dev', dev.name, 'nud', 'permanent');
    await eventually('both have given up', () => {
      const failed = (rows: readonly unknown[]): boolean => JSON.stringify(rows).includes('FAILED');
      return failed(nsIpJson(theirs, 'neighbour')) && failed(host.show.neigh());
    });
    const byDst = (a: { dst?: unknown }, b: { dst?: unknown }): number => String(a.dst).localeCompare(String(b.dst));
    expect(host.show.neigh().sort(byDst)).toEqual(nsIpJson(theirs, 'neighbour').sort(byDst));
  });

  test('show.sockets is `ss -tuanoi`: listening, unread octets, half closed, waiting, UDP', async () => {
    const { ours: { host }, theirs } = twins;
    const { task } = host;
    const udp = sysCall(sysSocket(task, PF_INET, SOCK_DGRAM, 0), 'socket');
    sysCall(sysBind(task, udp, new SockAddrIn(0, 9)), 'bind');
    const listener = sysCall(sysSocket(task, PF_INET, SOCK_STREAM, 0), 'socket');
    sysCall(sysBind(task, listener, new SockAddrIn(0, 7)), 'bind');
    sysCall(sysListen(task, listener, 5), 'listen');
    const keeper = nsPeer(theirs, 'keeper', 7, 9);
    expect(await nextLine(keeper)).toBe('ready');

    // 1: open, with 6 octets unread. 2: the peer has ended its side. 3: we have ended ours, the peer then its own.
    const [clients1, clients2] = [40001, 40002].map((port) => twins.atPeers((peer) => nsSpawn(peer, 'ncat', '-p', String(port), OURS, '7')));
    for (const { stdin } of clients1!) stdin?.write('hello\n');
    await accept();
    for (const { stdin } of clients2!) stdin?.end();
    await accept();
    twins.atPeers((peer) => nsSpawn(peer, 'ncat', '-p', '40003', OURS, '7'));
    sysShutdown(task, await accept(), SHUT_WR);
    keeper.stdin?.write('3\n');

    const states = (rows: readonly { state: string }[]): string => rows.map(({ state }) => state).sort().join();
    const wanted = 'CLOSE-WAIT,ESTAB,FIN-WAIT-2,LISTEN,UNCONN';
    await eventually(wanted, () => states(host.show.sockets()) === wanted && states(ss(theirs)) === wanted);
    const shown = ss(theirs).map((row): Comparable => ({ ...row, info: infoOfSs(row) }));
    expect(host.show.sockets().map(comparable).sort(byPorts)).toEqual(shown.sort(byPorts));

    async function accept(): Promise<number> {
      const fd = sysCall(await sysAccept(task, listener, null, 0), 'accept');
      await nextLine(keeper);
      return fd;
    }
  });
});
