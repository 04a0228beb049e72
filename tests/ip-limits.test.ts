// Under attack: what a flood may take stays under the bound that a sysctl sets, and an honest flow keeps at least half of its rate.
// A client talks to a server behind a router; an attacker on the client's segment sends frames of his own making, to one or the other.
import { createWorld, sleep, type World } from '@stack/kernel';
import { assertNothingOpen, createHost, virtioOn, type Host } from '@stack/host';
import { inAton, SockAddrIn } from '@stack/inet-sock';
import { devGetByName, ETH_P_IP } from '@stack/netdev';
import { createSwitch } from '@stack/nic-virtio-sim';
import { SockAddrLl } from '@stack/packet';
import {
  MSG_DONTWAIT, PF_INET, PF_PACKET, SOCK_DGRAM, SOCK_RAW, sysBind, sysCall, sysClose, sysRecv, sysSendto, sysSocket,
} from '@stack/socket';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ethernet, icmp, ipv4 } from './support/raw-rig.ts';

const SERVER = '10.1.0.1';
const PORT = 7;
const UDP = 17;
const IP_MF = 0x2000;
/** Milliseconds: of an attack, between two honest datagrams, between two strokes of the attack. */
const DURATION = 7000;
const HONEST_EACH = 10;
const STEP = 2;

let world: World;
let client: Host;
let router: Host;
let server: Host;
let attacker: Host;
let fds: { client: number; server: number; attacker: number };

beforeEach(() => {
  world = createWorld({ seed: 1, debug: true });
  const [near, far] = [createSwitch(world), createSwitch(world)];
  client = createHost({ world, name: 'client', nics: [{ device: virtioOn(near), address: '10.0.0.1/24', gateway: '10.0.0.254' }] });
  attacker = createHost({ world, name: 'attacker', nics: [{ device: virtioOn(near), address: '10.0.0.66/24' }] });
  router = createHost({
    world, name: 'router', sysctl: { 'net.ipv4.ip_forward': 1 },
    nics: [{ device: virtioOn(near), address: '10.0.0.254/24' }, { device: virtioOn(far), address: '10.1.255.254/16' }],
  });
  server = createHost({ world, name: 'server', nics: [{ device: virtioOn(far), address: `${SERVER}/16`, gateway: '10.1.255.254' }] });
  fds = {
    client: sysCall(sysSocket(client.task, PF_INET, SOCK_DGRAM, 0), 'socket'),
    server: sysCall(sysSocket(server.task, PF_INET, SOCK_DGRAM, 0), 'socket'),
    attacker: sysCall(sysSocket(attacker.task, PF_PACKET, SOCK_RAW, 0), 'socket'),
  };
  sysCall(sysBind(server.task, fds.server, new SockAddrIn(0, PORT)), 'bind');
});

afterEach(async () => {
  await sysClose(client.task, fds.client);
  await sysClose(server.task, fds.server);
  await sysClose(attacker.task, fds.attacker);
  for (const host of [client, attacker, router, server]) await host.close();
  assertNothingOpen(world);
});

const mac = (host: Host): Uint8Array => devGetByName(host.net, 'eth0')?.devAddr ?? new Uint8Array(6);
const octet = (n: number): number => n & 0xff;

/** Sends an IP packet of the attacker's making to the router's card. */
function inject(packet: Uint8Array): void {
  const dev = devGetByName(attacker.net, 'eth0');
  const frame = ethernet(mac(router), mac(attacker), ETH_P_IP, packet);
  sysSendto(attacker.task, fds.attacker, frame, MSG_DONTWAIT, new SockAddrLl(ETH_P_IP, dev?.ifindex ?? 0));
}

/** Honest datagrams of `length` octets, one each HONEST_EACH ms, while `attack` is called each STEP ms, and `watch` after it. Returns the share of them that arrived. */
async function honestShare(length: number, attack: () => void, watch: () => void): Promise<number> {
  const to = new SockAddrIn(inAton(SERVER), PORT);
  const buffer = new Uint8Array(65536);
  let sent = 0;
  let got = 0;
  for (let ms = 0; ms < DURATION; ms += STEP) {
    if (ms % HONEST_EACH === 0) {
      sent++;
      sysSendto(client.task, fds.client, new Uint8Array(length), MSG_DONTWAIT, to);
    }
    attack();
    await sleep(world, STEP);
    watch();
    while ((sysRecv(server.task, fds.server, buffer, MSG_DONTWAIT) as number) > 0) got++;
  }
  return got / sent;
}

