/*
 * createHost(): a whole host, assembled from its layers. Each install…() gives a Net one layer; the order is the drawing
 * in docs/architecture.md, read from the bottom. To leave a layer out, or to put your own in its place, write this
 * function again without it: nothing else knows all of them.
 */
import { createNet, createWorld, destroyNet, type CtlValue, type World } from '@stack/kernel';
import { installSkbuff } from '@stack/skbuff';
import { devGetByName, devOpen, installNetdev } from '@stack/netdev';
import { installNetfilter } from '@stack/netfilter';
import { installNeigh } from '@stack/neigh';
import { createTask, installSocket } from '@stack/socket';
import { installIp } from '@stack/ip';
import { installInet, installPing, installRaw } from '@stack/inet';
import { installPacket } from '@stack/packet';
import { installTcp } from '@stack/tcp';
import { installTcpv4 } from '@stack/tcp/ipv4';
import { installUdp } from '@stack/udp';
import { installUdpv4 } from '@stack/udp/ipv4';
import { resNinit, type HostsFile, type ResolvConf } from '@stack/resolver';
import { Host } from './host.ts';
import { registerSocketKinds } from './inetsw.ts';
import type { NicOptions } from './nic.ts';

/** What a host consists of; by default a loopback device and nothing else. */
export interface HostOptions {
  /** The World that the host lives in; default one of its own, in virtual time. */
  readonly world?: World;
  /** Its name in traces, captures and reports; default `host`. */
  readonly name?: string;
  readonly nics?: readonly NicOptions[];
  /** Names and addresses, as /etc/hosts has them. */
  readonly hosts?: HostsFile;
  /** The addresses of its name servers, or all that resolv.conf(5) can say. */
  readonly dns?: readonly string[] | ResolvConf;
  /** Sysctls by the kernel's names: `{ 'net.ipv4.tcp_sack': 0 }`. */
  readonly sysctl?: Readonly<Record<string, CtlValue>>;
}

function resolvConf(dns: HostOptions['dns'] = []): ResolvConf {
  return 'length' in dns ? { nameservers: dns } : dns;
}

/** Assembles a host. Throws on a bad address, name or sysctl, and leaves nothing behind. */
export function createHost(options: HostOptions = {}): Host {
  const world = options.world ?? createWorld();
  const net = createNet(world, { name: options.name ?? 'host' });

  installSkbuff(world); //    sk_buff and its pool
  installNetdev(net); //      devices, qdiscs, NAPI, loopback
  installNetfilter(net); //   the five hooks
  installNeigh(net); //       neighbour tables
  installSocket(net); //      descriptors and system calls
  installIp(net); //          IPv4, ARP, ICMP, routes
  installPacket(net); //      PF_PACKET
  installInet(net); //        PF_INET
  installRaw(net); //         SOCK_RAW: any protocol over IPv4
  installPing(net); //        ICMP echo without privilege
  installTcp(net); //         TCP, and TCP over IPv4
  installTcpv4(net);
  installUdp(net); //         UDP, and UDP over IPv4
  installUdpv4(net);
  registerSocketKinds(net); // SOCK_STREAM is TCP, SOCK_DGRAM is UDP, SOCK_RAW is raw

  const task = createTask(net, 'init');
  try {
    const host = new Host(net, task, resNinit(task, resolvConf(options.dns), options.hosts)); // names
    for (const [name, value] of Object.entries(options.sysctl ?? {})) host.sysctl(name, value);
    const lo = devGetByName(net, 'lo');
    if (lo !== null) devOpen(lo);
    for (const nic of options.nics ?? []) host.addNic(nic);
    return host;
  } catch (error) {
    destroyNet(net);
    throw error;
  }
}
