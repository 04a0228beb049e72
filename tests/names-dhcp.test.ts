// DHCP over a simulated Ethernet: our client and our server, messages that break the rules, and what becomes of the host.
import {
  BOOTREPLY, BOOTREQUEST, createDhcpClient, createDhcpServer, DHCP_BOUND, DHCP_CLOSED, DHCP_REBINDING, DHCP_RENEWING, DHCPACK, dhcpBuild, DHCPDECLINE,
  DHCPDISCOVER, DHCPINFORM, DhcpMessage, DHCPNAK, DHCPOFFER, dhcpParse, DHCPREQUEST, OPT_CLIENT_ID, OPT_LEASE_TIME, OPT_MESSAGE_TYPE,
  OPT_REQUESTED_IP, OPT_ROUTER, OPT_SERVER_ID, optAddress, optSeconds, optU8, setU32, setU8, type DhcpClientOptions, type DhcpServer, type DhcpServerOptions,
} from '@stack/dhcp';
import { createDnsServer } from '@stack/dns';
import { assertNothingOpen, createHost, gethostbyname, virtioOn, type Host } from '@stack/host';
import { INADDR_BROADCAST, inAton, inNtoa, SockAddrIn } from '@stack/inet-sock';
import { createWorld, idle, Random, randomRange, sleep, type World } from '@stack/kernel';
import { createSwitch, type Switch } from '@stack/nic-virtio-sim';
import {
  MSG_DONTWAIT, PF_INET, SO_BINDTODEVICE, SO_BROADCAST, SOCK_DGRAM, SOL_SOCKET, sysBind, sysRecv, sysSendto, sysSetsockopt, sysSocket,
} from '@stack/socket';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

let world: World;
let lan: Switch;
let hosts: Host[];
let router: Host;

beforeEach(() => {
  world = createWorld({ seed: 11, debug: true });
  lan = createSwitch(world);
  hosts = [];
  router = addHost('router', '10.0.0.1/24');
});

afterEach(async () => {
  for (const host of hosts) await host.close();
  assertNothingOpen(world);
});

function addHost(name: string, ...address: string[]): Host {
  const host = createHost({ world, name, nics: [{ device: virtioOn(lan), address }] });
  hosts.push(host);
  return host;
}

function serve(options: Partial<DhcpServerOptions> = {}): DhcpServer {
  return createDhcpServer(router.task, { dev: 'eth0', range: ['10.0.0.100', '10.0.0.110'], ...options });
}

const client = (host: Host, options: Partial<DhcpClientOptions> = {}): ReturnType<typeof createDhcpClient> => createDhcpClient(host.task, { dev: 'eth0', ...options });

/** The addresses of a host's card. */
const addressesOf = (host: Host): string[] => host.show.addr().flatMap((dev) => dev.addr_info).filter((info) => info.scope === 'global').map((info) => `${info.local}/${info.prefixlen}`);

const defaultRoute = (host: Host): string[] => host.show.route().filter((row) => row.dst === 'default').map((row) => `${row.gateway} ${row.protocol}`);

