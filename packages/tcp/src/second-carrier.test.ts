/** The engine on a carrier that is not IP: a channel between two Nets whose hosts are integers. */
import { createWorld, destroyNet, idle, openReport, sleep } from '@stack/kernel';
import type { World } from '@stack/kernel';
import { installSkbuff, leakReport } from '@stack/skbuff';
import {
  SOCK_STREAM, exitTask, sysAccept, sysBind, sysClose, sysConnect, sysGetpeername, sysListen, sysRead, sysSocket, sysWrite,
} from '@stack/socket';
import type { Task } from '@stack/socket';
import { afterEach, expect, test } from 'vitest';
import { AF_CHANNEL, Channel, SockAddrChannel } from './tcp-channel.ts';
import { createChannelHost } from './tcp-channel-family.ts';
import type { ChannelHost } from './tcp-channel-family.ts';

const PORT = 7;

let world: World;
let channel: Channel;
let client: ChannelHost;
let server: ChannelHost;

function setUp(seed = 1): void {
  world = createWorld({ debug: true, seed });
  installSkbuff(world);
  channel = new Channel(world);
  server = createChannelHost(channel, 1);
  client = createChannelHost(channel, 2);
}

afterEach(() => {
  for (const host of [client, server]) {
    exitTask(host.task);
    destroyNet(host.net);
  }
  expect(openReport(world)).toEqual([]);
  expect(leakReport(world)).toEqual([]);
});

/** Accepts connections one after the other and echoes each until its end. */
async function echoServer(task: Task, connections: number): Promise<void> {
  const lfd = sysSocket(task, AF_CHANNEL, SOCK_STREAM, 0);
  expect(sysBind(task, lfd, new SockAddrChannel(0, PORT))).toBe(0);
  expect(sysListen(task, lfd, 16)).toBe(0);
  for (let i = 0; i < connections; i++) {
    const fd = await sysAccept(task, lfd);
    expect(fd).toBeGreaterThanOrEqual(0);
    await echo(task, fd);
  }
  sysClose(task, lfd);
}

async function echo(task: Task, fd: number): Promise<void> {
  const buf = new Uint8Array(65536);
  for (;;) {
    const n = await sysRead(task, fd, buf);
    expect(n).toBeGreaterThanOrEqual(0);
    if (n === 0) break;
    expect(await sysWrite(task, fd, buf.subarray(0, n))).toBe(n);
  }
  sysClose(task, fd);
}

async function connect(task: Task): Promise<number> {
  const fd = sysSocket(task, AF_CHANNEL, SOCK_STREAM, 0);
  expect(await sysConnect(task, fd, new SockAddrChannel(1, PORT))).toBe(0);
  return fd;
}

async function readFully(task: Task, fd: number, buf: Uint8Array): Promise<number> {
  let done = 0;
  while (done < buf.length) {
    const n = await sysRead(task, fd, buf.subarray(done));
    if (n <= 0) break;
    done += n;
  }
  return done;
}

function pattern(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let x = 1;
  for (let i = 0; i < length; i++) {
    x = (Math.imul(x, 1103515245) + 12345) | 0;
    bytes[i] = x >>> 16;
  }
  return bytes;
}

async function echoOnce(data: Uint8Array): Promise<void> {
  const serving = echoServer(server.task, 1);
  const fd = await connect(client.task);
  const peer = new SockAddrChannel();
  expect(sysGetpeername(client.task, fd, peer)).toBe(0);
  expect(peer).toMatchObject({ key: 1, port: PORT });
  const back = new Uint8Array(data.length);
  const reading = readFully(client.task, fd, back);
  expect(await sysWrite(client.task, fd, data)).toBe(data.length);
  expect(await reading).toBe(data.length);
  expect(back.findIndex((byte, i) => byte !== data[i])).toBe(-1);
  sysClose(client.task, fd);
  await serving;
}

test('connect, accept, echo, close', async () => {
  setUp();
  await echoOnce(pattern(13));
  await idle(world);
});

test('a megabyte there and back', async () => {
  setUp();
  await echoOnce(pattern(1 << 20));
});

test.each([0.01, 0.05, 0.2])('a hundred kilobytes through loss of %d', async (loss) => {
  setUp(7);
  channel.loss = loss;
  await echoOnce(pattern(100_000));
  await sleep(world, 200_000);
});

test('a hundred connections one after the other', async () => {
  setUp();
  const serving = echoServer(server.task, 100);
  for (let i = 0; i < 100; i++) {
    const fd = await connect(client.task);
    const buf = new Uint8Array(64);
    await sysWrite(client.task, fd, pattern(64));
    expect(await readFully(client.task, fd, buf)).toBe(64);
    sysClose(client.task, fd);
  }
  await serving;
});
