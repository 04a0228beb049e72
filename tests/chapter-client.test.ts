// The chapter's client (docs/client.md), line by line: its name is served by our DNS server, over a simulated wire.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createDnsServer } from '@stack/dns';
import { assertNothingOpen, createHost, gethostbyname, virtioOn } from '@stack/host';
import { htons, SockAddrIn } from '@stack/inet-sock';
import { createWorld, traceNet } from '@stack/kernel';
import { createSwitch } from '@stack/nic-virtio-sim';
import { PF_INET, SOCK_STREAM, sysAccept, sysBind, sysClose, sysConnect, sysListen, sysRead, sysSocket, sysWrite } from '@stack/socket';
import { expect, test } from 'vitest';
import { codeBlocks } from './support/markdown.ts';
import { root } from './support/workspace.ts';

const SERVER_NAME = 'server.test';
const PORT_NUM = 7;
const BUFLEN = 1024;

test("the chapter's client", async () => {
  const world = createWorld({ debug: true });
  const lan = createSwitch(world);
  const names = createHost({ world, name: 'names', nics: [{ device: virtioOn(lan), address: '10.0.0.53/24' }] });
  const server = createHost({ world, name: 'server', nics: [{ device: virtioOn(lan), address: '10.0.0.1/24' }] });
  const client = createHost({ world, name: 'client', dns: ['10.0.0.53'], nics: [{ device: virtioOn(lan), address: '10.0.0.2/24' }] });
  const dns = createDnsServer(names.task, { hosts: [server] });
  const calls: string[] = [];
  traceNet(client.net, (record) => calls.push(record.function));

  void (async () => {
    const { task } = server;
    const listener = sysSocket(task, PF_INET, SOCK_STREAM, 0);
    sysBind(task, listener, new SockAddrIn(0, htons(PORT_NUM)));
    sysListen(task, listener, 1);
    const fd = await sysAccept(task, listener);
    const bytes = new Uint8Array(BUFLEN);
    const n = await sysRead(task, fd, bytes);
    await sysWrite(task, fd, bytes.subarray(0, n));
    await sysClose(task, fd);
  })();

  const { task } = client;
  const buf = new Uint8Array(BUFLEN);
  const sockfd = sysSocket(task, PF_INET, SOCK_STREAM, 0);
  const hostent = await gethostbyname(client, SERVER_NAME);
  const address = new SockAddrIn();
  address.sinPort = htons(PORT_NUM);
  address.sinAddr = hostent!.hAddr;
  expect(await sysConnect(task, sockfd, address)).toBe(0);
  expect(await sysWrite(task, sockfd, new TextEncoder().encode('Hello World !'))).toBe(13);
  const n = await sysRead(task, sockfd, buf);
  expect(await sysClose(task, sockfd)).toBe(0);

  expect(new TextDecoder().decode(buf.subarray(0, n))).toBe('Hello World !');
  expect(hostent).toMatchObject({ hName: SERVER_NAME, hLength: 4, hAddr: 0x0a000001 });
  expect(dns.stats).toMatchObject({ queries: 1, dropped: 0 });
  expect(calls).toEqual(expect.arrayContaining(['sys_socket', 'udp_sendmsg', 'udp_rcv', 'sys_connect', 'sys_write', 'tcp_v4_rcv', 'sys_read', 'sys_close']));

  for (const host of [client, server, names]) await host.close();
  assertNothingOpen(world);
});

test('docs/client.md runs', async () => {
  const [example = ''] = codeBlocks(readFileSync(join(root, 'docs', 'client.md'), 'utf8'), 'ts');
  const scratch = join(root, 'tests', '.cache', 'client');
  mkdirSync(scratch, { recursive: true });
  const file = join(scratch, 'client.ts');
  writeFileSync(file, example);
  await import(/* @vite-ignore */ pathToFileURL(file).href);
});