describe('a lease', () => {
  test('gives address, broadcast, default route, MTU, name servers and domain', async () => {
    serve({ router: '10.0.0.1', dns: ['10.0.0.1'], domain: 'sim.test', mtu: 1400, leaseTime: 600 });
    createDnsServer(router.task, { zones: { 'sim.test': { printer: { A: '10.0.0.9' } } } });
    const host = addHost('client');
    const dhcp = client(host, { resolver: host.resolver, hostname: 'client' });
    expect(await dhcp.bound()).toEqual({
      address: '10.0.0.100', prefixLength: 24, broadcast: '10.0.0.255', server: '10.0.0.1', routers: ['10.0.0.1'], dns: ['10.0.0.1'], domain: 'sim.test',
      mtu: 1400, leaseTime: 600, renewalTime: 300, rebindingTime: 525,
    });
    expect(dhcp.state).toBe(DHCP_BOUND);
    expect(addressesOf(host)).toEqual(['10.0.0.100/24']);
    expect(defaultRoute(host)).toEqual(['10.0.0.1 dhcp']);
    expect(host.show.addr().find((dev) => dev.ifname === 'eth0')).toMatchObject({ mtu: 1400, addr_info: [{ broadcast: '10.0.0.255' }] });
    expect(await gethostbyname(host, 'printer')).toMatchObject({ hName: 'printer.sim.test', hAddr: inAton('10.0.0.9') });
  });

  test('each client has its own; the server shows them', async () => {
    const server = serve({ reservations: { '02:00:00:00:00:77': '10.0.0.50' } });
    const bound = await Promise.all(Array.from({ length: 5 }, (_, i) => client(addHost(`c${i}`), { hostname: `c${i}` }).bound()));
    expect(new Set(bound.map((lease) => lease.address)).size).toBe(5);
    expect(server.leases().map((row) => row.state)).toEqual(new Array(5).fill('bound'));
    expect(server.leases().map((row) => row.hostname).sort()).toEqual(['c0', 'c1', 'c2', 'c3', 'c4']);
    const kept = createHost({ world, name: 'kept', nics: [{ device: virtioOn(lan, { mac: Uint8Array.of(2, 0, 0, 0, 0, 0x77) }) }] });
    hosts.push(kept);
    expect((await client(kept).bound()).address).toBe('10.0.0.50');
  });

  test('close() gives it back, and takes it off the host', async () => {
    const server = serve({ router: '10.0.0.1' });
    const host = addHost('client');
    const dhcp = client(host);
    await dhcp.bound();
    await dhcp.close();
    await dhcp.close();
    expect([dhcp.state, dhcp.lease, addressesOf(host), defaultRoute(host)]).toEqual([DHCP_CLOSED, null, [], []]);
    await idle(world);
    expect(server.stats.release).toBe(1);
    expect(server.leases()).toMatchObject([{ address: '10.0.0.100', state: 'free', left: 0 }]);
    expect((await client(host).bound()).address).toBe('10.0.0.100');
  });

  test('a World with nothing to do is idle, however long the lease', async () => {
    serve({ leaseTime: 60 });
    await client(addHost('client')).bound();
    const before = world.clock.now();
    await idle(world);
    expect(world.clock.now() - before).toBeLessThan(10e9);
  });

  test('for ever: no T1', async () => {
    serve({ leaseTime: Infinity });
    expect(await client(addHost('client')).bound()).toMatchObject({ leaseTime: Infinity, renewalTime: Infinity });
  });
});

describe('RFC 2131 §4.4.5: renewing', () => {
  test('at T1 the server is asked by unicast; the lease goes on', async () => {
    const server = serve({ leaseTime: 600 });
    const seen: (string | null)[] = [];
    const host = addHost('client');
    const dhcp = client(host, { onLease: (lease) => seen.push(lease?.address ?? null) });
    await dhcp.bound();
    await sleep(world, 299_000);
    expect(server.stats.request).toBe(1);
    await sleep(world, 2_000);
    expect(server.stats).toMatchObject({ discover: 1, request: 2, ack: 2 });
    await sleep(world, 3000_000);
    expect(server.stats).toMatchObject({ discover: 1, request: 12 });
    expect(new Set(seen)).toEqual(new Set(['10.0.0.100']));
    expect(addressesOf(host)).toEqual(['10.0.0.100/24']);
  });

  test('without an answer: RENEWING, REBINDING at T2, and at the end the address is gone; another server gives a new one', async () => {
    const first = serve({ leaseTime: 1600 });
    const host = addHost('client');
    const dhcp = client(host);
    await dhcp.bound();
    first.close();
    await sleep(world, 801_000);
    expect(dhcp.state).toBe(DHCP_RENEWING);
    await sleep(world, 601_000);
    expect(dhcp.state).toBe(DHCP_REBINDING);
    expect(addressesOf(host)).toEqual(['10.0.0.100/24']);
    await sleep(world, 200_000);
    expect([dhcp.lease, addressesOf(host)]).toEqual([null, []]);
    serve({ range: ['10.0.0.200', '10.0.0.210'] });
    await sleep(world, 600_000);
    expect(addressesOf(host)).toEqual(['10.0.0.200/24']);
  });

  test('a REBINDING client is served by another server that may', async () => {
    const first = serve({ leaseTime: 1600 });
    const host = addHost('client');
    const dhcp = client(host);
    await dhcp.bound();
    first.close();
    const other = addHost('other', '10.0.0.2/24');
    const second = createDhcpServer(other.task, { dev: 'eth0', range: ['10.0.0.100', '10.0.0.110'] });
    await sleep(world, 1500_000);
    expect(second.stats).toMatchObject({ discover: 0, ack: 1 });
    expect(dhcp.lease?.server).toBe('10.0.0.2');
  });

  test('NAK: the address goes at once, and INIT begins anew', async () => {
    const first = serve({ leaseTime: 1600 });
    const host = addHost('client');
    await client(host).bound();
    first.close();
    const second = serve({ range: ['10.0.0.200', '10.0.0.210'] });
    await sleep(world, 810_000);
    expect(second.stats).toMatchObject({ nak: 1, discover: 1, ack: 1 });
    expect(addressesOf(host)).toEqual(['10.0.0.200/24']);
  });
});

