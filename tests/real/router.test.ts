// Routers and NAT with Linux: a host of ours between two namespaces, Linux between two hosts of ours, and paths with a narrow hop.
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { conntrackShow, installConntrack, installIpTables, installNat, type IptRule } from '@stack/conntrack';
import { assertNothingOpen, createHost, type Host } from '@stack/host';
import { createWorld, type World } from '@stack/kernel';
import { realClock } from '@stack/kernel/real-clock';
import { devSetMtu } from '@stack/netdev';
import { openTap } from '@stack/nic-tap';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  createNetns, deleteNetns, describeReal, describeRealWith, nextLine, nsIp, nsIpJson, nsRun, nsSpawn, nsText, nsWriteSysctl, plug, type Netns,
} from '../support/netns.ts';

const SIZE = 16 << 20;
/** An HTTP server of Linux's that answers with SIZE octets that are not all alike. */
const SERVER = `
const body = Buffer.alloc(${SIZE});
for (let i = 0, x = 1; i < body.length; i += 4) body.writeInt32LE(x = Math.imul(x, 1103515245) + 12345 | 0, i);
require('node:http').createServer((request, answer) => answer.end(body)).listen(Number(process.argv[1]), () => console.log(require('node:crypto').createHash('sha256').update(body).digest('hex')));
`;

let world: World;
let hosts: Host[];
let spaces: Netns[];
let directory: string;
let taps: number;

beforeEach(() => {
  world = createWorld({ clock: realClock() });
  hosts = [];
  spaces = [];
  taps = 0;
  directory = mkdtempSync(join(tmpdir(), 'stack-router-'));
});

afterEach(async () => {
  for (const ns of spaces) for (const child of ns.children) child.kill('SIGKILL');
  for (const host of hosts) await host.close();
  for (const ns of spaces) deleteNetns(ns);
  rmSync(directory, { recursive: true });
  expect(world.panics).toEqual([]);
  assertNothingOpen(world);
});

function host(name: string, sysctl: Record<string, number> = {}): Host {
  const made = createHost({ world, name, sysctl });
  hosts.push(made);
  return made;
}

function space(purpose: string): Netns {
  const ns = createNetns(purpose);
  spaces.push(ns);
  return ns;
}

interface LinkOptions {
  readonly offloads?: boolean;
  readonly gateway?: string;
}

/** Joins a host of ours and a namespace by a TAP. Returns its name, which is the same at both ends. */
function link(ours: Host, address: string, ns: Netns, theirs: string, { offloads = true, gateway }: LinkOptions = {}): string {
  const device = openTap(ours.net, { name: `rt${process.pid}t${taps++}`.slice(-15), offloads });
  plug(ns, device.name, theirs);
  ours.addNic({ device, address, ...(gateway === undefined ? {} : { gateway }) });
  return device.name;
}

/** A host of ours as the router of 10.1.0.0/24 (left) and 10.2.0.0/24 (right); the right side knows the way back only when `known`. */
function router(known: boolean, options: LinkOptions = {}): { ours: Host; left: Netns; right: Netns; leftTap: string; rightTap: string } {
  const ours = host('router', { 'net.ipv4.ip_forward': 1 });
  const [left, right] = [space('left'), space('right')];
  const leftTap = link(ours, '10.1.0.1/24', left, '10.1.0.2/24', options);
  const rightTap = link(ours, '10.2.0.1/24', right, '10.2.0.2/24', options);
  nsIp(left, 'route', 'add', 'default', 'via', '10.1.0.1');
  if (known) nsIp(right, 'route', 'add', 'default', 'via', '10.2.0.1');
  return { ours, left, right, leftTap, rightTap };
}

function withNat(ours: Host, rules: readonly IptRule[]): void {
  installConntrack(ours.net);
  installNat(ours.net);
  installIpTables(ours.net, rules);
}

/** Starts the HTTP server in a namespace; resolves with the hash of what it serves. */
function serve(ns: Netns, port: number): Promise<string> {
  return nextLine(nsSpawn(ns, process.execPath, '-e', SERVER, String(port)), 30);
}

