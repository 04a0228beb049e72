// The path, all branches of IP: a packet that is forwarded, turned round, sent to many, dropped at a hook, cut and put together,
// or redirected passes the functions of the chapter's figures, in their order, and no others.
import { EPERM, idle } from '@stack/kernel';
import { inAton } from '@stack/inet-sock';
import { IP_ADD_MEMBERSHIP, IP_MTU_DISCOVER, IP_MULTICAST_ALL, IP_MULTICAST_LOOP, IP_TTL, IpMreqn } from '@stack/ip';
import { devGetByName, devSetMtu } from '@stack/netdev';
import { NF_INET_FORWARD, NF_INET_LOCAL_IN, NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING, NF_INET_PRE_ROUTING } from '@stack/netfilter';
import { SOL_IP, sysCall, sysClose, sysSetsockopt } from '@stack/socket';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ARRIVES, COMES_BACK, DELIVERED, FORWARDED, LINK, LOOPED, MADE_HERE, OUTPUT, OUTPUT_TO_MANY } from './support/figures-ip.ts';
import { CLIENT, dropAt, ipHouse, passed, PORT, SERVER, setIp, udp, type IpCall, type IpHouse } from './support/path-ip-house.ts';

let house: IpHouse;

beforeEach(async () => {
  house = ipHouse();
  // Routes, neighbours and headers are known from here on.
  await house.send(SERVER);
  house.take();
});
afterEach(() => house.close());

const QUEUED = 'sk_receive_queue';

/** Sends once for what can be cached, then again: what is passed the second time. */
async function second(to: string, length?: number): Promise<IpCall[]> {
  await house.send(to, length);
  house.take();
  await house.send(to, length);
  return house.take();
}

describe('forwarded', () => {
  test('made here, passed on by a router, delivered', async () => {
    const calls = await second(SERVER);
    expect(passed(calls, 'client')).toEqual([...MADE_HERE, ...OUTPUT, ...LINK]);
    expect(passed(calls, 'router')).toEqual([...ARRIVES, ...FORWARDED, ...OUTPUT, ...LINK]);
    expect(passed(calls, 'server')).toEqual([...ARRIVES, ...DELIVERED, QUEUED]);
    expect(passed(calls, 'other')).toEqual([]);
  });

  test('without a way on: ip_error tells the sender', async () => {
    const calls = await second('192.0.2.1');
    const path = [...ARRIVES, 'ip_error', 'icmp_send', ...MADE_HERE, ...OUTPUT, 'ip_finish_output2'];
    expect(passed(calls, 'router').slice(0, path.length)).toEqual(path);
  });

  test('the TTL has run out: ip_forward tells the sender, and no hook sees the packet', async () => {
    sysCall(sysSetsockopt(house.client.task, house.fd, SOL_IP, IP_TTL, 1), 'ttl');
    await house.send(SERVER);
    expect(passed(house.take(), 'router').slice(0, ARRIVES.length + 2)).toEqual([...ARRIVES, 'ip_forward', 'icmp_send']);
  });
});

describe('made here and for us', () => {
  test.each(['127.0.0.1', CLIENT])('%s: the loopback device turns it round, its route still on it', async (to) => {
    const own = udp(house.client, PORT);
    const calls = await second(to);
    await sysClose(house.client.task, own);
    expect(passed(calls, 'client')).toEqual([...MADE_HERE, ...OUTPUT, ...LINK, ...LOOPED, ...COMES_BACK, ...DELIVERED, QUEUED]);
    expect([...passed(calls, 'router'), ...passed(calls, 'server')]).toEqual([]);
  });
});

describe('to many', () => {
  test.each(['10.0.0.255', '255.255.255.255'])('broadcast to %s: it leaves, and a copy comes back', async (to) => {
    if (to === '255.255.255.255') house.client.addRoute({ dst: '255.255.255.255', dev: 'eth0' });
    const calls = await second(to);
    expect(passed(calls, 'client')).toEqual([...MADE_HERE, ...OUTPUT_TO_MANY, ...LINK, ...COMES_BACK, ...DELIVERED]);
    for (const host of ['router', 'other']) expect(passed(calls, host)).toEqual([...ARRIVES, ...DELIVERED]);
    expect(passed(calls, 'server')).toEqual([]);
  });

  test('multicast: members hear it, others drop it when they ask for its route', async () => {
    const group = inAton('239.1.2.3');
    setIp(house, IP_MULTICAST_ALL, 0);
    const member = udp(house.other, PORT);
    sysCall(sysSetsockopt(house.other.task, member, SOL_IP, IP_ADD_MEMBERSHIP, new IpMreqn(group, inAton('10.0.0.253'))), 'join');
    const calls = await second('239.1.2.3');
    expect(passed(calls, 'client')).toEqual([...MADE_HERE, ...OUTPUT, ...LINK]);
    expect(passed(calls, 'other')).toEqual([...ARRIVES, ...DELIVERED, QUEUED]);
    expect(passed(calls, 'router')).toEqual([...ARRIVES.slice(0, -1), 'kfree_skb']);
    await sysClose(house.other.task, member);
  });

  test('multicast to a group that we are in: a copy comes back, unless IP_MULTICAST_LOOP is off', async () => {
    setIp(house, IP_ADD_MEMBERSHIP, new IpMreqn(inAton('239.1.2.3'), inAton(CLIENT)));
    const calls = await second('239.1.2.3');
    expect(passed(calls, 'client')).toEqual([...MADE_HERE, ...OUTPUT_TO_MANY, ...LINK, ...COMES_BACK, ...DELIVERED]);
    setIp(house, IP_MULTICAST_LOOP, 0);
    await house.send('239.1.2.3');
    expect(passed(house.take(), 'client')).toEqual([...MADE_HERE, 'ip_mc_output', 'ip_finish_output', 'NF_INET_POST_ROUTING', ...LINK]);
  });
});