describe('addresses that are in use (RFC 2131 §3.1, RFC 5227)', () => {
  test('the server probes before it offers, and leaves that one alone', async () => {
    addHost('squatter', '10.0.0.100/24');
    const server = serve();
    expect((await client(addHost('client')).bound()).address).toBe('10.0.0.101');
    expect(server.leases()[0]).toMatchObject({ address: '10.0.0.100', state: 'declined' });
  });

  test('DISCOVERs in a storm are probed for once', async () => {
    const server = serve();
    const host = addHost('storm');
    const fd = sysSocket(host.task, PF_INET, SOCK_DGRAM, 0);
    sysSetsockopt(host.task, fd, SOL_SOCKET, SO_BROADCAST, 1);
    sysSetsockopt(host.task, fd, SOL_SOCKET, SO_BINDTODEVICE, 'eth0');
    const msg = new DhcpMessage(BOOTREQUEST, 1, Uint8Array.of(2, 0, 0, 0, 0, 1));
    setU8(msg, OPT_MESSAGE_TYPE, DHCPDISCOVER);
    for (let i = 0; i < 100; i++) sysSendto(host.task, fd, dhcpBuild(msg), 0, new SockAddrIn(INADDR_BROADCAST, 67));
    await sleep(world, 1000);
    expect(server.stats.discover).toBeGreaterThan(50); // the rest did not fit its SO_RCVBUF
    expect(server.stats.offer).toBe(1);
  });

  test('the client probes before it uses, and declines', async () => {
    addHost('squatter', '10.0.0.100/24');
    const server = serve({ probe: 0 });
    expect((await client(addHost('client')).bound()).address).toBe('10.0.0.101');
    expect(server.stats).toMatchObject({ decline: 1, discover: 2 });
    await sleep(world, 601_000);
    expect(server.leases()[0]).toMatchObject({ address: '10.0.0.100', state: 'free' });
  });

  test('without a free one the server is silent, and bound() rejects; one that comes free is had later', async () => {
    const server = serve({ range: ['10.0.0.100', '10.0.0.100'] });
    const first = client(addHost('first'));
    await first.bound();
    const late = client(addHost('late'));
    await expect(late.bound()).rejects.toMatchObject({ code: 'ETIMEDOUT', syscall: 'dhcp', address: 'eth0' });
    expect(server.stats.exhausted).toBe(5);
    await first.close();
    await sleep(world, 310_000);
    expect(late.lease?.address).toBe('10.0.0.100');
  });
});

