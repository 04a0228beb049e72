// The path of the sockets that are not SOCK_STREAM: sendmsg and recvmsg of SOCK_DGRAM, SOCK_RAW and both kinds of PF_PACKET pass the
// functions of their own sk_prot and ops, in the order of the chapter's figures, and their packets' pointers stand where they should.
import { idle } from '@stack/kernel';
import { inAton, SockAddrIn } from '@stack/inet-sock';
import { inetDgramOps, inetSockrawOps, pingProt, rawProt } from '@stack/inet';
import { IP_HDRINCL, IPPROTO_ICMP } from '@stack/ip';
import { devGetByName, ETH_P_ALL } from '@stack/netdev';
import { packetOps, packetProto, SockAddrLl } from '@stack/packet';
import {
  fget, Iovec, makeMsgHdr, MSG_DONTWAIT, MsgHdr, PF_INET, PF_PACKET, SOCK_DGRAM, SOCK_RAW, SOL_IP, sockFromFile, sysBind, sysCall, sysClose,
  sysRecvmsg, sysSendmsg, sysSetsockopt, sysSocket, sysWrite, type Proto, type ProtoOps, type SockAddr,
} from '@stack/socket';
import { udpProt } from '@stack/udp/ipv4';
import type { Host } from '@stack/host';
import { describe, expect, test } from 'vitest';
import { SOCKETS, type SocketFigure } from './support/figures-sockets.ts';
import { ETH, IP, type Picture } from './support/figures.ts';
import { closeConnection, functionsTo, openConnection, pathHouse, type Call, type PathHouse } from './support/path-house.ts';
import { ethernet, icmp, ipv4 } from './support/raw-rig.ts';

/** Long enough for a frame of any kind not to be padded. */
const DATA = new Uint8Array(60).map((_, i) => i);

/** Protocol and type that no host here handles (RFC 3692; IEEE 802, for experiments). */
const PROTO = 253;
const ETH_P_EXPERIMENT = 0x88b5;
const PORT = 4000;
const ECHO = 8;

interface Kind {
  readonly family: number;
  readonly type: number;
  readonly protocol: number;
  readonly prot: Proto;
  readonly ops: ProtoOps;
  /** What the user gives, DATA in it. */
  message(house: PathHouse): Uint8Array;
  /** Who receives: a ping comes back. */
  readonly receiver: 'client' | 'server';
}

const mac = (host: Host): Uint8Array => (devGetByName(host.net, 'eth0') as { devAddr: Uint8Array }).devAddr;

const kinds: Record<keyof typeof SOCKETS, Kind> = {
  'PF_INET, SOCK_DGRAM': {
    family: PF_INET, type: SOCK_DGRAM, protocol: 0, prot: udpProt, ops: inetDgramOps, receiver: 'server', message: () => DATA,
  },
  'PF_INET, SOCK_RAW': {
    family: PF_INET, type: SOCK_RAW, protocol: PROTO, prot: rawProt, ops: inetSockrawOps, receiver: 'server', message: () => DATA,
  },
  'PF_INET, SOCK_DGRAM, IPPROTO_ICMP': {
    family: PF_INET, type: SOCK_DGRAM, protocol: IPPROTO_ICMP, prot: pingProt, ops: inetSockrawOps, receiver: 'client',
    message: () => icmp(ECHO, 0, 0, 1, DATA),
  },
  'PF_PACKET, SOCK_DGRAM': {
    family: PF_PACKET, type: SOCK_DGRAM, protocol: ETH_P_ALL, prot: packetProto, ops: packetOps, receiver: 'server', message: () => DATA,
  },
  'PF_PACKET, SOCK_RAW': {
    family: PF_PACKET, type: SOCK_RAW, protocol: ETH_P_ALL, prot: packetProto, ops: packetOps, receiver: 'server',
    message: ({ client, server }) => ethernet(mac(server), mac(client), ETH_P_EXPERIMENT, DATA),
  },
};

/** A socket of this kind; UDP's bound. */
function open(host: Host, { family, type, protocol, prot }: Kind): number {
  const fd = sysCall(sysSocket(host.task, family, type, protocol), 'socket');
  if (prot === udpProt) sysCall(sysBind(host.task, fd, new SockAddrIn(0, PORT)), 'bind');
  return fd;
}

