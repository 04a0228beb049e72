// Our bridge against Linux's: namespaces talk through a bridge of ours, hosts of ours, and their VLANs, through Linux's.
import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { assertNothingOpen, bridgeOf, createHost, vlanOn, type Host, type NicOptions } from '@stack/host';
import { createWorld, type World } from '@stack/kernel';
import { realClock } from '@stack/kernel/real-clock';
import { devGetByName } from '@stack/netdev';
import { openTap } from '@stack/nic-tap';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createNetns, deleteNetns, describeReal, eventually, ip, nextLine, nsIp, nsRun, nsSpawn, nsText, plug, type Netns } from '../support/netns.ts';
import { collectReplies, sendEcho } from '../support/ping.ts';
import { countFrames, frames } from '../support/tshark.ts';

const MiB = 1 << 20;
/** An HTTP server that answers with as many octets as the path says. */
const SERVE = `
  const http = require('node:http');
  const page = (n) => Buffer.alloc(n, '0123456789abcdefghijklmnopqrstuvwxyz');
  http.createServer((request, response) => response.end(page(Number(request.url.slice(1))))).listen(80, () => console.log('listening'));
`;
const hashOf = (octets: number): string => createHash('sha256').update(Buffer.alloc(octets, '0123456789abcdefghijklmnopqrstuvwxyz')).digest('hex');

let world: World;
let spaces: Netns[];
let hosts: Host[];
let taps = 0;

function space(purpose: string): Netns {
  const ns = createNetns(purpose);
  spaces.push(ns);
  return ns;
}

function host(name: string, nics: readonly NicOptions[] = []): Host {
  const made = createHost({ world, name, nics });
  hosts.push(made);
  return made;
}

/** A TAP of `owner`, its other end an interface of `ns` with `address`, or (null) a port of that namespace's bridge br0. */
function tapInto(ns: Netns, owner: Host, address: string | null): string {
  const dev = openTap(owner.net, { name: `st${process.pid}n${taps++}`.slice(-15) });
  if (address !== null) plug(ns, dev.name, address);
  else {
    ip('link', 'set', dev.name, 'netns', ns.name);
    nsIp(ns, 'link', 'set', dev.name, 'master', 'br0');
    nsIp(ns, 'link', 'set', dev.name, 'up');
  }
  return dev.name;
}

async function curlHash(ns: Netns, address: string, octets: number): Promise<string> {
  return (await nsRun(ns, 'sh', '-c', `curl -sS --max-time 60 http://${address}/${octets} | sha256sum`)).split(' ')[0]!;
}

/** As many octets from `server` to `client` over TCP; resolves with their hash. */
async function transfer(client: Host, server: Host, address: string, octets: number, port = 9): Promise<string> {
  const listener = server.listen({ port });
  const serving = (async () => {
    for await (const { writable } of listener) {
      const writer = writable.getWriter();
      await writer.write(new Uint8Array(Buffer.alloc(octets, '0123456789abcdefghijklmnopqrstuvwxyz')));
      await writer.close();
      break;
    }
  })();
  const connection = await client.connect({ host: address, port });
  const hash = createHash('sha256');
  for await (const chunk of connection.readable) hash.update(chunk);
  await connection.writable.close();
  await serving;
  await listener.close();
  return hash.digest('hex');
}

