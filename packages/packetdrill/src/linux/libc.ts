/*
 * The C library through koffi: no native code of our own. Memory goes to C as a number, its address. A function called with
 * `.async` runs in a thread of libuv's pool; koffi keeps the errno of either kind until its result is read.
 */
import { createRequire } from 'node:module';
import type * as Koffi from 'koffi';

/** Octets that C reads and writes: they stay where they are as long as the object lives. */
export class Memory {
  readonly buffer: ArrayBuffer;
  readonly view: DataView<ArrayBuffer>;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly address: number;

  constructor(libc: Libc, length: number) {
    this.buffer = new ArrayBuffer(Math.max(length, 1));
    this.view = new DataView(this.buffer);
    this.bytes = new Uint8Array(this.buffer);
    this.address = libc.addressOf(this.buffer);
  }
}

const PTR = 'uintptr_t';
const LONG = 'intptr_t';

/** What is called, with its arguments' types; all return a long or an int, -1 with errno. */
const signatures = {
  open: ['int', 'str', 'int', 'int'], close: ['int', 'int'], read: [LONG, 'int', PTR, 'size_t'], write: [LONG, 'int', PTR, 'size_t'],
  readv: [LONG, 'int', PTR, 'int'], writev: [LONG, 'int', PTR, 'int'], ioctl: ['int', 'int', 'ulong', PTR], fcntl: ['int', 'int', 'int', LONG],
  socket: ['int', 'int', 'int', 'int'], bind: ['int', 'int', PTR, 'int'], listen: ['int', 'int', 'int'], accept: ['int', 'int', PTR, PTR],
  accept4: ['int', 'int', PTR, PTR, 'int'], connect: ['int', 'int', PTR, 'int'], shutdown: ['int', 'int', 'int'],
  send: [LONG, 'int', PTR, 'size_t', 'int'], recv: [LONG, 'int', PTR, 'size_t', 'int'],
  sendto: [LONG, 'int', PTR, 'size_t', 'int', PTR, 'int'], recvfrom: [LONG, 'int', PTR, 'size_t', 'int', PTR, PTR],
  sendmsg: [LONG, 'int', PTR, 'int'], recvmsg: [LONG, 'int', PTR, 'int'],
  setsockopt: ['int', 'int', 'int', 'int', PTR, 'int'], getsockopt: ['int', 'int', 'int', 'int', PTR, PTR],
  getsockname: ['int', 'int', PTR, PTR], getpeername: ['int', 'int', PTR, PTR],
  poll: ['int', PTR, 'ulong', 'int'], ppoll: ['int', PTR, 'ulong', PTR, PTR], pipe: ['int', PTR], dup: ['int', 'int'],
  sendfile: [LONG, 'int', 'int', PTR, 'size_t'], splice: [LONG, 'int', PTR, 'int', PTR, 'size_t', 'uint'],
  epoll_create: ['int', 'int'], epoll_create1: ['int', 'int'], epoll_ctl: ['int', 'int', 'int', 'int', PTR], epoll_wait: ['int', 'int', PTR, 'int', 'int'],
  unshare: ['int', 'int'], clock_gettime: ['int', 'int', PTR], prctl: ['int', 'int', 'ulong', 'ulong', 'ulong', 'ulong'], sched_setscheduler: ['int', 'int', 'int', PTR],
} as const;

export type CallName = keyof typeof signatures;

type CFunction = Koffi.KoffiFunc<(...args: (number | string)[]) => number | bigint>;

export interface Libc {
  readonly functions: Readonly<Record<CallName, CFunction>>;
  readonly errno: () => number;
  readonly addressOf: (buffer: ArrayBuffer) => number;
}

/** koffi; null where it is not installed. */
export function requireKoffi(): typeof Koffi | null {
  try {
    return createRequire(import.meta.url)('koffi') as typeof Koffi;
  } catch {
    return null;
  }
}

export function loadLibc(): Libc {
  const koffi = requireKoffi();
  if (koffi === null) throw new Error('koffi is not installed here: npm install koffi');
  const self = koffi.load(null);
  const entries = Object.entries(signatures).map(([name, [result, ...args]]) => [name, self.func(name, result, args)]);
  return {
    functions: Object.fromEntries(entries) as Record<CallName, CFunction>,
    errno: () => koffi.errno(),
    addressOf: (buffer) => Number(koffi.address(buffer)),
  };
}

/** Makes a call: its result, or -errno. */
export function invoke(libc: Libc, name: CallName, ...args: (number | string)[]): number {
  const result = Number(libc.functions[name](...args));
  return result < 0 ? -libc.errno() : result;
}

/** The same beside this thread. */
export function invokeAsync(libc: Libc, name: CallName, ...args: (number | string)[]): Promise<number> {
  return new Promise((resolve, reject) => {
    libc.functions[name].async(...args, (error: Error | null, result: number | bigint) => {
      if (error !== null) reject(error);
      else resolve(Number(result) < 0 ? -libc.errno() : Number(result));
    });
  });
}

/** invoke() for what the backend itself needs: throws if it fails. */
export function must(libc: Libc, name: CallName, ...args: (number | string)[]): number {
  const result = invoke(libc, name, ...args);
  if (result < 0) throw new Error(`${name}: errno ${-result}`);
  return result;
}
