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

/** Reads and verifies what is missing of a ping of which `got` octets have come. False at the end of the stream. */
async function readRest(task: Task, fd: number, buffer: Uint8Array, got: number): Promise<boolean> {
  if (got === 0) return false;
  for (let at = got; at < PING_SIZE;) {
    const count = sysCall(await sysRead(task, fd, buffer.subarray(at)), 'read');
    if (count === 0) return false;
    at += count;
  }
  verify(buffer, 0);
  return true;
}

/** Sends every ping back until the stream ends. As a rule one read is one ping; a promise is made only where one waits. */
async function echoPings(task: Task, fd: number): Promise<void> {
  const buffer = new Uint8Array(PING_SIZE);
  for (;;) {
    const read = sysRead(task, fd, buffer);
    const got = sysCall(typeof read === 'number' ? read : await read, 'read');
    if (got === PING_SIZE) verify(buffer, 0);
    else if (!(await readRest(task, fd, buffer, got))) break;
    const written = sysWrite(task, fd, buffer);
    sysCall(typeof written === 'number' ? written : await written, 'write');
  }
  sysClose(task, fd);
}

/** Sends `count` pings, each when the one before has come back. */
async function sendPings(task: Task, fd: number, count: number): Promise<void> {
  const buffer = block.slice(0, PING_SIZE);
  for (let i = 0; i < count; i++) {
    const written = sysWrite(task, fd, buffer);
    sysCall(typeof written === 'number' ? written : await written, 'write');
    const read = sysRead(task, fd, buffer);
    const got = sysCall(typeof read === 'number' ? read : await read, 'read');
    if (got === PING_SIZE) verify(buffer, 0);
    else if (!(await readRest(task, fd, buffer, got))) throw new Error(`the stream ended after ${i} of ${count} pings`);
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
      await sendPings(client, fd, count);
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
