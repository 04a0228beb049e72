// The path: what a packet passes, function by function, is what the chapter's figures show, on the NAPI card and on the plain
// one, with route, neighbour and header cached and not; its pointers stand where the pictures have them; its payload does not move.
import { idle } from '@stack/kernel';
import { ipRouteAdd, ipRouteDel } from '@stack/ip';
import {
  Iovec, makeMsgHdr, MsgHdr, sysRead, sysRecv, sysRecvfrom, sysRecvmsg, sysSend, sysSendmsg, sysSendto, sysWrite, type Task,
} from '@stack/socket';
import { describe, expect, test } from 'vitest';
import {
  DEQUEUED, DOWN, LINK, PICTURES_DOWN, PICTURES_UP, QUEUED, RECEIVE, SEND, UP, type Picture,
} from './support/figures.ts';
import { closeConnection, functionsTo, openConnection, pathHouse, type Call, type Card, type Open, type PathHouse } from './support/path-house.ts';

const HELLO = Uint8Array.from('Hello World !', (char) => char.charCodeAt(0));

type Sender = (task: Task, fd: number, data: Uint8Array) => number | Promise<number>;
type Receiver = (task: Task, fd: number, buffer: Uint8Array) => number | Promise<number>;

const senders: Record<keyof typeof SEND, Sender> = {
  write: sysWrite,
  send: (task, fd, data) => sysSend(task, fd, data, 0),
  sendto: (task, fd, data) => sysSendto(task, fd, data, 0, null),
  sendmsg: (task, fd, data) => sysSendmsg(task, fd, makeMsgHdr([data]), 0),
};

const receivers: Record<keyof typeof RECEIVE, Receiver> = {
  read: sysRead,
  recv: (task, fd, buffer) => sysRecv(task, fd, buffer, 0),
  recvfrom: (task, fd, buffer) => sysRecvfrom(task, fd, buffer, 0, null),
  recvmsg: (task, fd, buffer) => {
    const msg = new MsgHdr();
    msg.msgIov = [new Iovec(buffer)];
    msg.msgIovlen = 1;
    return sysRecvmsg(task, fd, msg, 0);
  },
};

/** Runs `body` with an open connection over which one echo has gone, so that everything that can be cached is. */
async function withConnection(card: Card, body: (house: PathHouse, open: Open) => Promise<void>): Promise<void> {
  const house = pathHouse(card);
  const open = await openConnection(house);
  await echo(house, open);
  house.take();
  await body(house, open);
  await closeConnection(house, open);
  await house.close();
}

/** One message there and one back. */
async function echo({ client, server }: PathHouse, open: Open): Promise<void> {
  const buffer = new Uint8Array(64);
  await sysWrite(client.task, open.client, HELLO);
  await sysRead(server.task, open.server, buffer);
  await sysWrite(server.task, open.server, HELLO);
  await sysRead(client.task, open.client, buffer);
}

/** The calls of the one packet that carries HELLO on `host`. */
function ofPayload(calls: readonly Call[], host: string): Call[] {
  const first = calls.find((call) => call.host === host && call.id >= 0 && call.len >= HELLO.length && (call.fn === 'tcp_transmit_skb' || call.fn === 'eth_type_trans'));
  return calls.filter((call) => call.host === host && call.id === first?.id);
}

function picture(call: Call, expected: Picture): Picture & { fn: string } {
  const shown = (at: number, want: number | null): number | null => (want === null ? null : at);
  return {
    fn: call.fn,
    mac: shown(call.mac, expected.mac),
    network: shown(call.network, expected.network),
    transport: shown(call.transport, expected.transport),
    headers: call.len - HELLO.length,
  };
}

const cards: Record<Card, { cached: readonly string[]; uncached: readonly string[]; up: readonly string[] }> = {
  virtio: { cached: LINK.cached, uncached: LINK.resolved, up: UP.napi },
  plain: { cached: LINK.connected, uncached: LINK.connected, up: UP.plain },
};