/** curl in a namespace; the hash of what it got. */
async function curl(ns: Netns, url: string): Promise<string> {
  const file = join(directory, 'got');
  await nsRun(ns, 'curl', '-sS', '--max-time', '60', '-o', file, url);
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

/** What Linux thinks of the path: the MTU that its route has learned, null if none. */
function learnedMtu(ns: Netns, to: string): number | null {
  const [route] = nsIpJson(ns, 'route', 'get', to) as { metrics?: { mtu?: number }[] }[];
  const mtu = route?.metrics?.[0]?.mtu;
  return mtu ?? (Number(/ mtu (\d+)/.exec(nsText(ns, 'ip', 'route', 'get', to))?.[1] ?? 0) || null);
}

/** Makes a link narrow, our end only: what Linux sends may be larger, so that Linux must learn of it. */
function narrow(ours: Host, name: string): void {
  const dev = ours.net.netdev.devList.find((each) => each.name === name);
  expect(dev !== undefined && devSetMtu(dev, 1280)).toBe(0);
}

for (const offloads of [true, false]) describeRealWith(['traceroute'], `ours as router between two namespaces, ${offloads ? '' : 'no '}offloads`, () => {
  test('ping, traceroute, curl of 16 MiB', async () => {
    const { ours, left, right } = router(true, { offloads });
    expect(await nsRun(left, 'ping', '-q', '-c', '3', '-i', '0.2', '10.2.0.2')).toContain(' 0% packet loss');
    expect(await nsRun(right, 'ping', '-q', '-c', '2', '-i', '0.2', '-s', '20000', '10.1.0.2')).toContain(' 0% packet loss');
    const hops = (await nsRun(left, 'traceroute', '-n', '-q', '1', '-w', '2', '10.2.0.2')).split('\n').slice(1);
    expect(hops[0]).toMatch(/^ 1 {2}10\.1\.0\.1 /);
    expect(hops[1]).toMatch(/^ 2 {2}10\.2\.0\.2 /);
    const hash = await serve(right, 8000);
    expect(await curl(left, 'http://10.2.0.2:8000/')).toBe(hash);
    expect(ours.show.counters()).toMatchObject({ IpInHdrErrors: 1, IpInAddrErrors: 0, IpOutDiscards: 0 });
  });

  test('as NAT: ping, traceroute, curl of 16 MiB through masquerade, and back in through a port forward', async () => {
    const { ours, left, right, rightTap } = router(false, { offloads });
    withNat(ours, [
      { table: 'nat', chain: 'postrouting', oif: rightTap, verdict: 'masquerade' },
      { table: 'nat', chain: 'prerouting', iif: rightTap, protocol: 'tcp', dport: 8080, verdict: 'dnat', to: '10.1.0.2:8000' },
      { chain: 'forward', ctState: ['invalid'], verdict: 'drop' },
    ]);
    expect(await nsRun(left, 'ping', '-q', '-c', '3', '-i', '0.2', '10.2.0.2')).toContain(' 0% packet loss');
    expect(await nsRun(left, 'ping', '-q', '-c', '1', '-s', '20000', '10.2.0.2')).toContain(' 0% packet loss');
    const hops = (await nsRun(left, 'traceroute', '-n', '-q', '1', '-w', '2', '10.2.0.2')).split('\n').slice(1);
    expect(hops[0]).toMatch(/^ 1 {2}10\.1\.0\.1 /);
    expect(hops[1]).toMatch(/^ 2 {2}10\.2\.0\.2 /);
    const [rightHash, leftHash] = [await serve(right, 8000), await serve(left, 8000)];
    expect(await curl(left, 'http://10.2.0.2:8000/')).toBe(rightHash);
    expect(await curl(right, 'http://10.2.0.1:8080/')).toBe(leftHash);
    const tcp = conntrackShow(ours.net).filter(({ protocol }) => protocol === 'tcp');
    expect(tcp).toMatchObject([{ assured: true }, { assured: true }]);
    expect(tcp.map(({ orig, reply }) => `${orig.src} > ${orig.dst}:${orig.dport}, ${reply.src}:${reply.sport} > ${reply.dst}`).sort()).toEqual([
      '10.1.0.2 > 10.2.0.2:8000, 10.2.0.2:8000 > 10.2.0.1', '10.2.0.2 > 10.2.0.1:8080, 10.1.0.2:8000 > 10.2.0.2',
    ]);
  });
});

describeReal('PMTU discovery across a hop of 1,280 octets', () => {
  test('through our router, from right to left: Linux is told, and curl gets through', async () => {
    const { ours, left, right, leftTap } = router(true);
    narrow(ours, leftTap);
    const hash = await serve(right, 8000);
    expect(await curl(left, 'http://10.2.0.2:8000/')).toBe(hash);
    expect(learnedMtu(right, '10.1.0.2')).toBe(1280);
    expect(ours.show.counters()['IcmpOutDestUnreachs']).toBeGreaterThan(0);
    expect(learnedMtu(left, '10.2.0.2')).toBeNull();
  });

  test('through our router, from left to right', async () => {
    const { ours, left, right, rightTap } = router(true);
    narrow(ours, rightTap);
    const hash = await serve(left, 8000);
    expect(await curl(right, 'http://10.1.0.2:8000/')).toBe(hash);
    expect(learnedMtu(left, '10.2.0.2')).toBe(1280);
    expect(ours.show.counters()['IcmpOutDestUnreachs']).toBeGreaterThan(0);
  });

  const rules = (rightTap: string): IptRule[] => [
    { table: 'nat', chain: 'postrouting', oif: rightTap, verdict: 'masquerade' },
    { table: 'nat', chain: 'prerouting', iif: rightTap, protocol: 'tcp', dport: 8080, verdict: 'dnat', to: '10.1.0.2:8000' },
  ];

  test('through our NAT: who answers a masqueraded host is told', async () => {
    const { ours, left, right, leftTap, rightTap } = router(false);
    withNat(ours, rules(rightTap));
    narrow(ours, leftTap);
    const hash = await serve(right, 8000);
    expect(await curl(left, 'http://10.2.0.2:8000/')).toBe(hash);
    expect(learnedMtu(right, '10.2.0.1')).toBe(1280);
  });

  test('through our NAT: the host behind a port forward is told', async () => {
    const { ours, left, right, rightTap } = router(false);
    withNat(ours, rules(rightTap));
    narrow(ours, rightTap);
    const hash = await serve(left, 8000);
    expect(await curl(right, 'http://10.2.0.1:8080/')).toBe(hash);
    expect(learnedMtu(left, '10.2.0.2')).toBe(1280);
  });
});

describeReal('Linux as router between two hosts of ours', () => {
  /** 4 MiB from one host to the other by TCP: the hash of what was sent and of what came. */
  async function transfer(from: Host, to: Host, address: string, port: number): Promise<[sent: string, got: string]> {
    const data = new Uint8Array(4 << 20).map((_, i) => (i * 31 + (i >> 9)) & 0xff);
    const listener = to.listen({ port });
    const got = (async () => {
      const hash = createHash('sha256');
      for await (const connection of listener) {
        for await (const part of connection.readable) hash.update(part);
        await connection.writable.close();
        break;
      }
      return hash.digest('hex');
    })();
    const connection = await from.connect({ host: address, port });
    const writer = connection.writable.getWriter();
    await writer.write(data);
    await writer.close();
    for await (const _ of connection.readable) { /* to its end */ }
    return [createHash('sha256').update(data).digest('hex'), await got];
  }

  test.each([1500, 1280])('TCP both ways, its second link of %i octets', async (mtu) => {
    const ns = space('linux');
    nsWriteSysctl(ns, 'net.ipv4.ip_forward', '1');
    const [a, b] = [host('a'), host('b')];
    link(a, '10.1.0.1/24', ns, '10.1.0.254/24', { gateway: '10.1.0.254' });
    const far = link(b, '10.2.0.1/24', ns, '10.2.0.254/24', { gateway: '10.2.0.254' });
    nsIp(ns, 'link', 'set', far, 'mtu', String(mtu));
    const [sent, got] = await transfer(a, b, '10.2.0.1', 7);
    expect(got).toBe(sent);
    const [back, came] = await transfer(b, a, '10.1.0.1', 8);
    expect(came).toBe(back);
    const { IcmpInDestUnreachs } = a.show.counters();
    if (mtu === 1280) expect(IcmpInDestUnreachs).toBeGreaterThan(0);
    else expect(IcmpInDestUnreachs).toBe(0);
  });
});
