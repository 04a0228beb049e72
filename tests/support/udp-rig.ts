// Hosts with UDP alone, assembled layer by layer, on one simulated Ethernet: what the tests of udp and inet begin with.
import { createNet, createWorld, destroyNet, idle, type Net, type World } from '@stack/kernel';
import { installSkbuff, leakReport } from '@stack/skbuff';
import { devGetByName, devOpen, installNetdev, type NetDevice } from '@stack/netdev';
import { installNetfilter } from '@stack/netfilter';
import { installNeigh } from '@stack/neigh';
import { createSwitch, createVirtioNic, switchAttach, type Switch, type VirtioNicOptions } from '@stack/nic-virtio-sim';
import { createTask, installSocket, IPPROTO_UDP, SOCK_DGRAM, type Task } from '@stack/socket';
import { installIp, ipAddrAdd } from '@stack/ip';
import { inetDgramOps, inetRegisterProtosw, INET_PROTOSW_PERMANENT, installInet, type InetProtosw } from '@stack/inet';
import { installUdp } from '@stack/udp';
import { installUdpv4, udpProt } from '@stack/udp/ipv4';

const udpProtosw: InetProtosw = {
  type: SOCK_DGRAM,
  protocol: IPPROTO_UDP,
  prot: udpProt,
  ops: inetDgramOps,
  flags: INET_PROTOSW_PERMANENT,
};

export interface UdpHost {
  readonly net: Net;
  readonly task: Task;
  readonly dev: NetDevice;
}

export interface UdpLan {
  readonly world: World;
  readonly lan: Switch;
}

export function makeLan(): UdpLan {
  const world = createWorld({ debug: true });
  installSkbuff(world);
  return { world, lan: createSwitch(world) };
}

/** A host on the switch; `address` with its prefix length. */
export function makeHost({ world, lan }: UdpLan, name: string, address: string, options: VirtioNicOptions = {}): UdpHost {
  const net = createNet(world, { name });
  installNetdev(net);
  installNetfilter(net);
  installNeigh(net);
  installSocket(net);
  installIp(net);
  installInet(net);
  installUdp(net);
  installUdpv4(net);
  inetRegisterProtosw(net, udpProtosw);
  const lo = devGetByName(net, 'lo');
  if (lo !== null) devOpen(lo);
  const nic = createVirtioNic(net, options);
  switchAttach(lan, nic.port);
  devOpen(nic.dev);
  const err = ipAddrAdd(nic.dev, address);
  if (err !== 0) throw new Error(`ip addr add ${address}: ${err}`);
  return { net, task: createTask(net, name), dev: nic.dev };
}

/** Takes the hosts down; returns what they left behind: packets, pages. */
export async function endLan(lan: UdpLan, ...hosts: UdpHost[]): Promise<string[]> {
  await idle(lan.world);
  for (const host of hosts) destroyNet(host.net);
  return leakReport(lan.world).map((leak) => JSON.stringify(leak));
}