describeReal('devices', () => {
  beforeEach(() => {
    world = createWorld({ clock: realClock(), debug: true });
    spaces = [];
    hosts = [];
  });
  afterEach(async () => {
    for (const { net } of hosts) expect(net.panicked).toBe(null);
    for (const each of hosts) await each.close();
    for (const ns of spaces) deleteNetns(ns);
    assertNothingOpen(world);
  });

  test('our bridge between two namespaces: ping, curl 8 MiB, and its own address', async () => {
    const bridge = host('bridge');
    const [a, b] = [space('left'), space('right')];
    const names = [tapInto(a, bridge, '10.98.0.1/24'), tapInto(b, bridge, '10.98.0.2/24')];
    bridge.addNic({ device: bridgeOf(names), address: '10.98.0.9/24' });
    expect(await nsRun(a, 'ping', '-q', '-c', '3', '-i', '0.05', '-W', '5', '10.98.0.2')).toContain(' 0% packet loss');
    expect(await nsRun(b, 'ping', '-q', '-c', '3', '-i', '0.05', '-W', '5', '10.98.0.9')).toContain(' 0% packet loss');
    expect(await nsRun(a, 'ping', '-q', '-c', '1', '-s', '20000', '-W', '5', '10.98.0.2')).toContain(' 0% packet loss');
    await nextLine(nsSpawn(b, process.execPath, '-e', SERVE));
    expect(await curlHash(a, '10.98.0.2', 8 * MiB)).toBe(hashOf(8 * MiB));

    const rows = bridge.show.fdb();
    for (const [i, ns] of [a, b].entries()) {
      const mac = nsText(ns, 'cat', `/sys/class/net/${names[i]!}/address`).trim();
      expect(rows).toContainEqual(expect.objectContaining({ mac, ifname: names[i], master: 'br0', state: '' }));
    }
  });

  test('Linux\'s bridge between two hosts of ours: both tables, 4 MiB, and VLAN 10 through it', async () => {
    const ns = space('bridge');
    nsIp(ns, 'link', 'add', 'br0', 'type', 'bridge');
    nsIp(ns, 'link', 'set', 'br0', 'up');
    nsIp(ns, 'address', 'add', '10.97.0.9/24', 'dev', 'br0');
    const [a, b] = [host('a'), host('b')];
    const [nameA, nameB] = [tapInto(ns, a, null), tapInto(ns, b, null)];
    a.addNic({ device: devGetByName(a.net, nameA)!, address: '10.97.0.1/24' });
    b.addNic({ device: devGetByName(b.net, nameB)!, address: '10.97.0.2/24' });
    expect(await transfer(a, b, '10.97.0.2', 4 * MiB)).toBe(hashOf(4 * MiB));
    expect(await nsRun(ns, 'ping', '-q', '-c', '2', '-i', '0.05', '-W', '5', '10.97.0.1')).toContain(' 0% packet loss');

    const fdb = JSON.parse(nsText(ns, 'bridge', '-j', 'fdb', 'show', 'br', 'br0')) as Record<string, unknown>[];
    for (const [owner, name] of [[a, nameA], [b, nameB]] as const) {
      const mac = Buffer.from(devGetByName(owner.net, name)!.devAddr).toString('hex').replace(/(..)(?!$)/g, '$1:');
      expect(fdb).toContainEqual(expect.objectContaining({ mac, ifname: name, flags: [], master: 'br0', state: '' }));
    }

    a.addNic({ device: vlanOn(nameA, 10), address: '10.96.0.1/24' });
    b.addNic({ device: vlanOn(nameB, 10), address: '10.96.0.2/24' });
    const file = join('/tmp', `${ns.name}.pcap`);
    const tcpdump = nsSpawn(ns, 'sh', '-c', `tcpdump -i ${nameA} -U -s 128 -w ${file} 2>&1`);
    await nextLine(tcpdump);
    const { replies, stop } = collectReplies(a.net);
    expect(sendEcho(a.net, '10.96.0.2', 1, new Uint8Array(1472))).toBe(0);
    await eventually('an answer in VLAN 10', () => replies.length === 1);
    stop();
    expect(await transfer(a, b, '10.96.0.2', MiB, 10)).toBe(hashOf(MiB));
    await eventually('tcpdump has seen it', () => countFrames(file, 'tcp.flags.fin == 1 && ip.addr == 10.96.0.1') >= 2);
    tcpdump.kill('SIGTERM');
    expect(new Set(frames(file, 'ip.addr == 10.96.0.1', 'vlan.id', 'vlan.priority').map(String))).toEqual(new Set(['10,0']));
    execFileSync('rm', ['-f', file]);
  });
});