describe('dropped at a hook: nothing is passed behind it', () => {
  const out = [...MADE_HERE, ...OUTPUT, ...LINK];
  const through = [...ARRIVES, ...FORWARDED, ...OUTPUT, ...LINK];
  const cases: readonly (readonly [string, 'client' | 'router' | 'server', number, readonly string[]])[] = [
    ['LOCAL_OUT', 'client', NF_INET_LOCAL_OUT, MADE_HERE.slice(0, 1)],
    ['POST_ROUTING, made here', 'client', NF_INET_POST_ROUTING, [...MADE_HERE, ...OUTPUT]],
    ['PRE_ROUTING', 'router', NF_INET_PRE_ROUTING, ARRIVES.slice(0, 4)],
    ['FORWARD', 'router', NF_INET_FORWARD, [...ARRIVES, ...FORWARDED.slice(0, 2)]],
    ['POST_ROUTING, forwarded', 'router', NF_INET_POST_ROUTING, [...ARRIVES, ...FORWARDED, ...OUTPUT]],
    ['LOCAL_IN', 'server', NF_INET_LOCAL_IN, [...ARRIVES, ...DELIVERED.slice(0, 2)]],
  ];
  test.each(cases)('%s', async (_name, host, hooknum, path) => {
    dropAt(house[host].net, hooknum);
    const said = await house.send(SERVER);
    const calls = house.take();
    expect(said).toBe(hooknum === NF_INET_LOCAL_OUT || (host === 'client' && hooknum === NF_INET_POST_ROUTING) ? -EPERM : 60);
    const before = { client: [], router: ['client'], server: ['client', 'router'] }[host];
    for (const passedOn of before) expect(passed(calls, passedOn)).toEqual(passedOn === 'client' ? out : through);
    expect(passed(calls, host)).toEqual([...path, 'kfree_skb']);
    const behind = { client: ['router', 'server'], router: ['server'], server: [] }[host];
    expect(behind.flatMap((name) => passed(calls, name))).toEqual([]);
  });
});

describe('cut and put together', () => {
  const each = <T>(n: number, path: readonly T[]): T[] => Array.from({ length: n }, () => path).flat();

  test('by the sender: POST_ROUTING sees the whole, the link the pieces; LOCAL_IN sees the whole again', async () => {
    const calls = await second(SERVER, 3000);
    expect(passed(calls, 'client')).toEqual([...MADE_HERE, ...OUTPUT, 'ip_fragment', ...each(3, LINK)]);
    expect(passed(calls, 'router')).toEqual(each(3, [...ARRIVES, ...FORWARDED, ...OUTPUT, ...LINK]));
    const piece = [...ARRIVES, 'ip_local_deliver', 'ip_defrag'];
    expect(passed(calls, 'server')).toEqual([...each(3, piece), 'ip_frag_reasm', ...DELIVERED.slice(1), QUEUED]);
  });

  test('by a router whose next link is narrower', async () => {
    const narrow = devGetByName(house.router.net, 'eth1');
    sysCall(narrow === null ? -1 : devSetMtu(narrow, 600), 'mtu');
    setIp(house, IP_MTU_DISCOVER, 0);
    const calls = await second(SERVER, 1000);
    expect(passed(calls, 'client')).toEqual([...MADE_HERE, ...OUTPUT, ...LINK]);
    expect(passed(calls, 'router')).toEqual([...ARRIVES, ...FORWARDED, ...OUTPUT, 'ip_fragment', ...each(2, LINK)]);
    expect(passed(calls, 'server').filter((fn) => fn.startsWith('ip_frag') || fn === QUEUED)).toEqual(['ip_frag_reasm', QUEUED]);
  });

  test('DF and a narrower link: ip_forward tells the sender, and no hook sees it', async () => {
    const narrow = devGetByName(house.router.net, 'eth1');
    sysCall(narrow === null ? -1 : devSetMtu(narrow, 600), 'mtu');
    await house.send(SERVER, 60);
    house.take();
    await house.send(SERVER, 1000);
    const calls = house.take();
    expect(passed(calls, 'router').slice(0, ARRIVES.length + 2)).toEqual([...ARRIVES, 'ip_forward', 'icmp_send']);
    expect(passed(calls, 'client').slice(0, 8)).toEqual([...MADE_HERE, ...OUTPUT, ...LINK]);
    expect(passed(calls, 'server')).toEqual([]);
  });
});

test('redirected: the router passes the packet on and names the better gateway, which the next packet takes', async () => {
  house.router.addRoute({ dst: SERVER, gateway: '10.0.0.253' });
  await house.send('10.0.0.253');
  house.take();
  await house.send(SERVER);
  await idle(house.world);
  const first = house.take();
  const router = passed(first, 'router');
  expect(router.slice(0, ARRIVES.length + 3)).toEqual([...ARRIVES, 'ip_forward', 'ip_rt_send_redirect', 'icmp_send']);
  expect(router.filter((fn) => fn === 'ip_forward_finish')).toHaveLength(1);
  expect(passed(first, 'client')).toContain('ip_do_redirect');
  expect(passed(first, 'server')).toContain(QUEUED);
  await house.send(SERVER);
  const next = house.take();
  expect(passed(next, 'router')).toEqual([]);
  expect(passed(next, 'other')).toEqual([...ARRIVES, ...FORWARDED, ...OUTPUT, ...LINK]);
  expect(passed(next, 'server')).toContain(QUEUED);
});
