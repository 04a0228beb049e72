// Multicast between hosts: who hears which group, from which source, and what the routers of the segment are told of it (IGMPv3).
import { createWorld, sleep, type World } from '@stack/kernel';
import { assertNothingOpen, createHost, virtioOn, type Host } from '@stack/host';
import { inAton, inNtoa, SockAddrIn } from '@stack/inet-sock';
import {
  IP_ADD_MEMBERSHIP, IP_ADD_SOURCE_MEMBERSHIP, IP_BLOCK_SOURCE, IP_DROP_MEMBERSHIP, IP_DROP_SOURCE_MEMBERSHIP, IP_MULTICAST_ALL, IP_MULTICAST_IF,
  IP_MULTICAST_LOOP, IP_MULTICAST_TTL, IpMreqn, IpMreqSource,
} from '@stack/ip';
import { createSwitch } from '@stack/nic-virtio-sim';
import {
  MSG_DONTWAIT, PF_INET, SO_REUSEADDR, SOCK_DGRAM, SOCK_RAW, SOL_IP, SOL_SOCKET, sysBind, sysCall, sysClose, sysRecv, sysRecvfrom, sysSendto,
  sysSetsockopt, sysSocket,
} from '@stack/socket';
import { afterEach, beforeEach, expect, test } from 'vitest';

const GROUP = '239.1.2.3';
const PORT = 5000;

let world: World;
let one: Host;
let two: Host;
let listener: Host;
let open: { host: Host; fd: number }[];

beforeEach(() => {
  world = createWorld({ seed: 1, debug: true });
  const lan = createSwitch(world);
  const make = (name: string, n: number): Host => {
    const host = createHost({ world, name, nics: [{ device: virtioOn(lan), address: `10.0.0.${n}/24` }] });
    host.addRoute({ dst: '224.0.0.0/4', dev: 'eth0' });
    return host;
  };
  [one, two, listener] = [make('one', 1), make('two', 2), make('listener', 3)];
  open = [];
});

afterEach(async () => {
  for (const { host, fd } of open) await sysClose(host.task, fd);
  for (const host of [one, two, listener]) await host.close();
  assertNothingOpen(world);
});

/** A UDP socket on PORT. */
function socket(host: Host): number {
  const fd = sysCall(sysSocket(host.task, PF_INET, SOCK_DGRAM, 0), 'socket');
  sysCall(sysSetsockopt(host.task, fd, SOL_SOCKET, SO_REUSEADDR, 1), 'reuse');
  sysCall(sysSetsockopt(host.task, fd, SOL_IP, IP_MULTICAST_ALL, 0), 'all');
  sysCall(sysBind(host.task, fd, new SockAddrIn(0, PORT)), 'bind');
  open.push({ host, fd });
  return fd;
}

const set = (host: Host, fd: number, name: number, value: number | object): number => sysCall(sysSetsockopt(host.task, fd, SOL_IP, name, value), 'setsockopt');
const any = (): IpMreqn => new IpMreqn(inAton(GROUP));
const from = (host: string): IpMreqSource => new IpMreqSource(inAton(GROUP), 0, inAton(host));

/** Sends from each host; the senders that a socket has then heard. */
async function sendAndHear(senders: readonly { host: Host; fd: number }[], listeners: readonly { host: Host; fd: number }[]): Promise<string[][]> {
  for (const { host, fd } of senders) sysCall(sysSendto(host.task, fd, new Uint8Array(10), 0, new SockAddrIn(inAton(GROUP), PORT)) as number, 'send');
  await sleep(world, 10);
  return listeners.map(({ host, fd }) => {
    const heard: string[] = [];
    const name = new SockAddrIn();
    while ((sysRecvfrom(host.task, fd, new Uint8Array(64), MSG_DONTWAIT, name) as number) >= 0) heard.push(inNtoa(name.sinAddr));
    return heard;
  });
}

test('members hear a group, from any source, from some, or from all but some; who is no member hears nothing', async () => {
  const senders = [{ host: one, fd: socket(one) }, { host: two, fd: socket(two) }];
  const listeners = Array.from({ length: 4 }, () => ({ host: listener, fd: socket(listener) }));
  set(listener, listeners[0].fd, IP_ADD_MEMBERSHIP, any());
  set(listener, listeners[1].fd, IP_ADD_SOURCE_MEMBERSHIP, from('10.0.0.1'));
  set(listener, listeners[2].fd, IP_ADD_MEMBERSHIP, any());
  set(listener, listeners[2].fd, IP_BLOCK_SOURCE, from('10.0.0.1'));
  expect(await sendAndHear(senders, listeners)).toEqual([['10.0.0.1', '10.0.0.2'], ['10.0.0.1'], ['10.0.0.2'], []]);
  set(listener, listeners[0].fd, IP_DROP_MEMBERSHIP, any());
  expect(await sendAndHear(senders, listeners)).toEqual([[], ['10.0.0.1'], ['10.0.0.2'], []]);
});

test('a sender hears itself if it is a member, unless IP_MULTICAST_LOOP is off; IP_MULTICAST_IF and TTL are as set', async () => {
  const me = { host: one, fd: socket(one) };
  const there = { host: listener, fd: socket(listener) };
  set(one, me.fd, IP_ADD_MEMBERSHIP, any());
  set(listener, there.fd, IP_ADD_MEMBERSHIP, any());
  set(one, me.fd, IP_MULTICAST_IF, new IpMreqn(0, inAton('10.0.0.1')));
  expect(await sendAndHear([me], [me, there])).toEqual([['10.0.0.1'], ['10.0.0.1']]);
  set(one, me.fd, IP_MULTICAST_LOOP, 0);
  expect(await sendAndHear([me], [me, there])).toEqual([[], ['10.0.0.1']]);
  // TTL 0: not beyond this host.
  set(one, me.fd, IP_MULTICAST_LOOP, 1);
  set(one, me.fd, IP_MULTICAST_TTL, 0);
  expect(await sendAndHear([me], [me, there])).toEqual([['10.0.0.1'], []]);
});

test('a router of the segment is told: a raw socket in 224.0.0.22 sees the reports', async () => {
  const raw = sysCall(sysSocket(two.task, PF_INET, SOCK_RAW, 2), 'socket');
  open.push({ host: two, fd: raw });
  set(two, raw, IP_ADD_MEMBERSHIP, new IpMreqn(inAton('224.0.0.22')));
  const fd = socket(listener);
  set(listener, fd, IP_ADD_SOURCE_MEMBERSHIP, from('10.0.0.1'));
  await sleep(world, 2000);
  set(listener, fd, IP_DROP_SOURCE_MEMBERSHIP, from('10.0.0.1'));
  await sleep(world, 2000);
  const records: string[] = [];
  const packet = new Uint8Array(1500);
  for (let n = sysRecv(two.task, raw, packet, MSG_DONTWAIT) as number; n > 0; n = sysRecv(two.task, raw, packet, MSG_DONTWAIT) as number) {
    const view = new DataView(packet.buffer, 0, n);
    if (inNtoa(view.getInt32(12)) === '10.0.0.3') records.push(`${packet[32]} ${inNtoa(view.getInt32(36))} ${inNtoa(view.getInt32(40))}`);
  }
  // ALLOW twice, then, with the last source gone, BLOCK twice.
  expect(records).toEqual([`5 ${GROUP} 10.0.0.1`, `5 ${GROUP} 10.0.0.1`, `6 ${GROUP} 10.0.0.1`, `6 ${GROUP} 10.0.0.1`]);
});