describe('the server and other clients', () => {
  const MAC = Uint8Array.of(2, 0, 0, 0, 0, 0x42);

  /** A client that sends what the test says: to everybody, or to the server. */
  class Raw {
    readonly fd: number;
    readonly host: Host;

    constructor(host: Host) {
      this.host = host;
      this.fd = sysSocket(host.task, PF_INET, SOCK_DGRAM, 0);
      sysSetsockopt(host.task, this.fd, SOL_SOCKET, SO_BROADCAST, 1);
      sysSetsockopt(host.task, this.fd, SOL_SOCKET, SO_BINDTODEVICE, 'eth0');
      expect(sysBind(host.task, this.fd, new SockAddrIn(0, 68))).toBe(0);
    }

    /** Sends; returns the answer, or null. */
    async ask(out: DhcpMessage | Uint8Array, to = INADDR_BROADCAST): Promise<DhcpMessage | null> {
      sysSendto(this.host.task, this.fd, out instanceof Uint8Array ? out : dhcpBuild(out), 0, new SockAddrIn(to, 67));
      await sleep(world, 1000);
      const buf = new Uint8Array(1500);
      const n = await sysRecv(this.host.task, this.fd, buf, MSG_DONTWAIT);
      return n < 0 ? null : dhcpParse(buf.subarray(0, n));
    }
  }

  function message(type: number, options: Record<number, number> = {}, mac = MAC): DhcpMessage {
    const msg = new DhcpMessage(BOOTREQUEST, 0x1234, mac);
    msg.flags = 0x8000;
    setU8(msg, OPT_MESSAGE_TYPE, type);
    for (const [code, value] of Object.entries(options)) setU32(msg, Number(code), value);
    return msg;
  }

  const typeOf = (msg: DhcpMessage | null): number => (msg === null ? 0 : optU8(msg, OPT_MESSAGE_TYPE));
  const ID = inAton('10.0.0.1');
  const at = (text: string): number => inAton(text);

  test('§4.3.1: an OFFER has all that the REQUEST needs; the client identifier comes back (RFC 6842)', async () => {
    serve({ router: ['10.0.0.1', '10.0.0.2'] });
    const discover = message(DHCPDISCOVER, { [OPT_REQUESTED_IP]: at('10.0.0.105') });
    discover.options.set(OPT_CLIENT_ID, Uint8Array.of(0, 1, 2, 3));
    const offer = await new Raw(addHost('raw')).ask(discover);
    expect(offer).toMatchObject({ op: BOOTREPLY, xid: 0x1234, yiaddr: at('10.0.0.105'), ciaddr: 0, flags: 0x8000, chaddr: MAC });
    if (offer === null) return;
    expect([typeOf(offer), optAddress(offer, OPT_SERVER_ID), optSeconds(offer, OPT_LEASE_TIME)]).toEqual([DHCPOFFER, ID, 3600]);
    expect(offer.options.get(OPT_CLIENT_ID)).toEqual(Uint8Array.of(0, 1, 2, 3));
    expect(offer.options.get(OPT_ROUTER)?.length).toBe(8);
  });

  test('§4.3.2: REQUESTs that are wrong get a NAK; those of unknown clients that were restarted, and for other servers, silence', async () => {
    const server = serve({ probe: 0 });
    const raw = new Raw(addHost('raw'));
    expect(await raw.ask(message(DHCPREQUEST, { [OPT_REQUESTED_IP]: at('10.0.0.101') }))).toBeNull();
    expect(typeOf(await raw.ask(message(DHCPREQUEST, { [OPT_REQUESTED_IP]: at('10.9.9.9') })))).toBe(DHCPNAK);
    expect(typeOf(await raw.ask(message(DHCPREQUEST, { [OPT_REQUESTED_IP]: at('10.0.0.101'), [OPT_SERVER_ID]: ID })))).toBe(DHCPNAK);
    const offered = (await raw.ask(message(DHCPDISCOVER)))?.yiaddr ?? 0;
    expect(await raw.ask(message(DHCPREQUEST, { [OPT_REQUESTED_IP]: offered, [OPT_SERVER_ID]: at('10.0.0.9') }))).toBeNull();
    expect(server.leases()).toMatchObject([{ state: 'free' }]);
    await raw.ask(message(DHCPDISCOVER));
    expect(typeOf(await raw.ask(message(DHCPREQUEST, { [OPT_REQUESTED_IP]: offered, [OPT_SERVER_ID]: ID })))).toBe(DHCPACK);
    expect(typeOf(await raw.ask(message(DHCPREQUEST, { [OPT_REQUESTED_IP]: offered })))).toBe(DHCPACK);
    expect(typeOf(await raw.ask(message(DHCPREQUEST, { [OPT_REQUESTED_IP]: offered + 1 })))).toBe(DHCPNAK);
    const thief = Uint8Array.of(2, 0, 0, 0, 0, 0x43);
    expect(typeOf(await raw.ask(message(DHCPREQUEST, { [OPT_REQUESTED_IP]: offered, [OPT_SERVER_ID]: ID }, thief)))).toBe(DHCPNAK);
    expect(server.leases().map((row) => [row.address, row.mac, row.state])).toEqual([[inNtoa(offered), '02:00:00:00:00:42', 'bound']]);
  });

  test('§4.3.5: INFORM gets parameters, and no lease', async () => {
    const server = serve({ router: '10.0.0.1' });
    const raw = new Raw(addHost('raw', '10.0.0.77/24'));
    const inform = message(DHCPINFORM);
    inform.ciaddr = at('10.0.0.77');
    const ack = await raw.ask(inform, ID);
    expect(ack).toMatchObject({ yiaddr: 0 });
    expect(ack === null ? [] : [typeOf(ack), optAddress(ack, OPT_ROUTER), optSeconds(ack, OPT_LEASE_TIME)]).toEqual([DHCPACK, ID, null]);
    expect(server.leases()).toEqual([]);
  });

  test('noise: whatever comes, the server lives, and serves on', async () => {
    const server = serve({ probe: 0 });
    const host = addHost('noisy');
    const { fd } = new Raw(host);
    const seed = 6;
    const random = new Random(seed);
    const good = dhcpBuild(message(DHCPREQUEST, { [OPT_REQUESTED_IP]: at('10.0.0.100'), [OPT_SERVER_ID]: ID }));
    for (let sent = 0; sent < 1000; sent++) {
      const noise = good.slice(0, randomRange(random, 230, 270));
      for (let i = randomRange(random, 0, 6); i > 0; i--) noise[randomRange(random, 0, noise.length - 1)] = randomRange(random, 0, 255);
      noise[242] = randomRange(random, 0, 9);
      sysSendto(host.task, fd, noise, 0, new SockAddrIn(INADDR_BROADCAST, 67));
      if (sent % 20 === 0) await sleep(world, 10);
    }
    await sleep(world, 1000);
    expect(router.net.panicked, `seed ${seed}`).toBeNull();
    expect(server.stats.dropped).toBeGreaterThan(50);
    expect(server.leases().length).toBeLessThanOrEqual(11);
    await sleep(world, 3_700_000);
    expect((await client(addHost('client')).bound()).address).toMatch(/^10\.0\.0\.1(0\d|10)$/);
  });

  test('noise, replies, relayed messages, and types that only servers send are counted and dropped; DECLINE by a stranger does nothing', async () => {
    const server = serve({ probe: 0 });
    const raw = new Raw(addHost('raw'));
    const offered = (await raw.ask(message(DHCPDISCOVER)))?.yiaddr ?? 0;
    const relayed = message(DHCPDISCOVER);
    relayed.giaddr = 1;
    const reply = message(DHCPDISCOVER);
    reply.op = BOOTREPLY;
    for (const wrong of [Uint8Array.of(1, 2, 3), new Uint8Array(300), relayed, reply, message(DHCPOFFER), message(99)]) expect(await raw.ask(wrong)).toBeNull();
    expect(server.stats.dropped).toBe(6);
    const stranger = Uint8Array.of(2, 0, 0, 0, 0, 0x44);
    await raw.ask(message(DHCPDECLINE, { [OPT_REQUESTED_IP]: offered, [OPT_SERVER_ID]: ID }, stranger));
    expect(server.leases()).toMatchObject([{ state: 'offered' }]);
  });
});