function destination(house: PathHouse, { family }: Kind): SockAddr {
  if (family === PF_INET) return new SockAddrIn(inAton('10.0.0.1'), PORT);
  return new SockAddrLl(ETH_P_EXPERIMENT, 2, mac(house.server));
}

function send(house: PathHouse, fd: number, kind: Kind): number {
  return sysSendmsg(house.client.task, fd, makeMsgHdr([kind.message(house)], destination(house, kind)), MSG_DONTWAIT) as number;
}

function receive(host: Host, fd: number, buffer: Uint8Array, flags = 0): number | Promise<number> {
  const msg = new MsgHdr();
  msg.msgIov = [new Iovec(buffer)];
  msg.msgIovlen = 1;
  return sysRecvmsg(host.task, fd, msg, flags);
}

/** Runs `body` with a sender at the client and a receiver, everything cached, nothing queued. */
async function withSockets(kind: Kind, body: (house: PathHouse, from: number, to: number) => Promise<void>): Promise<void> {
  const house = pathHouse('virtio');
  const { client, server } = house;
  for (const host of [client, server]) host.sysctl('net.ipv4.ping_group_range', [0, 0]);
  // An answer is needed to know where the server is: two packets, so that the header is cached.
  const warm = open(client, kinds['PF_INET, SOCK_RAW']);
  for (let i = 0; i < 2; i++) {
    send(house, warm, kinds['PF_INET, SOCK_RAW']);
    await idle(house.world);
  }
  await sysClose(client.task, warm);
  const from = open(client, kind);
  const to = kind.receiver === 'client' ? from : open(server, kind);
  house.take();
  await body(house, from, to);
  await client.close();
  await server.close();
  await house.close();
}

/** The functions that `host` passed on the way up, as far as `last`. */
function upTo(calls: readonly Call[], host: string, last: string): string[] {
  const own = calls.filter((call) => call.host === host);
  const start = own.findIndex((call) => call.fn === 'net_rx_action');
  return functionsTo(own.slice(start), host, last);
}

function picture(call: Call, expected: Picture): Picture & { fn: string } {
  const shown = (at: number, want: number | null): number | null => (want === null ? null : at);
  return {
    fn: call.fn,
    mac: shown(call.mac, expected.mac),
    network: shown(call.network, expected.network),
    transport: shown(call.transport, expected.transport),
    headers: call.len - DATA.length,
  };
}

describe.each(Object.keys(SOCKETS) as (keyof typeof SOCKETS)[])('%s', (name) => {
  const kind = kinds[name];
  const figure: SocketFigure = SOCKETS[name];

  test('has a sk_prot and ops of its own', async () => {
    await withSockets(kind, async (house, from) => {
      const sock = sockFromFile(fget(house.client.task, from)!);
      expect([sock?.ops, sock?.sk?.skProt]).toEqual([kind.ops, kind.prot]);
    });
  });

  test('sendmsg: level 5 to the device', async () => {
    await withSockets(kind, async (house, from) => {
      expect(send(house, from, kind)).toBe(kind.message(house).length);
      expect(functionsTo(house.take(), 'client', 'dev_queue_xmit')).toEqual(figure.send);
    });
  });

  test('recvmsg: it finds nothing and sleeps, the packet comes up to the receive queue, and it is called again', async () => {
    await withSockets(kind, async (house, from, to) => {
      const host = house[kind.receiver];
      const buffer = new Uint8Array(256);
      const read = receive(host, to, buffer);
      expect(functionsTo(house.take(), kind.receiver, '')).toEqual(figure.recv);
      send(house, from, kind);
      const n = await read;
      const calls = house.take();
      expect(upTo(calls, kind.receiver, 'sk_receive_queue')).toEqual(figure.up);
      expect(calls.filter((call) => call.host === kind.receiver && call.fn === figure.dequeued && call.id >= 0).length).toBe(1);
      expect([...buffer.subarray(n - DATA.length, n)]).toEqual([...DATA]);
    });
  });

  test('recvmsg of what is there', async () => {
    await withSockets(kind, async (house, from, to) => {
      send(house, from, kind);
      await idle(house.world);
      house.take();
      const n = await receive(house[kind.receiver], to, new Uint8Array(256), MSG_DONTWAIT);
      expect(n).toBeGreaterThanOrEqual(DATA.length);
      expect(functionsTo(house.take(), kind.receiver, '')).toEqual([...figure.recv, figure.dequeued]);
    });
  });

  test('the pointers stand where the pictures have them, and the payload lies still', async () => {
    await withSockets(kind, async (house, from, to) => {
      send(house, from, kind);
      await idle(house.world);
      await receive(house[kind.receiver], to, new Uint8Array(256), MSG_DONTWAIT);
      const calls = house.take().filter((call) => call.host === kind.receiver && call.id >= 0);
      const seen = Object.keys(figure.pictures).map((fn) => calls.find((call) => call.fn === fn) as Call);
      for (const call of seen) {
        const expected = figure.pictures[call.fn] as Picture;
        expect(picture(call, expected)).toEqual({ fn: call.fn, ...expected });
      }
      const card = calls.find((call) => call.fn === 'eth_type_trans' && call.len >= DATA.length) as Call;
      expect(seen.map((call) => [call.memory === card.memory, call.end])).toEqual(seen.map(() => [true, card.end]));
    });
  });
});

