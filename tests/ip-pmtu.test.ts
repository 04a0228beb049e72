// The MTU of a path, as a user of a socket meets it: two hosts and a router whose further link takes 1,280 octets.
import { EAGAIN, EMSGSIZE, createWorld, idle, sleep, type World } from '@stack/kernel';
import { assertNothingOpen, createHost, virtioOn, type Host } from '@stack/host';
import { inAton, IP_PMTUDISC_DO, IP_PMTUDISC_PROBE, SockAddrIn } from '@stack/inet-sock';
import { IP_MTU, IP_MTU_DISCOVER, IP_RECVERR } from '@stack/ip';
import { devGetByName, devSetMtu } from '@stack/netdev';
import { createSwitch } from '@stack/nic-virtio-sim';
import {
  makeMsgHdr, MSG_ERRQUEUE, PF_INET, SO_ERROR, SOCK_DGRAM, SOL_IP, SOL_SOCKET, sysBind, sysCall, sysClose, sysConnect, sysGetsockopt, sysRecv,
  sysRecvmsg, sysSend, sysSetsockopt, sysSocket,
} from '@stack/socket';
import { NF_ACCEPT, NF_DROP, NF_INET_LOCAL_OUT, NFPROTO_IPV4, nfRegisterNetHook, type NfHookOps } from '@stack/netfilter';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

let world: World;
let near: Host;
let router: Host;
let far: Host;
let fd: number;
let sink: number;

beforeEach(async () => {
  world = createWorld({ seed: 1, debug: true });
  const [a, b] = [createSwitch(world), createSwitch(world)];
  near = createHost({ world, name: 'near', nics: [{ device: virtioOn(a), address: '10.0.0.1/24', gateway: '10.0.0.254' }] });
  router = createHost({
    world, name: 'router', sysctl: { 'net.ipv4.ip_forward': 1 },
    nics: [{ device: virtioOn(a), address: '10.0.0.254/24' }, { device: virtioOn(b), address: '10.1.0.254/24' }],
  });
  far = createHost({ world, name: 'far', nics: [{ device: virtioOn(b), address: '10.1.0.1/24', gateway: '10.1.0.254' }] });
  const narrow = devGetByName(router.net, 'eth1');
  if (narrow === null) throw new Error('no eth1');
  sysCall(devSetMtu(narrow, 1280), 'mtu');
  sink = sysCall(sysSocket(far.task, PF_INET, SOCK_DGRAM, 0), 'socket');
  sysCall(sysBind(far.task, sink, new SockAddrIn(0, 7)), 'bind');
  fd = sysCall(sysSocket(near.task, PF_INET, SOCK_DGRAM, 0), 'socket');
  sysCall(await sysConnect(near.task, fd, new SockAddrIn(inAton('10.1.0.1'), 7)), 'connect');
});

afterEach(async () => {
  if (!near.closed) await sysClose(near.task, fd);
  if (!far.closed) await sysClose(far.task, sink);
  for (const host of [near, router, far]) await host.close();
  assertNothingOpen(world);
});

const set = (name: number, value: number): unknown => sysSetsockopt(near.task, fd, SOL_IP, name, value);
const pathMtu = (): unknown => sysGetsockopt(near.task, fd, SOL_IP, IP_MTU);
const send = (length: number): number => sysSend(near.task, fd, new Uint8Array(length), 0) as number;

test('RFC 1191: the first large datagram finds the MTU, the next ones are cut to it', async () => {
  expect(pathMtu()).toBe(1500);
  expect(send(1400)).toBe(1400);
  await idle(world);
  // It was lost, and the router has said why.
  expect(pathMtu()).toBe(1280);
  sysGetsockopt(near.task, fd, SOL_SOCKET, SO_ERROR);
  expect(send(1400)).toBe(1400);
  expect(await sysRecv(far.task, sink, new Uint8Array(2000), 0)).toBe(1400);
  expect(near.show.counters()['IpFragCreates']).toBe(2);
});