describe.each(Object.entries(cards))('%s', (name, links) => {
  const card = name as Card;

  test('write, with all cached: level 5 to the device', async () => {
    await withConnection(card, async (house, open) => {
      await sysWrite(house.client.task, open.client, HELLO);
      expect(functionsTo(house.take(), 'client', 'dev_queue_xmit')).toEqual([...SEND.write, ...DOWN.routeCached, ...links.cached]);
    });
  });

  test('write, the route not cached: ip_queue_xmit asks ip_route_output_flow, and the header is made anew', async () => {
    await withConnection(card, async (house, open) => {
      const route = { dst: '192.0.2.0/24', gateway: '10.0.0.1' };
      expect([ipRouteAdd(house.client.net, route), ipRouteDel(house.client.net, route)]).toEqual([0, 0]);
      await sysWrite(house.client.task, open.client, HELLO);
      expect(functionsTo(house.take(), 'client', 'dev_queue_xmit')).toEqual([...SEND.write, ...DOWN.routeLookedUp, ...links.uncached]);
      await idle(house.world);
      house.take();
      await sysWrite(house.client.task, open.client, HELLO);
      expect(functionsTo(house.take(), 'client', 'dev_queue_xmit')).toEqual([...SEND.write, ...DOWN.routeCached, ...links.cached]);
    });
  });

  test('connect, the neighbour unknown: the packet waits in neigh_resolve_output for ARP, and then leaves', async () => {
    const house = pathHouse(card);
    const open = await openConnection(house);
    const calls = house.take();
    const syn = calls.find((call) => call.fn === 'tcp_transmit_skb')?.id;
    const link = calls.filter((call) => call.host === 'client' && call.id === syn).map((call) => call.fn);
    const resolved = card === 'virtio' ? 'neigh_resolve_output' : 'neigh_connected_output';
    expect(link).toEqual([...DOWN.routeCached, 'neigh_resolve_output', resolved, 'dev_queue_xmit']);
    expect(functionsTo(calls, 'client', 'arp_rcv').slice(-1)).toEqual(['arp_rcv']);
    await closeConnection(house, open);
    await house.close();
  });

  test('a packet coming in: the device to the receive queue, and to the reader', async () => {
    await withConnection(card, async (house, open) => {
      const read = sysRead(house.server.task, open.server, new Uint8Array(64));
      expect(functionsTo(house.take(), 'server', QUEUED)).toEqual(RECEIVE.read);
      await sysWrite(house.client.task, open.client, HELLO);
      expect(await read).toBe(HELLO.length);
      const calls = house.take();
      expect(functionsTo(calls, 'server', QUEUED)).toEqual([...links.up, QUEUED]);
      expect(ofPayload(calls, 'server').slice(-1)[0]?.fn).toBe(DEQUEUED);
    });
  });

  test('the pointers on the way down and up stand where the pictures have them', async () => {
    await withConnection(card, async (house, open) => {
      const read = sysRead(house.server.task, open.server, new Uint8Array(64));
      await sysWrite(house.client.task, open.client, HELLO);
      await read;
      const calls = house.take();
      for (const [host, pictures] of [['client', PICTURES_DOWN], ['server', PICTURES_UP]] as const) {
        const seen = ofPayload(calls, host).filter((call) => call.fn in pictures);
        expect([...new Set(seen.map((call) => call.fn))]).toEqual(Object.keys(pictures));
        for (const call of seen) {
          const expected = pictures[call.fn] as Picture;
          expect(picture(call, expected)).toEqual({ fn: call.fn, ...expected });
        }
      }
    });
  });

  test('the payload is copied by tcp_sendmsg and by tcp_recvmsg, and lies still in between', async () => {
    await withConnection(card, async (house, open) => {
      const read = sysRead(house.server.task, open.server, new Uint8Array(64));
      await sysWrite(house.client.task, open.client, HELLO);
      await read;
      const calls = house.take();
      for (const host of ['client', 'server']) {
        const [first, ...rest] = ofPayload(calls, host);
        expect(rest.length).toBeGreaterThan(8);
        expect(rest.filter((call) => call.memory !== first?.memory || call.end !== first.end).map((call) => call.fn)).toEqual([]);
      }
    });
  });

  test.each(Object.keys(senders) as (keyof typeof SEND)[])('%s: its way to tcp_sendmsg', async (call) => {
    await withConnection(card, async (house, open) => {
      expect(await senders[call](house.client.task, open.client, HELLO)).toBe(HELLO.length);
      expect(functionsTo(house.take(), 'client', 'tcp_transmit_skb')).toEqual([...SEND[call], 'tcp_transmit_skb']);
    });
  });

  test.each(Object.keys(receivers) as (keyof typeof RECEIVE)[])('%s: its way to tcp_recvmsg', async (call) => {
    await withConnection(card, async (house, open) => {
      await sysWrite(house.server.task, open.server, HELLO);
      await idle(house.world);
      house.take();
      const buffer = new Uint8Array(64);
      expect(await receivers[call](house.client.task, open.client, buffer)).toBe(HELLO.length);
      expect(functionsTo(house.take(), 'client', '')).toEqual([...RECEIVE[call], DEQUEUED]);
      expect(buffer.subarray(0, HELLO.length)).toEqual(HELLO);
    });
  });
});
