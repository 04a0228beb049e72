// The two programs: one that sends without end on each of its connections, one that reads and notes how much came in so many seconds.
// Ours make system calls on a host of ours; Linux's are roles of tests/support/linux-peer.mjs, in its namespace.
import type { ChildProcess } from 'node:child_process';
import type { Host } from '@stack/host';
import { SockAddrIn, inAton } from '@stack/inet-sock';
import {
  PF_INET, SOCK_STREAM, SOL_TCP, sysAccept, sysBind, sysCall, sysConnect, sysGetsockopt, sysListen, sysRead, sysSocket, sysWrite, type Task,
} from '@stack/socket';
import { TCP_INFO, type TcpInfo } from '@stack/tcp';
import { nextLine, nsPeer, type Netns } from '../support/namespace.ts';

const CHUNK = 65536;
/** Seconds that a receiver gets beyond what it measures, to connect and to answer. */
const GRACE = 30;

/** How to run them on one kind of host. */
export interface Flows {
  /**
   * Listens; `ready` settles once it does, `octets` once each of `count` connections has been open for `seconds`: what each received
   * in that time.
   */
  readonly receive: (port: number, count: number, seconds: number) => { readonly ready: Promise<unknown>; readonly octets: Promise<number[]> };
  /** Opens `count` connections and sends on each until it ends. */
  readonly send: (address: string, port: number, count: number) => void;
  /** The smoothed round-trip times of those, in milliseconds, as they are now. */
  readonly rtts: () => Promise<number[]>;
}

/** Those of a namespace of Linux. */
export function linuxFlows(ns: Netns): Flows {
  let watcher: ChildProcess | null = null;
  return {
    receive(port, count, seconds) {
      const peer = nsPeer(ns, 'tcp-sink', port, count, seconds);
      const ready = nextLine(peer);
      return { ready, octets: ready.then(async () => JSON.parse(await nextLine(peer, seconds + GRACE)) as number[]) };
    },
    send(address, port, count) {
      nsPeer(ns, 'tcp-source', address, port, count);
    },
    async rtts() {
      watcher ??= nsPeer(ns, 'tcp-rtts');
      watcher.stdin!.write('\n');
      return JSON.parse(await nextLine(watcher)) as number[];
    },
  };
}

/** Those of a host of ours. */
export function ourFlows({ task }: Host): Flows {
  const sources: number[] = [];
  return {
    receive(port, count, seconds) {
      const listener = sysCall(sysSocket(task, PF_INET, SOCK_STREAM, 0), 'socket');
      sysCall(sysBind(task, listener, new SockAddrIn(0, port)), 'bind');
      sysCall(sysListen(task, listener, count), 'listen');
      return { ready: Promise.resolve(), octets: receiveAll(task, listener, count, seconds) };
    },
    send(address, port, count) {
      for (let i = 0; i < count; i++) void send(task, new SockAddrIn(inAton(address), port), sources).catch(() => undefined); // the rig is closed
    },
    rtts: () => Promise.resolve(sources.map((fd) => (sysGetsockopt(task, fd, SOL_TCP, TCP_INFO) as TcpInfo).tcpiRtt / 1000)),
  };
}

async function receiveAll(task: Task, listener: number, count: number, seconds: number): Promise<number[]> {
  const octets: Promise<number>[] = [];
  while (octets.length < count) octets.push(receive(task, sysCall(await sysAccept(task, listener), 'accept'), seconds));
  return Promise.all(octets);
}

/** Reads until `seconds` are over, and goes on reading: the others are still being measured. */
function receive(task: Task, fd: number, seconds: number): Promise<number> {
  return new Promise((resolve, reject) => {
    let octets = 0;
    setTimeout(() => resolve(octets), seconds * 1000);
    const loop = async (): Promise<void> => {
      const buffer = new Uint8Array(CHUNK);
      for (let got = 1; got > 0;) {
        got = sysCall(await sysRead(task, fd, buffer), 'read');
        octets += got;
      }
    };
    loop().catch(reject); // too late to matter once the rig is closed
  });
}

async function send(task: Task, to: SockAddrIn, sources: number[]): Promise<void> {
  const fd = sysCall(sysSocket(task, PF_INET, SOCK_STREAM, 0), 'socket');
  sysCall(await sysConnect(task, fd, to), 'connect');
  sources.push(fd);
  const chunk = new Uint8Array(CHUNK);
  for (;;) sysCall(await sysWrite(task, fd, chunk), 'write');
}