test('neighbour flood: the table stays within gc_thresh3, and a flow through the router goes on', async () => {
  router.sysctl('net.ipv4.neigh.default.gc_thresh3', 256);
  router.sysctl('net.ipv4.neigh.default.gc_thresh2', 128);
  const table = router.net.ipv4.arpTbl;
  let most = 0;
  let target = 0;
  // Packets to addresses that nobody has, each of which the router must ask for.
  const share = await honestShare(100, () => {
    target++;
    inject(ipv4(UDP, '10.0.0.66', `10.1.${1 + octet(target >> 8) % 250}.${octet(target)}`, new Uint8Array(100)));
  }, () => { most = Math.max(most, table.entries); });
  expect(most).toBeGreaterThan(200);
  expect(most).toBeLessThanOrEqual(256);
  expect(share).toBeGreaterThan(0.9);
});

test('fragment flood: reassembly stays within ipfrag_high_thresh, and datagrams in fragments arrive', async () => {
  const bound = 512 * 1024;
  server.sysctl('net.ipv4.ipfrag_high_thresh', bound);
  server.sysctl('net.ipv4.ipfrag_low_thresh', bound - 65536);
  const { frags } = server.net.ipv4;
  let most = 0;
  let id = 0;
  // First fragments of datagrams whose rest never comes, from ever other sources.
  const share = await honestShare(3000, () => {
    for (let i = 0; i < 4; i++) {
      id++;
      const packet = ipv4(UDP, `172.16.${octet(id >> 8)}.${octet(id)}`, SERVER, new Uint8Array(1000), id & 0xffff);
      new DataView(packet.buffer).setUint16(6, IP_MF);
      inject(fixed(packet));
    }
  }, () => { most = Math.max(most, frags.mem); });
  expect(most).toBeGreaterThan(bound / 2);
  expect(most).toBeLessThanOrEqual(bound + 4096);
  expect(share).toBeGreaterThan(0.9);
});

test('ICMP flood: errors stay within icmp_msgs_per_sec, what is remembered of senders is bounded, and a flow goes on', async () => {
  const { ipv4: ip } = router.net;
  let most = 0;
  let from = 0;
  const before = router.show.counters();
  // Echo requests, and packets for a port that nobody has, each from another source behind the client's router.
  const share = await honestShare(100, () => {
    for (let i = 0; i < 2; i++) {
      from++;
      const source = `10.0.${octet(from >> 8)}.${octet(from)}`;
      inject(ipv4(1, source, '10.0.0.254', icmp(8, 0, 1, 1, new Uint8Array(56))));
      inject(ipv4(UDP, source, '10.0.0.254', Uint8Array.of(0, 9, 0, 9, 0, 8, 0, 0)));
    }
  }, () => { most = Math.max(most, ip.icmpLimits.peers.size); });
  const after = router.show.counters();
  const errors = after['IcmpOutDestUnreachs'] - before['IcmpOutDestUnreachs'];
  // The burst, and so many a second (each may take up to three tokens).
  expect(errors).toBeGreaterThan(0);
  expect(errors).toBeLessThanOrEqual(50 + (1000 * DURATION) / 1000);
  expect(after['IcmpOutRateLimitGlobal']).toBeGreaterThan(0);
  expect(most).toBeLessThanOrEqual(1024);
  expect(ip.rtCache.entries).toBeLessThan(65536);
  expect(ip.arpTbl.entries).toBeLessThanOrEqual(ip.arpTbl.gcThresh3);
  expect(share).toBeGreaterThan(0.9);
});

/** The packet with its header checksum right again. */
function fixed(packet: Uint8Array): Uint8Array {
  const view = new DataView(packet.buffer);
  view.setUint16(10, 0);
  let sum = 0;
  for (let i = 0; i < 20; i += 2) sum += view.getUint16(i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  view.setUint16(10, ~sum & 0xffff);
  return packet;
}
