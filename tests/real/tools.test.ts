// What people aim at a stack to see what it does: scapy's fragments, traceroute, nmap, hping3. Sane answers, and nothing broken.
import { fileURLToPath } from 'node:url';
import { SockAddrIn } from '@stack/inet-sock';
import { SO_RCVBUF, SOCK_DGRAM, SOL_SOCKET, PF_INET, sysBind, sysRecvfrom, sysSendto, sysSetsockopt, sysSocket } from '@stack/socket';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { describeRealWith, nsRun } from '../support/netns.ts';
import { OURS, PEER, realHost, type RealHost } from '../support/real-host.ts';

let real: RealHost;

/** Answers every datagram until the host ends. */
async function udpEcho(port: number): Promise<void> {
  const { task } = real.host;
  const fd = sysSocket(task, PF_INET, SOCK_DGRAM, 0);
  sysSetsockopt(task, fd, SOL_SOCKET, SO_RCVBUF, 1 << 20);
  sysBind(task, fd, new SockAddrIn(0, port));
  const buffer = new Uint8Array(65536);
  const from = new SockAddrIn();
  for (;;) {
    const length = await sysRecvfrom(task, fd, buffer, 0, from);
    if (length < 0) return;
    await sysSendto(task, fd, buffer.subarray(0, length), 0, from);
  }
}

/** Accepts connections on `port` and reads them to their end. */
async function serve(port: number): Promise<void> {
  const listener = real.host.listen({ port });
  for await (const connection of listener) void connection.readable.pipeTo(connection.writable).catch(() => undefined);
}

/** The host still answers after what was done to it. */
async function alive(): Promise<void> {
  expect(await nsRun(real.ns, 'ping', '-q', '-c', '1', '-W', '5', OURS)).toContain(' 0% packet loss');
  expect(real.host.net.panicked).toBeNull();
}

describeRealWith(['scapy', 'traceroute', 'nmap', 'hping3'], 'tools against us', () => {
  beforeEach(({ task }) => {
    real = realHost(`tools ${task.name}`, { onlyOurs: true });
  });
  afterEach(() => real.close());

  test('fragments in every order, one twice, overlapping, missing: as scapy sends them', async () => {
    void udpEcho(7);
    const script = fileURLToPath(new URL('../support/fragments.py', import.meta.url));
    const lines = (await nsRun(real.ns, '/usr/bin/python3', script, real.dev.name, PEER, OURS, '7')).trim().split('\n');
    const answers = new Map(lines.map((line) => line.split(' ') as [string, string]));
    expect([...answers].filter(([name]) => name.startsWith('order-')).map(([, answer]) => answer)).toEqual(Array.from({ length: 24 }, () => 'same'));
    // A fragment that came already is dropped, one that overlaps others takes all of them with it (RFC 5722 §4).
    expect([answers.get('twice'), answers.get('overlap'), answers.get('missing')]).toEqual(['same', 'nothing', 'nothing']);
    const counters = real.host.show.counters();
    expect(counters['IpReasmOKs']).toBe(25);
    expect(counters['IpReasmFails']).toBeGreaterThan(0);
  });

  test('traceroute by UDP, ICMP and TCP: one hop, us', async () => {
    void serve(80);
    for (const method of ['-U', '-I', '-T']) {
      const out = await nsRun(real.ns, 'traceroute', '-n', method, '-q', '1', '-w', '2', '-m', '3', OURS);
      expect(out.trim().split('\n').slice(1).map((line) => line.trim().split(/\s+/).slice(0, 2)), method).toEqual([['1', OURS]]);
    }
  });

  test('nmap -sS finds the open ports, and that the others are closed', async () => {
    void serve(7);
    void serve(80);
    const out = await nsRun(real.ns, 'nmap', '-n', '-sS', '-p', '1-1000', '-T4', '--max-retries', '3', OURS);
    expect(out.match(/^\d+\/tcp +\w+/gm)).toEqual(['7/tcp  open', '80/tcp open']);
    expect(out).toMatch(/998 closed tcp ports \(reset\)/);
    await alive();
  });

  test('nmap -sU finds the open port; the closed ones answer, as fast as the rate limit lets them', async () => {
    void udpEcho(7);
    real.host.sysctl('net.ipv4.icmp_ratelimit', 0);
    real.host.sysctl('net.ipv4.icmp_msgs_per_sec', 1000000);
    const out = await nsRun(real.ns, 'nmap', '-n', '-sU', '-p', '1-100', '-T4', OURS);
    expect(out).toMatch(/^7\/udp +open/m);
    expect(out).toMatch(/99 closed udp ports \(port-unreach\)/);
    await alive();
  });

  test('nmap -O and every odd scan: FIN, Xmas, NULL, ACK, window, Maimon, IP protocols', async () => {
    void serve(80);
    const os = await nsRun(real.ns, 'nmap', '-n', '-O', '-p', '79-81', '-T4', '--osscan-guess', OURS);
    expect(os).toMatch(/Linux/);
    // A listener drops what has neither SYN, ACK nor RST, and resets what has ACK (RFC 9293 §3.10.7.2).
    for (const [scan, listener] of [['-sF', 'open|filtered'], ['-sX', 'open|filtered'], ['-sN', 'open|filtered'], ['-sM', 'closed']] as const) {
      const out = await nsRun(real.ns, 'nmap', '-n', scan, '-p', '79-81', '-T4', OURS);
      expect(out.match(/^\d+\/tcp +\S+/gm), scan).toEqual(['79/tcp closed', `80/tcp ${listener}`, '81/tcp closed']);
    }
    for (const scan of ['-sA', '-sW']) await nsRun(real.ns, 'nmap', '-n', scan, '-p', '79-81', '-T4', OURS);
    await nsRun(real.ns, 'nmap', '-n', '-sO', '-p', '0-20', '-T4', '--max-retries', '1', OURS);
    await alive();
  });

  test('hping3: floods of SYN, of every flag, of fragments and of ICMP from anywhere', async () => {
    void serve(80);
    const floods = [
      ['-S', '-p', '80', '--rand-source'], ['-S', '-p', '80'], ['-SFRPAUXY', '-p', '80'], ['-A', '-p', '80', '-d', '1200'],
      ['-2', '-p', '7', '-d', '3000', '-f', '-m', '64'], ['-1', '-d', '1000'], ['-1', '--icmptype', '5'], ['-0', '-H', '99'],
    ];
    for (const flood of floods) await nsRun(real.ns, 'sh', '-c', `timeout 2 hping3 -n -q -c 2000 -i u50 ${flood.join(' ')} ${OURS} >/dev/null 2>&1 || true`);
    await alive();
    const { length } = real.host.show.sockets();
    expect(length).toBeLessThanOrEqual(4096);
  });
});
