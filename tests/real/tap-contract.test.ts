// The contract of NetDeviceOps on real TAPs: two of them, each with a host of ours, joined by Linux's bridge in a namespace.
//
// The contract waits for nothing but `settle`: it lets b's driver look for frames, as the interrupt would, until none has come for
// a while. Time is virtual, since a rule runs within one turn of the event loop, whose share of real time softirqs would use up.
// Two TUNs cannot be joined so: their packets would take Linux's routes, and the contract's have no addresses.
import { existsSync } from 'node:fs';
import { createNet, createWorld, interrupt, type Net, type World } from '@stack/kernel';
import { installNetdev, napiSchedule, netifRunning, type NapiStruct, type NetDevice } from '@stack/netdev';
import { netDeviceContract, type DevicePair } from '@stack/netdev/contract';
import { openTap } from '@stack/nic-tap';
import { installSkbuff } from '@stack/skbuff';
import { afterEach, beforeEach, describe, test } from 'vitest';
import { createNetns, deleteNetns, describeReal, ip, nsIp, nsIpJson, nsWriteSysctl, type Netns } from '../support/netns.ts';

/** Without a frame for so long, none is on its way: the bridge forwards within the writev() that sends. */
const QUIET_MS = 20;

let ns: Netns;
let ports = 0;
const sleeper = new Int32Array(new SharedArrayBuffer(4));

function sleep(ms: number): void {
  Atomics.wait(sleeper, 0, 0, ms);
}

function host(world: World, name: string): Net {
  const net = createNet(world, { name });
  installNetdev(net);
  return net;
}

/** A port of the bridge `br0`. Its name is that of this process, for it begins outside the namespace. */
function port(net: Net, offloads: boolean): NetDevice {
  const dev = openTap(net, { name: `s${process.pid}n${++ports}`.slice(-15), offloads });
  ip('link', 'set', dev.name, 'netns', ns.name);
  nsIp(ns, 'link', 'set', dev.name, 'txqueuelen', '4096', 'master', 'br0', 'up');
  return dev;
}

/** True once both ports forward. */
function forwards(): boolean {
  const found = nsIpJson(ns, '-d', 'link', 'show', 'master', 'br0') as { linkinfo?: { info_slave_data?: { state?: string } } }[];
  return found.every(({ linkinfo }) => linkinfo?.info_slave_data?.state === 'forwarding');
}

function lookForFrames(dev: NetDevice): void {
  const { napi } = dev.priv as { napi: NapiStruct | null };
  if (napi !== null && netifRunning(dev)) napiSchedule(napi);
}

function settle(dev: NetDevice): void {
  for (let quiet = 0; quiet < QUIET_MS; quiet++) {
    const before = dev.stats.rxPackets;
    interrupt(dev.net, lookForFrames, dev);
    if (dev.stats.rxPackets !== before) quiet = 0;
    sleep(1);
  }
}

function makePair(offloadsA: boolean, offloadsB: boolean): DevicePair {
  const world = createWorld({ debug: true });
  installSkbuff(world);
  const [a, b] = [port(host(world, 'a'), offloadsA), port(host(world, 'b'), offloadsB)];
  for (let tries = 0; !forwards(); tries++) {
    if (tries === 200) throw new Error('the bridge does not forward after two seconds');
    sleep(10);
  }
  return { a, b, settle: () => settle(b) };
}

describeReal('nic-tap keeps the contract of NetDeviceOps', () => {
  beforeEach(() => {
    ns = createNetns('tap-contract');
    nsIp(ns, 'link', 'add', 'br0', 'type', 'bridge', 'forward_delay', '0', 'mcast_snooping', '0');
    // Where br_netfilter is loaded, a bridge shows packets to iptables: the contract's have no proper IP header.
    if (existsSync('/proc/sys/net/bridge')) nsWriteSysctl(ns, 'net.bridge.bridge-nf-call-iptables', '0');
    nsIp(ns, 'link', 'set', 'br0', 'up');
  });

  afterEach(() => deleteNetns(ns));

  describe.each([['with offloads', true, true], ['without', false, false], ['from with to without', true, false]])('%s', (_what, a, b) => {
    for (const { name, run } of netDeviceContract) test(name, () => run(() => makePair(a, b)));
  });
});