test('IP_HDRINCL: the user\'s IP header passes the same functions', async () => {
  const kind = kinds['PF_INET, SOCK_RAW'];
  await withSockets(kind, async (house, from, to) => {
    sysCall(sysSetsockopt(house.client.task, from, SOL_IP, IP_HDRINCL, 1), 'setsockopt');
    house.take();
    const packet = ipv4(PROTO, '10.0.0.2', '10.0.0.1', DATA);
    expect(send(house, from, { ...kind, message: () => packet })).toBe(packet.length);
    expect(functionsTo(house.take(), 'client', 'dev_queue_xmit')).toEqual(SOCKETS['PF_INET, SOCK_RAW'].send);
    await idle(house.world);
    expect(await receive(house.server, to, new Uint8Array(256), MSG_DONTWAIT)).toBe(packet.length);
  });
});

test('a tap: what TCP sends passes packet_rcv between dev_queue_xmit and the device, as a clone; what comes in before ip_rcv', async () => {
  const house = pathHouse('virtio');
  const connection = await openConnection(house);
  const tap = sysCall(sysSocket(house.client.task, PF_PACKET, SOCK_RAW, ETH_P_ALL), 'socket');
  await idle(house.world);
  house.take();
  await sysWrite(house.client.task, connection.client, DATA);
  await idle(house.world);
  const calls = house.take().filter((call) => call.host === 'client');
  const down = calls.map((call) => call.fn);
  const at = down.indexOf('packet_rcv');
  expect(down.slice(at - 1, at + 2)).toEqual(['dev_queue_xmit', 'packet_rcv', 'sk_receive_queue']);
  const [sent, seen] = [calls[at - 1] as Call, calls[at] as Call];
  expect([seen.id === sent.id, seen.memory === sent.memory, seen.end === sent.end, seen.len]).toEqual([false, true, true, sent.len]);
  expect([seen.mac, seen.network, seen.transport]).toEqual([0, ETH, ETH + IP]);
  expect(upTo(calls, 'client', 'ip_rcv')).toEqual(['net_rx_action', 'virtnet_poll', 'eth_type_trans', 'netif_receive_skb', 'packet_rcv', 'sk_receive_queue', 'ip_rcv']);
  await sysClose(house.client.task, tap);
  await closeConnection(house, connection);
  await house.close();
});

test('two readers of one packet: each has an sk_buff of its own over the same data', async () => {
  const kind = kinds['PF_INET, SOCK_RAW'];
  await withSockets(kind, async (house, from, to) => {
    const second = open(house.server, kind);
    send(house, from, kind);
    await idle(house.world);
    const queued = house.take().filter((call) => call.host === 'server' && call.fn === 'sk_receive_queue');
    expect([queued.length, new Set(queued.map((call) => call.id)).size, new Set(queued.map((call) => call.memory)).size]).toEqual([2, 2, 1]);
    for (const fd of [to, second]) expect(await receive(house.server, fd, new Uint8Array(256), MSG_DONTWAIT)).toBe(IP + DATA.length);
  });
});
