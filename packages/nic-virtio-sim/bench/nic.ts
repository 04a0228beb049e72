// What a packet costs between one host's dev_queue_xmit and the other's packet_type: qdisc, driver, ring, wire, ring, NAPI.
//
// Nothing above the device layer is there: sk_buffs are made here, and freed by a packet_type. Nanoseconds of CPU time
// per packet (the making and freeing counted in), best and median of the rounds.

import { createNet, createWorld, worldEnter, worldLeave, type Net } from '@stack/kernel';
import { realClock } from '@stack/kernel/real-clock';
import { ETH_P_IP, devAddPack, devOpen, devQueueXmit, installNetdev, type NetDevice, type PacketType } from '@stack/netdev';
import { allocSkb, consumeSkb, installSkbuff, skbPut, skbReserve, type SkBuff } from '@stack/skbuff';
import { connect, createPlainNic, createSwitch, createVirtioNic, switchAttach, type Port } from '@stack/nic-virtio-sim';

const world = createWorld({ clock: realClock(), seed: 1 });
installSkbuff(world);

let received = 0;
function sink(skb: SkBuff): number {
  received++;
  consumeSkb(skb);
  return 0;
}
const sinkType: PacketType = { type: ETH_P_IP, dev: null, func: sink, afPacketPriv: null };

interface End { dev: NetDevice; port: Port }

function host(name: string, make: (net: Net) => End): End {
  const net = createNet(world, { name });
  installNetdev(net);
  devAddPack(net, sinkType);
  return make(net);
}

function up(end: End): void {
  worldEnter(world);
  devOpen(end.dev);
  worldLeave(world);
}

/** Sends `count` frames of `len` octets from a to b, `burst` per entry of the stack. Returns ns per frame. */
async function flow(a: End, b: End, len: number, count: number, burst: number): Promise<number> {
  const net = a.dev.net;
  const before = received;
  const start = process.cpuUsage();
  for (let sent = 0; sent < count; sent += burst) {
    worldEnter(world);
    for (let i = 0; i < burst; i++) {
      const skb = allocSkb(net, len + 128)!;
      skbReserve(skb, 128);
      const at = skbPut(skb, len);
      skb.view.setInt32(at, b.dev.devAddrHi);
      skb.view.setUint16(at + 4, b.dev.devAddrLo);
      skb.view.setInt32(at + 6, a.dev.devAddrHi);
      skb.view.setUint16(at + 10, a.dev.devAddrLo);
      skb.view.setUint16(at + 12, ETH_P_IP);
      skb.protocol = ETH_P_IP;
      skb.dev = a.dev;
      skb.networkHeader = skb.data + 14;
      devQueueXmit(skb);
    }
    worldLeave(world);
    // The budget of a turn is spent: the stack goes on in one of its own.
    while (world.spent) await new Promise((resolve) => setImmediate(resolve));
  }
  while (received - before < count) await new Promise((resolve) => setImmediate(resolve));
  const spent = process.cpuUsage(start);
  const ns = ((spent.user + spent.system) * 1000) / count;
  if (received - before !== count) throw new Error(`${received - before} of ${count} frames came`);
  return ns;
}

const cases: [name: string, a: End, b: End][] = [];
function addCase(name: string, make: (net: Net) => End, viaSwitch: boolean): void {
  const a = host(`${name}-a`, make);
  const b = host(`${name}-b`, make);
  if (viaSwitch) {
    const sw = createSwitch(world);
    switchAttach(sw, a.port);
    switchAttach(sw, b.port);
  } else {
    connect(a.port, b.port);
  }
  up(a);
  up(b);
  cases.push([name, a, b]);
}
addCase('virtio, wire', (net) => createVirtioNic(net), false);
addCase('virtio without offloads, wire', (net) => createVirtioNic(net, { offloads: false }), false);
addCase('virtio, switch', (net) => createVirtioNic(net), true);
addCase('virtio, queue 64, wire', (net) => createVirtioNic(net, { queueSize: 64 }), false);
addCase('plain, wire', (net) => createPlainNic(net), false);

const ROUNDS = 7;
const only = process.argv.find((arg) => arg.startsWith('--only='))?.slice(7);
const rows: { case: string; len: number; burst: number; best: number; median: number }[] = [];
for (const [name, a, b] of cases) {
  if (only !== undefined && name !== only) continue;
  for (const [len, burst, count] of [[60, 1, 200000], [60, 32, 200000], [1514, 1, 200000], [1514, 32, 200000], [65000, 4, 20000]] as const) {
    if (len > 1514 && name !== 'virtio, wire') continue;
    const ns: number[] = [];
    for (let r = 0; r < ROUNDS; r++) ns.push(await flow(a, b, len, count, burst));
    ns.sort((x, y) => x - y);
    rows.push({ case: name, len, burst, best: Math.round(ns[0]!), median: Math.round(ns[3]!) });
  }
}
if (process.argv.includes('--json')) console.log(JSON.stringify(rows));
else console.table(rows);
