// Hosts behind a router that changes addresses: clients on 10.0.0.0/24, a router that is 10.0.0.1 and 192.0.2.1, and a server,
// 192.0.2.2, that knows no way to 10.0.0.0/24.
import { installConntrack, installIpTables, installNat, type IptRule } from '@stack/conntrack';
import { assertNothingOpen, createHost, virtioOn, type Connection, type Host } from '@stack/host';
import { inAton, inNtoa, SockAddrIn } from '@stack/inet-sock';
import { createWorld, idle, type CtlValue, type World } from '@stack/kernel';
import { createSwitch, type Switch } from '@stack/nic-virtio-sim';
import { MSG_DONTWAIT, PF_INET, SOCK_DGRAM, sysBind, sysCall, sysRecvfrom, sysSendto, sysSocket } from '@stack/socket';

export const CLIENT = '10.0.0.2';
export const LAN = '10.0.0.1';
export const WAN = '192.0.2.1';
export const SERVER = '192.0.2.2';

export interface NatHouse {
  readonly world: World;
  readonly inside: Switch;
  readonly outside: Switch;
  readonly client: Host;
  readonly router: Host;
  readonly server: Host;
  /** Hosts to close besides. */
  readonly more: Host[];
  readonly close: () => Promise<void>;
}

export interface NatHouseOptions {
  readonly rules?: readonly IptRule[];
  /** Of the router. */
  readonly sysctl?: Readonly<Record<string, CtlValue>>;
  /** Whether the pool notes who made each sk_buff; default true. It costs more than all the rest. */
  readonly debug?: boolean;
}

/** Everything that leaves the router for the server's network comes from the router. */
export const masquerade: IptRule = { table: 'nat', chain: 'postrouting', oif: 'eth1', verdict: 'masquerade' };

export function natHouse({ rules = [masquerade], sysctl = {}, debug = true }: NatHouseOptions = {}): NatHouse {
  const world = createWorld({ seed: 1, debug });
  const [inside, outside] = [createSwitch(world), createSwitch(world)];
  const client = createHost({ world, name: 'client', nics: [{ device: virtioOn(inside), address: `${CLIENT}/24`, gateway: LAN }] });
  const router = createHost({
    world, name: 'router', sysctl: { 'net.ipv4.ip_forward': 1 },
    nics: [{ device: virtioOn(inside), address: `${LAN}/24` }, { device: virtioOn(outside), address: `${WAN}/24` }],
  });
  const server = createHost({ world, name: 'server', nics: [{ device: virtioOn(outside), address: `${SERVER}/24` }] });
  installConntrack(router.net);
  installNat(router.net);
  installIpTables(router.net, rules);
  for (const [name, value] of Object.entries(sysctl)) router.sysctl(name, value);
  const more: Host[] = [];
  const close = async (): Promise<void> => {
    for (const host of [client, server, ...more, router]) await host.close();
    if (router.net.ct.count !== 0) throw new Error(`${router.net.ct.count} connections are left`);
    if (world.panics.length > 0) throw new Error(String(world.panics[0]?.error));
    assertNothingOpen(world);
  };
  return { world, inside, outside, client, router, server, more, close };
}

/** Another host of the inner network. */
export function addClient(house: NatHouse, address: string): Host {
  const host = createHost({
    world: house.world, name: `client-${address}`, nics: [{ device: virtioOn(house.inside), address: `${address}/24`, gateway: LAN }],
  });
  house.more.push(host);
  return host;
}

/** A UDP socket, bound to a port unless that is 0. */
export function udpOpen(host: Host, port = 0): number {
  const fd = sysCall(sysSocket(host.task, PF_INET, SOCK_DGRAM, 0), 'socket');
  if (port !== 0) sysCall(sysBind(host.task, fd, new SockAddrIn(0, port)), 'bind');
  return fd;
}

/** Sends a datagram. */
export function udpSend(host: Host, fd: number, to: string, port: number, data: string | Uint8Array): void {
  const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data;
  sysCall(sysSendto(host.task, fd, bytes, 0, new SockAddrIn(inAton(to), port)) as number, 'sendto');
}

/** A datagram that has arrived. */
export interface Datagram {
  readonly data: Uint8Array;
  readonly from: string;
  readonly port: number;
}

/** Waits until nothing moves, and takes what has arrived; null if nothing has. */
export async function udpTake(host: Host, fd: number): Promise<Datagram | null> {
  await idle(host.world);
  const buffer = new Uint8Array(65536);
  const from = new SockAddrIn();
  const length = await sysRecvfrom(host.task, fd, buffer, MSG_DONTWAIT, from);
  return length < 0 ? null : { data: buffer.slice(0, length), from: inNtoa(from.sinAddr), port: from.sinPort };
}

/** Answers every datagram with itself, until the host ends. */
export async function udpEcho(host: Host, port: number): Promise<void> {
  const fd = udpOpen(host, port);
  const buffer = new Uint8Array(65536);
  for (const from = new SockAddrIn(); ;) {
    const length = await sysRecvfrom(host.task, fd, buffer, 0, from);
    if (length < 0) return;
    await sysSendto(host.task, fd, buffer.subarray(0, length), 0, from);
  }
}

/** Answers every connection with what it sends; tells `seen` who it is. */
export async function tcpEcho(host: Host, port: number, seen: (connection: Connection) => void = () => undefined): Promise<void> {
  for await (const connection of host.listen({ port })) {
    seen(connection);
    void connection.readable.pipeTo(connection.writable).catch(() => undefined);
  }
}

/** Sends `data` by TCP, ends its side, and returns what comes back. */
export async function tcpAsk(host: Host, to: string, port: number, data: Uint8Array): Promise<Uint8Array> {
  const connection = await host.connect({ host: to, port });
  const writer = connection.writable.getWriter();
  const sent = writer.write(data).then(() => writer.close());
  const parts: Uint8Array[] = [];
  for await (const part of connection.readable) parts.push(part);
  await sent;
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((at, part) => (all.set(part, at), at + part.length), 0);
  return all;
}
