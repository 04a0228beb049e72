// A small network whose every traced call is recorded, for the branches of the path that one host alone does not have:
// client (10.0.0.1) and two routers (.254, .253) on one segment, server (10.1.0.1) on a second behind both.
import { createWorld, idle, type Net, type TracedPacket, type World } from '@stack/kernel';
import { assertNothingOpen, createHost, virtioOn, type Host } from '@stack/host';
import { inAton, SockAddrIn } from '@stack/inet-sock';
import { NF_ACCEPT, NF_DROP, NFPROTO_IPV4, nfRegisterNetHook, type NfHookOps } from '@stack/netfilter';
import { createSwitch } from '@stack/nic-virtio-sim';
import {
  PF_INET, SO_BROADCAST, SOCK_DGRAM, SOL_IP, SOL_SOCKET, sysBind, sysCall, sysClose, sysSendto, sysSetsockopt, sysSocket,
} from '@stack/socket';

export const CLIENT = '10.0.0.1';
export const SERVER = '10.1.0.1';
export const PORT = 7;

/** One call: the host, the function, the packet (-1 without one), its octets. */
export interface IpCall {
  readonly host: string;
  readonly fn: string;
  readonly id: number;
  readonly len: number;
}

export interface IpHouse {
  readonly world: World;
  readonly client: Host;
  readonly router: Host;
  /** Has a way to the server too. */
  readonly other: Host;
  readonly server: Host;
  /** A bound UDP socket of the client, and one of the server on PORT. */
  readonly fd: number;
  readonly sink: number;
  /** What was passed since the last call. */
  take(): IpCall[];
  /** Sends a datagram of `length` octets from the client and waits until nothing is under way. Returns what the call said. */
  send(to: string, length?: number): Promise<number>;
  close(): Promise<void>;
}

/** Builds it. Routes and neighbours are known once a datagram has gone each way: see warm(). */
export function ipHouse(): IpHouse {
  const world = createWorld({ seed: 1, debug: true });
  const [near, far] = [createSwitch(world), createSwitch(world)];
  const forward = { 'net.ipv4.ip_forward': 1 };
  const client = createHost({ world, name: 'client', nics: [{ device: virtioOn(near), address: `${CLIENT}/24`, gateway: '10.0.0.254' }] });
  const make = (name: string, n: number): Host => createHost({
    world, name, sysctl: forward, nics: [{ device: virtioOn(near), address: `10.0.0.${n}/24` }, { device: virtioOn(far), address: `10.1.0.${n}/24` }],
  });
  const router = make('router', 254);
  const other = make('other', 253);
  const server = createHost({ world, name: 'server', nics: [{ device: virtioOn(far), address: `${SERVER}/24`, gateway: '10.1.0.254' }] });
  const hosts = [client, router, other, server];
  const calls: IpCall[] = [];
  const hit = (net: Net, fn: string, packet: TracedPacket | null): void => {
    calls.push({ host: net.name, fn, id: packet === null ? -1 : packet.id, len: packet === null ? 0 : packet.len });
  };
  for (const host of hosts) host.net.trace = { hit };
  const fd = udp(client, 1000);
  const sink = udp(server, PORT);
  return {
    world, client, router, other, server, fd, sink,
    take: () => calls.splice(0),
    send: async (to, length = 60) => {
      const n = sysSendto(client.task, fd, new Uint8Array(length), 0, new SockAddrIn(inAton(to), PORT)) as number;
      await idle(world);
      return n;
    },
    close: async () => {
      await sysClose(client.task, fd);
      await sysClose(server.task, sink);
      for (const host of hosts) await host.close();
      assertNothingOpen(world);
    },
  };
}

/** A UDP socket of `host` bound to `port`, which may send to all. */
export function udp(host: Host, port: number): number {
  const fd = sysCall(sysSocket(host.task, PF_INET, SOCK_DGRAM, 0), 'socket');
  sysCall(sysBind(host.task, fd, new SockAddrIn(0, port)), 'bind');
  sysCall(sysSetsockopt(host.task, fd, SOL_SOCKET, SO_BROADCAST, 1), 'setsockopt');
  return fd;
}

/** Sets an option at SOL_IP of the client's socket. */
export function setIp({ client, fd }: IpHouse, name: number, value: number | object): void {
  sysCall(sysSetsockopt(client.task, fd, SOL_IP, name, value), 'setsockopt');
}

/** The functions of IP and below that `host` passed, in order. */
export function passed(calls: readonly IpCall[], host: string): string[] {
  return calls.filter((call) => call.host === host && call.id >= 0).map((call) => call.fn);
}

/** A hook that drops UDP at `hooknum` of a host. */
export function dropAt(net: Net, hooknum: number): void {
  const ops: NfHookOps = {
    pf: NFPROTO_IPV4, hooknum, priority: 0, hook: (_priv, skb) => skb.view.getUint8(skb.networkHeader + 9) === 17 ? NF_DROP : NF_ACCEPT,
  };
  sysCall(nfRegisterNetHook(net, ops), 'nf_register_net_hook');
}