test('IP_MTU_DISCOVER DO with IP_RECVERR: the queue of errors names the MTU, then larger sends are -EMSGSIZE', async () => {
  set(IP_MTU_DISCOVER, IP_PMTUDISC_DO);
  set(IP_RECVERR, 1);
  expect(send(1400)).toBe(1400);
  await idle(world);
  const error = (): object | number | undefined => {
    const msg = makeMsgHdr([new Uint8Array(64)], new SockAddrIn());
    msg.msgControl = [];
    msg.msgControllen = 4;
    const n = sysRecvmsg(near.task, fd, msg, MSG_ERRQUEUE) as number;
    return n < 0 ? n : (msg.msgControl[0]?.cmsgData as object);
  };
  expect(error()).toMatchObject({ eeErrno: EMSGSIZE, eeOrigin: 2, eeType: 3, eeCode: 4, eeInfo: 1280, offender: inAton('10.0.0.254') });
  sysGetsockopt(near.task, fd, SOL_SOCKET, SO_ERROR);
  expect(send(1253)).toBe(-EMSGSIZE);
  expect(error()).toMatchObject({ eeErrno: EMSGSIZE, eeOrigin: 1, eeInfo: 1280 });
  expect(error()).toBe(-EAGAIN);
  expect(send(1252)).toBe(1252);
  expect(await sysRecv(far.task, sink, new Uint8Array(2000), 0)).toBe(1252);
});

test('IP_MTU_DISCOVER PROBE goes by the device alone', async () => {
  set(IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
  expect(send(1400)).toBe(1400);
  await idle(world);
  sysGetsockopt(near.task, fd, SOL_SOCKET, SO_ERROR);
  expect(send(1400)).toBe(1400);
  expect(send(1473)).toBe(-EMSGSIZE);
  await idle(world);
});

test('what was found holds for one destination, and for mtu_expires', async () => {
  near.sysctl('net.ipv4.route.mtu_expires', 60);
  send(1400);
  await idle(world);
  expect(pathMtu()).toBe(1280);
  const other = sysCall(sysSocket(near.task, PF_INET, SOCK_DGRAM, 0), 'socket');
  await sysConnect(near.task, other, new SockAddrIn(inAton('10.1.0.2'), 7));
  expect(sysGetsockopt(near.task, other, SOL_IP, IP_MTU)).toBe(1500);
  await sysClose(near.task, other);
  await sleep(world, 61_000);
  expect(pathMtu()).toBe(1500);
});

test('min_pmtu: the path is not believed to be narrower, and packets of that size may be cut on the way', async () => {
  near.sysctl('net.ipv4.route.min_pmtu', 1400);
  send(1400);
  await idle(world);
  expect(pathMtu()).toBe(1400);
  sysGetsockopt(near.task, fd, SOL_SOCKET, SO_ERROR);
  send(1400);
  expect(await sysRecv(far.task, sink, new Uint8Array(2000), 0)).toBe(1400);
  expect(router.show.counters()['IpFragCreates']).toBeGreaterThan(0);
});

test('a locked mtu of the route is not lowered', async () => {
  near.addRoute({ dst: '10.1.0.1', gateway: '10.0.0.254', mtu: 1450, mtuLock: true });
  await sysConnect(near.task, fd, new SockAddrIn(inAton('10.1.0.1'), 7));
  send(1400);
  expect(await sysRecv(far.task, sink, new Uint8Array(2000), 0)).toBe(1400);
  expect(pathMtu()).toBe(1450);
});

describe('a black hole: the router says nothing of what it drops', () => {
  /** What has arrived at far of 20,000 octets over TCP after two minutes. */
  async function transfer(): Promise<number> {
    const mute: NfHookOps = {
      pf: NFPROTO_IPV4, hooknum: NF_INET_LOCAL_OUT, priority: 0, hook: (_priv, skb) => (skb.view.getUint8(skb.networkHeader + 9) === 1 ? NF_DROP : NF_ACCEPT),
    };
    sysCall(nfRegisterNetHook(router.net, mute), 'nf_register_net_hook');
    // The server's segments of 1,460 octets would fit its own link.
    const listener = far.listen({ port: 80 });
    const connection = await near.connect({ host: '10.1.0.1', port: 80 });
    let got = 0;
    const reading = (async () => {
      for await (const peer of listener) {
        for await (const chunk of peer.readable) got += chunk.length;
      }
    })();
    const writer = connection.writable.getWriter();
    const writing = writer.write(new Uint8Array(20_000));
    await sleep(world, 120_000);
    // Both ends are torn down with their hosts.
    await Promise.all([near.close(), far.close()]);
    await Promise.allSettled([reading, writing]);
    return got;
  }

  test('RFC 4821 §7.7: with tcp_mtu_probing smaller segments find the way', async () => {
    near.sysctl('net.ipv4.tcp_mtu_probing', 1);
    expect(await transfer()).toBe(20_000);
  });

  test('without it nothing large arrives', async () => {
    expect(await transfer()).toBe(0);
  });
});
