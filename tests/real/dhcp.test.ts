// DHCP against Linux: udhcpc and dhclient at our server, our client at dnsmasq and at busybox's udhcpd.
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDhcpClient, createDhcpServer, type DhcpServer, type DhcpServerOptions } from '@stack/dhcp';
import { gethostbyname } from '@stack/host';
import { inAton } from '@stack/inet-sock';
import { ipAddrDel } from '@stack/ip';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { describeRealWith, eventually, nsIp, nsIpJson, nsRun, nsSpawn, nsText } from '../support/netns.ts';
import { OURS, PEER, realHost, type RealHost } from '../support/real-host.ts';

let real: RealHost;
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'stack-dhcp-'));
});

afterEach(async () => {
  const pid = join(directory, 'pid'); // dhclient has gone into the background
  if (existsSync(pid)) process.kill(Number(readFileSync(pid, 'utf8')), 'SIGKILL');
  await real.close();
  rmSync(directory, { recursive: true, force: true });
});

/** A script for a Linux client: sets what it is told in the namespace, nothing else, and notes it. */
function script(name: string, lines: readonly string[]): string {
  const file = join(directory, name);
  writeFileSync(file, ['#!/bin/sh', ...lines].join('\n'));
  chmodSync(file, 0o755);
  return file;
}

/** The variables that a script has noted. */
function noted(name: string): Record<string, string> {
  const file = join(directory, name);
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
  return Object.fromEntries(lines.map((line) => line.split('=', 2) as [string, string]));
}

/** Linux's addresses on the TAP. */
function peerAddresses(): unknown[] {
  return nsIpJson(real.ns, 'address', 'show', 'dev', real.dev.name).flatMap((row) => row['addr_info'] as unknown[]);
}

/** Our server, and Linux without an address. */
function serve(purpose: string, options: Partial<DhcpServerOptions> = {}): DhcpServer {
  real = realHost(purpose);
  nsIp(real.ns, 'address', 'flush', 'dev', real.dev.name);
  return createDhcpServer(real.host.task, {
    dev: real.dev.name, range: ['10.99.0.100', '10.99.0.110'], router: OURS, dns: [OURS, '10.99.0.3'], domain: 'sim.test', mtu: 1400, leaseTime: 120, ...options,
  });
}

describeRealWith(['udhcpc'], 'udhcpc at our server', () => {
  const SET = [
    'case $1 in',
    'bound|renew) ip address replace $ip/$mask broadcast $broadcast dev $interface; ip link set $interface mtu $mtu; ip route replace default via $router;;',
    'deconfig) ip address flush dev $interface; ip link set $interface up;;',
    'esac',
  ];

  test.each([['unicast answers', []], ['broadcast answers', ['-B']]])('a lease, by %s; then the network works', async (_title, flags) => {
    const server = serve('udhcpc');
    const set = script('udhcpc.script', [...SET, `env > ${directory}/udhcpc.$1`]);
    await nsRun(real.ns, 'udhcpc', '-f', '-q', '-n', '-t', '3', '-T', '2', '-i', real.dev.name, '-s', set, '-x', 'hostname:linux', ...flags);
    expect(noted('udhcpc.bound')).toMatchObject({
      ip: '10.99.0.100', mask: '24', broadcast: '10.99.0.255', router: OURS, dns: `${OURS} 10.99.0.3`, domain: 'sim.test', mtu: '1400', lease: '120', serverid: OURS,
    });
    expect(peerAddresses()).toMatchObject([{ local: '10.99.0.100', prefixlen: 24 }]);
    expect(server.leases()).toMatchObject([{ address: '10.99.0.100', hostname: 'linux', state: 'bound' }]);
    expect(server.stats).toMatchObject({ ack: 1, nak: 0, dropped: 0 });
    expect(await nsRun(real.ns, 'ping', '-c', '2', '-i', '0.2', OURS)).toMatch(/ 0% packet loss/);
  });

  test('SIGUSR1: renewing, by unicast; SIGUSR2: the lease is given back', async () => {
    const server = serve('udhcpc-renew');
    const set = script('udhcpc.script', [...SET, `env > ${directory}/udhcpc.$1`]);
    const child = nsSpawn(real.ns, 'udhcpc', '-f', '-i', real.dev.name, '-s', set);
    await eventually('it has a lease', () => noted('udhcpc.bound')['ip'] === '10.99.0.100');
    child.kill('SIGUSR1');
    await eventually('it has renewed', () => noted('udhcpc.renew')['ip'] === '10.99.0.100');
    expect(server.stats).toMatchObject({ discover: 1, ack: 2, nak: 0 });
    child.kill('SIGUSR2');
    await eventually('it releases', () => server.stats.release === 1);
    expect(server.leases()).toMatchObject([{ state: 'free' }]);
  });
});

