/*
 * The house: two hosts on a wire, each with a virtio NIC of MTU 1500 that offloads nothing, so that every segment is a
 * frame of its own and every checksum is computed. The programs are written against the system calls, as node:net's are
 * against `onread`: one buffer for each reader.
 */
import { inAton, SockAddrIn } from '@stack/inet-sock';
import {
  PF_INET, SOCK_STREAM, sysAccept, sysBind, sysCall, sysClose, sysConnect, sysGetsockname, sysListen, sysRead, sysSocket, sysWrite, type Task,
} from '@stack/socket';
import type { House } from './house.ts';
import { block, BLOCK, verify } from './pattern.ts';
import { PING_SIZE, type Peer } from './peer.ts';

/** A descriptor that listens on any address, at a free port, which `address` takes. */
function listenOn(task: Task, address: SockAddrIn): number {
  const fd = sysCall(sysSocket(task, PF_INET, SOCK_STREAM, 0), 'socket');
  sysCall(sysBind(task, fd, new SockAddrIn()), 'bind');
  sysCall(sysListen(task, fd, 4096), 'listen');
  const name = new SockAddrIn();
  sysCall(sysGetsockname(task, fd, name), 'getsockname');
  address.sinPort = name.sinPort;
  return fd;
}

async function dial(task: Task, address: SockAddrIn): Promise<number> {
  const fd = sysCall(sysSocket(task, PF_INET, SOCK_STREAM, 0), 'socket');
  await sysCall(sysConnect(task, fd, address), 'connect');
  return fd;
}

/** Writes `total` octets; a blocking write takes all it is given. The reader has its turn between two writes. */
async function sendAll(task: Task, fd: number, total: number): Promise<void> {
  for (let sent = 0; sent < total; sent += BLOCK) sysCall(await sysWrite(task, fd, block), 'write');
}

/** Reads until `total` octets have come, each verified. */
async function receiveAll(task: Task, fd: number, total: number): Promise<void> {
  const buffer = new Uint8Array(BLOCK);
  for (let received = 0; received < total;) {
    const result = sysRead(task, fd, buffer);
    const count = sysCall(typeof result === 'number' ? result : await result, 'read');
    if (count === 0) throw new Error(`the stream ended after ${received} of ${total} octets`);
    verify(buffer.subarray(0, count), received);
    received += count;
  }
}

/** Reads one ping into `buffer`: false at the end of the stream. */
function readPing(task: Task, fd: number, buffer: Uint8Array): boolean | Promise<boolean> {
  const result = sysRead(task, fd, buffer);
  return typeof result === 'number' && result === PING_SIZE ? pingArrived(buffer) : readRest(task, fd, buffer, result);
}

function pingArrived(buffer: Uint8Array): boolean {
  verify(buffer, 0);
  return true;
}

/** The ping has not come at once: `first` is what the first read gave. */
async function readRest(task: Task, fd: number, buffer: Uint8Array, first: number | Promise<number>): Promise<boolean> {
  let got = sysCall(await first, 'read');
  if (got === 0) return false;
  while (got < PING_SIZE) {
    const count = sysCall(await sysRead(task, fd, buffer.subarray(got)), 'read');
    if (count === 0) return false;
    got += count;
  }
  return pingArrived(buffer);
}

async function echoPings(task: Task, fd: number): Promise<void> {
  const buffer = new Uint8Array(PING_SIZE);
  while (await readPing(task, fd, buffer)) {
    const result = sysWrite(task, fd, buffer);
    sysCall(typeof result === 'number' ? result : await result, 'write');
  }
  sysClose(task, fd);
}

/** What opens connections: each run has a listener of its own, as node:net's has, so that no run meets another's TIME_WAIT. */
class Opener {
  readonly house: House;
  readonly address: SockAddrIn;
  readonly listener: number;

  constructor(house: House) {
    this.house = house;
    this.address = new SockAddrIn(inAton(house.address), 0);
    this.listener = listenOn(house.server.task, this.address);
  }

  /** Opens one connection: resolves with the client's and the server's descriptor. */
  async open(): Promise<[number, number]> {
    const accepted = sysAccept(this.house.server.task, this.listener);
    const client = await dial(this.house.client.task, this.address);
    return [client, sysCall(await accepted, 'accept')];
  }

  close(): void {
    sysClose(this.house.server.task, this.listener);
  }
}

/** The peer that `house` is. */
export function stackPeer(house: House): Peer {
  const { client: { task: client }, server: { task: server } } = house;
  return {
    name: '@stack',
    async bulk(total) {
      const opener = new Opener(house);
      const [fd, sfd] = await opener.open();
      await Promise.all([sendAll(server, sfd, total), receiveAll(client, fd, total)]);
      await Promise.all([sysClose(client, fd), sysClose(server, sfd)]);
      opener.close();
    },
    async pingpong(count) {
      const opener = new Opener(house);
      const [fd, sfd] = await opener.open();
      const echo = echoPings(server, sfd);
      const ping = block.slice(0, PING_SIZE);
      for (let i = 0; i < count; i++) {
        const result = sysWrite(client, fd, ping);
        sysCall(typeof result === 'number' ? result : await result, 'write');
        await readPing(client, fd, ping);
      }
      sysClose(client, fd);
      await echo;
      opener.close();
    },
    async connect(count) {
      const opener = new Opener(house);
      const buffer = new Uint8Array(1);
      for (let i = 0; i < count; i++) {
        const [fd, sfd] = await opener.open();
        sysClose(client, fd);
        if ((await sysRead(server, sfd, buffer)) !== 0) throw new Error('the connection did not end');
        sysClose(server, sfd);
      }
      opener.close();
    },
    async idle(count) {
      const opener = new Opener(house);
      const fds: [number, number][] = [];
      for (let i = 0; i < count; i++) fds.push(await opener.open());
      return async () => {
        for (const [fd, sfd] of fds) await Promise.all([sysClose(client, fd), sysClose(server, sfd)]);
        opener.close();
      };
    },
    close: () => house.close(),
  };
}
