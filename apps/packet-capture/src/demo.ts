/*
 * --demo: a simulated segment and a conversation on it to watch, in virtual time: ARP, DNS, ICMP echo, UDP, a datagram in fragments, a port
 * that is closed, TCP whose fourth full segment is lost and repaired. The same packets on every run.
 */
import { createDnsServer } from '@stack/dns';
import { createHost, gethostbyname, plainOn, type Host } from '@stack/host';
import { wrapDevice, type WrapOps, type WrapPriv } from '@stack/devices';
import { SockAddrIn, inAton } from '@stack/inet-sock';
import { SKB_DROP_REASON_NOT_SPECIFIED, createWorld, sleep } from '@stack/kernel';
import type { NetDevice } from '@stack/netdev';
import { createSwitch, type Switch } from '@stack/nic-virtio-sim';
import { kfreeSkbReason, type SkBuff } from '@stack/skbuff';
import {
  IPPROTO_ICMP, IPPROTO_TCP, PF_INET, SOCK_DGRAM, sysBind, sysCall, sysClose, sysRecvfrom, sysSendto, sysSocket,
} from '@stack/socket';
import type { Source } from './source.ts';

const SERVER = '192.0.2.20';
const CLIENT = '192.0.2.10';
const NAME = 'server.example.net';
const ECHO = 7;
const CLOSED = 9;
/** Octets of TCP that the client sends. */
const TRANSFER = 12_000;
/** Frames so large carry a full segment; this one of them is lost. */
const FULL_FRAME = 1400;
const IP_PROTOCOL = 14 + 9;
const LOST = 4;
/** Milliseconds between the acts, and on the cable. */
const PAUSE = 100;
const DELAY = 2;

/** A cable that loses one frame. */
class Loss {
  left: number;

  constructor(left: number) {
    this.left = left;
  }
}

const lossOps: WrapOps = { id: 'loss', transmit: loseOne, receive: (skb) => skb };

function loseOne(skb: SkBuff, wrap: WrapPriv): SkBuff | null {
  const loss = wrap.data as Loss;
  if (skb.len < FULL_FRAME || skb.buf[skb.data + IP_PROTOCOL] !== IPPROTO_TCP || --loss.left !== 0) return skb;
  kfreeSkbReason(skb, SKB_DROP_REASON_NOT_SPECIFIED);
  return null;
}

function lossyCard(lan: Switch): (net: Host['net']) => NetDevice {
  return (net) => {
    const card = plainOn(lan, { name: 'card0', impairments: { delay: DELAY } })(net);
    return wrapDevice(card, lossOps, new Loss(LOST), 'eth0');
  };
}

/** The segment; run() plays the conversation and resolves when the last packet has arrived. */
export function demoSource(): Source {
  const world = createWorld({ seed: 1 });
  const lan = createSwitch(world);
  const server = createHost({ world, name: 'server', nics: [{ device: plainOn(lan, { name: 'eth0' }), address: `${SERVER}/24` }] });
  const client = createHost({
    world, name: 'client', dns: [SERVER], sysctl: { 'net.ipv4.ping_group_range': '0 2147483647' },
    nics: [{ device: lossyCard(lan), address: `${CLIENT}/24` }],
  });
  return {
    what: 'a simulated segment',
    hosts: [client, server],
    host: client,
    device: 'eth0',
    run: () => converse(client, server),
    close: async () => {
      await client.close();
      await server.close();
    },
  };
}

async function converse(client: Host, server: Host): Promise<void> {
  const dns = createDnsServer(server.task, { hosts: [server], domain: 'example.net' });
  serveUdp(server);
  const served = serveTcp(server);
  const acts = [resolve, ping, udpEcho, bigPing, knock, transfer];
  for (const act of acts) {
    await act(client);
    await sleep(client.world, PAUSE);
  }
  await served;
  await sleep(client.world, PAUSE);
  dns.close();
}

async function resolve(client: Host): Promise<void> {
  await gethostbyname(client, NAME);
}

/** An echo request by a ping socket (icmp(7)), and its reply. */
async function echoRequest(client: Host, sequence: number, size: number): Promise<void> {
  const fd = sysCall(sysSocket(client.task, PF_INET, SOCK_DGRAM, IPPROTO_ICMP), 'socket');
  const message = new Uint8Array(8 + size).fill(0x61, 8);
  message[0] = 8;
  message[7] = sequence;
  await sysSendto(client.task, fd, message, 0, new SockAddrIn(inAton(SERVER), 0));
  await sysRecvfrom(client.task, fd, new Uint8Array(message.length), 0, null);
  sysClose(client.task, fd);
}

const ping = (client: Host): Promise<void> => echoRequest(client, 1, 56);
const bigPing = (client: Host): Promise<void> => echoRequest(client, 2, 4000);

async function udpEcho(client: Host): Promise<void> {
  const fd = sysCall(sysSocket(client.task, PF_INET, SOCK_DGRAM, 0), 'socket');
  await sysSendto(client.task, fd, new TextEncoder().encode('Hello World !'), 0, new SockAddrIn(inAton(SERVER), ECHO));
  await sysRecvfrom(client.task, fd, new Uint8Array(64), 0, null);
  sysClose(client.task, fd);
}

/** A datagram to a port where nobody listens. */
async function knock(client: Host): Promise<void> {
  const fd = sysCall(sysSocket(client.task, PF_INET, SOCK_DGRAM, 0), 'socket');
  await sysSendto(client.task, fd, new TextEncoder().encode('anybody?'), 0, new SockAddrIn(inAton(SERVER), CLOSED));
  await sleep(client.world, PAUSE);
  sysClose(client.task, fd);
}

async function transfer(client: Host): Promise<void> {
  const connection = await client.connect({ host: SERVER, port: ECHO });
  const writer = connection.writable.getWriter();
  await writer.write(new Uint8Array(TRANSFER).fill(0x61));
  await writer.close();
  for await (const chunk of connection.readable) void chunk;
}

/** Reads a connection to its end, then closes. */
async function serveTcp(server: Host): Promise<void> {
  const listener = server.listen({ port: ECHO });
  for await (const connection of listener) {
    for await (const chunk of connection.readable) void chunk;
    await connection.writable.close();
    break;
  }
}

function serveUdp(server: Host): void {
  const fd = sysCall(sysSocket(server.task, PF_INET, SOCK_DGRAM, 0), 'socket');
  sysCall(sysBind(server.task, fd, new SockAddrIn(0, ECHO)), 'bind');
  const loop = async (): Promise<void> => {
    const buffer = new Uint8Array(2048);
    const from = new SockAddrIn();
    for (;;) {
      const length = await sysRecvfrom(server.task, fd, buffer, 0, from);
      if (length < 0) return;
      await sysSendto(server.task, fd, buffer.subarray(0, length), 0, from);
    }
  };
  void loop();
}