describe('what is wrong is said at once', () => {
  test.each([
    [/"ten" is not an IPv4 address/, { range: ['ten', '10.0.0.9'] }],
    [/is not a range in the subnet of eth0/, { range: ['10.0.1.1', '10.0.1.9'] }],
    [/is not a range in the subnet of eth0/, { range: ['10.0.0.9', '10.0.0.1'] }],
    [/"x" is not a hardware address/, { reservations: { x: '10.0.0.9' } }],
    [/02:00:00:00:00:01 cannot have 10.0.0.1/, { reservations: { '02:00:00:00:00:01': '10.0.0.1' } }],
    [/leaseTime is 0/, { leaseTime: 0 }],
    [/renewalTime ≤ rebindingTime ≤ leaseTime/, { renewalTime: 9999 }],
    [/mtu is 60/, { mtu: 60 }],
  ] satisfies [RegExp, Partial<DhcpServerOptions>][])('%s', (error, options) => {
    expect(() => serve(options)).toThrow(error);
  });

  test('no such device; no address to serve from; the port is taken', () => {
    expect(() => createDhcpClient(router.task, { dev: 'eth9' })).toThrow('dhcp ENODEV eth9');
    const bare = addHost('bare');
    expect(() => createDhcpServer(bare.task, { dev: 'eth0', range: ['10.0.0.1', '10.0.0.2'] })).toThrow('eth0 has no address to serve from');
    serve();
    expect(() => serve()).toThrow('bind EADDRINUSE 0.0.0.0:67');
  });
});