describeRealWith(['dhclient'], 'dhclient at our server', () => {
  test('a lease with all its options; -r gives it back', async () => {
    const server = serve('dhclient');
    const set = script('dhclient.script', [
      'case $reason in',
      'PREINIT) ip link set $interface up;;',
      'BOUND|RENEW|REBIND|REBOOT) ip address replace $new_ip_address/24 dev $interface;;',
      'RELEASE|EXPIRE) ip address flush dev $interface;;',
      'esac',
      `env > ${directory}/dhclient.$reason`,
    ]);
    const files = ['-4', '-cf', '/dev/null', '-lf', join(directory, 'leases'), '-pf', join(directory, 'pid'), '-sf', set];
    await nsRun(real.ns, 'dhclient', '-1', ...files, real.dev.name);
    expect(noted('dhclient.BOUND')).toMatchObject({
      new_ip_address: '10.99.0.100', new_subnet_mask: '255.255.255.0', new_broadcast_address: '10.99.0.255', new_routers: OURS,
      new_domain_name_servers: `${OURS} 10.99.0.3`, new_domain_name: 'sim.test', new_interface_mtu: '1400', new_dhcp_lease_time: '120',
      new_dhcp_renewal_time: '60', new_dhcp_rebinding_time: '105', new_dhcp_server_identifier: OURS,
    });
    expect(peerAddresses()).toMatchObject([{ local: '10.99.0.100' }]);
    expect(await nsRun(real.ns, 'ping', '-c', '1', OURS)).toMatch(/ 0% packet loss/);
    await nsRun(real.ns, 'dhclient', '-r', ...files, real.dev.name);
    await eventually('it is released', () => server.stats.release === 1);
    expect(server.leases()).toMatchObject([{ address: '10.99.0.100', state: 'free' }]);
    expect(peerAddresses()).toEqual([]);
  });
});

/** Our host without an address. */
function bare(purpose: string): void {
  real = realHost(purpose);
  expect(ipAddrDel(real.dev, OURS)).toBe(0);
}

describeRealWith(['dnsmasq'], 'our client at dnsmasq', () => {
  test('a lease: address, route, MTU, and names at the server that it was told of; released', async () => {
    bare('dnsmasq');
    const leases = join(directory, 'leases');
    nsSpawn(real.ns, 'dnsmasq', '--keep-in-foreground', '--no-daemon', '--conf-file=/dev/null', '--no-resolv', '--no-hosts', '--user=root', '--pid-file=',
      '--bind-interfaces', `--interface=${real.dev.name}`, '--except-interface=lo', `--dhcp-leasefile=${leases}`, '--dhcp-authoritative',
      '--dhcp-range=10.99.0.150,10.99.0.160,255.255.255.0,120', `--dhcp-option=option:router,${PEER}`, '--dhcp-option=option:mtu,1400',
      '--domain=lan.test', '--host-record=server.lan.test,10.99.0.8');
    await eventually('dnsmasq listens', () => nsText(real.ns, 'ss', '-ulnH', 'sport', '=', ':67') !== '');
    const { host, dev } = real;
    const client = createDhcpClient(host.task, { dev: dev.name, hostname: 'ours', resolver: host.resolver });
    const lease = await client.bound();
    expect(lease).toMatchObject({ prefixLength: 24, broadcast: '10.99.0.255', server: PEER, routers: [PEER], dns: [PEER], domain: 'lan.test', mtu: 1400, leaseTime: 120 });
    expect(lease.address).toMatch(/^10\.99\.0\.1[56]\d$/);
    expect(readFileSync(leases, 'utf8')).toContain(` ${lease.address} ours `);
    expect(host.show.addr().find((row) => row.ifname === dev.name)).toMatchObject({ mtu: 1400, addr_info: [{ local: lease.address, prefixlen: 24 }] });
    expect(await nsRun(real.ns, 'ping', '-c', '2', '-i', '0.2', lease.address)).toMatch(/ 0% packet loss/);
    expect(await gethostbyname(host, 'server')).toMatchObject({ hName: 'server.lan.test', hAddr: inAton('10.99.0.8') });
    await client.close();
    await eventually('dnsmasq has it back', () => !readFileSync(leases, 'utf8').includes(lease.address));
    expect(host.show.addr().find((row) => row.ifname === dev.name)?.addr_info).toEqual([]);
  });
});

describeRealWith(['busybox'], "our client at busybox's udhcpd", () => {
  test('a lease, renewed at T1', async () => {
    bare('udhcpd');
    const conf = join(directory, 'udhcpd.conf');
    writeFileSync(conf, [
      'start 10.99.0.170', 'end 10.99.0.175', `interface ${real.dev.name}`, `lease_file ${directory}/udhcpd.leases`, `pidfile ${directory}/udhcpd.pid`,
      `option router ${PEER}`, 'option subnet 255.255.255.0', `option dns ${PEER}`, 'option domain lan.test', 'option lease 6', 'min_lease 5',
    ].join('\n'));
    writeFileSync(join(directory, 'udhcpd.leases'), '');
    nsSpawn(real.ns, 'busybox', 'udhcpd', '-f', conf);
    await eventually('udhcpd listens', () => nsText(real.ns, 'ss', '-ulnH', 'sport', '=', ':67') !== '');
    let leases = 0;
    const client = createDhcpClient(real.host.task, { dev: real.dev.name, probe: 200, onLease: (lease) => (leases += Number(lease !== null)) });
    const lease = await client.bound();
    expect(lease).toMatchObject({ prefixLength: 24, server: PEER, routers: [PEER], dns: [PEER], domain: 'lan.test', leaseTime: 6, renewalTime: 3 });
    await eventually('it is renewed', () => leases === 2);
    expect(client.lease).toEqual(lease);
    expect(await nsRun(real.ns, 'ping', '-c', '1', lease.address)).toMatch(/ 0% packet loss/);
    await client.close();
  });
});
