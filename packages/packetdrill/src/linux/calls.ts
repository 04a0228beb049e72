/*
 * The system calls of scripts, made to this machine's kernel.
 *
 * makeLinuxCall() -> one of `calls` turns the script's arguments into C's (structs.ts) -> the call itself, or the same in a thread of
 * its own if the script says that it blocks -> its check of what came back through pointers.
 */
import { ENOSYS } from '@stack/kernel';
import { checkEnd, descriptor, epollData, field, int, listOf, number, sameFields, octetsOf, pointee, PORT, same, type Args } from '../call-args.ts';
import type { Expr } from '../script.ts';
import type { CallContext, Outcome } from '../target.ts';
import { invoke, invokeAsync, Memory, type CallName, type Libc } from './libc.ts';
import { checkMessage, iovecs, makeMessage, readSockaddrIn, receiveControl, sendControl, SOCKADDR_IN, sockaddrIn } from './structs.ts';
import { parseTcpInfo, TCP_INFO_MAX } from './tcp-info.ts';

/** What calls are made with. */
export interface LinuxCalls extends CallContext {
  readonly libc: Libc;
  /** ns of the real-time clock when the script began. */
  readonly epoch: number;
}

/** A call in C's terms. */
interface Prepared {
  readonly name?: CallName;
  readonly args: readonly (number | string)[];
  /** What the addresses among `args` point to. */
  readonly keep?: readonly Memory[];
  readonly check?: (result: number) => void;
  readonly opens?: boolean;
}

type Call = (c: LinuxCalls, args: Args) => Prepared;

/** struct epoll_event has no padding on x86 alone. */
const EPOLL_EVENT = process.arch === 'x64' ? { size: 12, data: 4 } : { size: 16, data: 8 };
const POLLFD = 8;
const SOL_TCP = 6;
const TCP_INFO = 11;

function fd(c: LinuxCalls, args: Args, i = 0): number {
  return descriptor(c, int(args, i, -1));
}

/** A buffer of zeros of the length that follows it; NULL is NULL. */
function buffer(c: LinuxCalls, args: Args, i: number): { readonly address: number; readonly keep: readonly Memory[] } {
  const given = args[i];
  if (given?.kind === 'int') return { address: given.value, keep: [] };
  const memory = new Memory(c.libc, int(args, i + 1));
  if (given?.kind === 'string') memory.bytes.set(octetsOf(given.value).subarray(0, memory.bytes.length));
  return { address: memory.address, keep: [memory] };
}

/** The calls of one buffer: read, write, send, recv; flags follow where there are any. */
const transfer: Call = (c, args) => {
  const { address, keep } = buffer(c, args, 1);
  const flags = args.length > 3 ? [int(args, 3)] : [];
  return { args: [fd(c, args), address, int(args, 2), ...flags], keep };
};

const vector: Call = (c, args) => {
  const { array, count, keep } = iovecs(c.libc, args[1]);
  return { args: [fd(c, args), array.address, args.length > 2 ? int(args, 2) : count], keep: [array, ...keep] };
};

function remote(c: LinuxCalls, spec: Expr | undefined): Memory | null {
  return spec === undefined || spec.kind === 'int' ? null : sockaddrIn(c.libc, spec, c.remoteIp, PORT);
}

const sendto: Call = (c, args) => {
  const { address, keep } = buffer(c, args, 1);
  const name = remote(c, args[4]);
  return { args: [fd(c, args), address, int(args, 2), int(args, 3), name?.address ?? 0, name === null ? 0 : SOCKADDR_IN], keep: name === null ? keep : [...keep, name] };
};

const sendmsg: Call = (c, args) => {
  const message = makeMessage(c.libc, args[1], remote(c, field(args[1], 'msg_name')));
  sendControl(message, args[1]);
  return { args: [fd(c, args), message.header.address, int(args, 2)], keep: [message.header, message.control, ...message.keep] };
};

const recvmsg: Call = (c, args) => {
  const message = makeMessage(c.libc, args[1], null);
  receiveControl(message);
  return {
    args: [fd(c, args), message.header.address, int(args, 2)],
    keep: [message.header, message.control, ...message.keep],
    check: (result) => (result >= 0 ? checkMessage(args[1], message, c.epoch) : undefined),
  };
};

/** What an option is set to: text, a struct linger, an int (or a u64 if the script says that it has 8 octets). */
function optionValue(c: LinuxCalls, args: Args): { readonly memory: Memory; readonly length: number } {
  const value = pointee(args[3]);
  if (value?.kind === 'string') {
    const bytes = octetsOf(value.value);
    const memory = new Memory(c.libc, bytes.length);
    memory.bytes.set(bytes);
    return { memory, length: bytes.length };
  }
  const memory = new Memory(c.libc, 256);
  if (value?.kind === 'struct') {
    memory.view.setInt32(0, number(field(value, 'onoff') ?? field(value, 'l_onoff'), 'onoff'), true);
    memory.view.setInt32(4, number(field(value, 'linger') ?? field(value, 'l_linger'), 'linger'), true);
    return { memory, length: int(args, 4, 8) };
  }
  const wanted = BigInt(value?.kind === 'int' ? Math.trunc(value.value) : 0);
  memory.view.setBigInt64(0, wanted, true);
  return { memory, length: int(args, 4, 4) };
}

const setsockopt: Call = (c, args) => {
  const { memory, length } = optionValue(c, args);
  return { args: [fd(c, args), int(args, 1), int(args, 2), memory.address, length], keep: [memory] };
};

function optionNumber(view: DataView, length: number): number {
  if (length === 1) return view.getUint8(0);
  return length === 8 ? Number(view.getBigInt64(0, true)) : view.getInt32(0, true);
}

const getsockopt: Call = (c, args) => {
  const want = pointee(args[3]);
  const room = int(args, 4, want?.kind === 'string' ? 64 : want?.kind === 'struct' ? (int(args, 2) === TCP_INFO ? TCP_INFO_MAX : 8) : 4);
  const value = new Memory(c.libc, Math.max(room, 64));
  const length = new Memory(c.libc, 4);
  length.view.setUint32(0, room, true);
  const check = (result: number): void => {
    if (result < 0) return;
    const got = length.view.getUint32(0, true);
    if (want?.kind === 'string') {
      same('the option', want, new TextDecoder().decode(value.bytes.subarray(0, got)).replace(/\0[\s\S]*$/, ''));
    } else if (want?.kind === 'struct' && int(args, 1) === SOL_TCP && int(args, 2) === TCP_INFO) {
      sameFields(want, parseTcpInfo(value.view, got));
    } else if (want?.kind === 'struct') {
      same('onoff', field(want, 'onoff') ?? field(want, 'l_onoff'), value.view.getInt32(0, true));
      same('linger', field(want, 'linger') ?? field(want, 'l_linger'), value.view.getInt32(4, true));
    } else {
      same('the option', want, optionNumber(value.view, got));
    }
  };
  return { args: [fd(c, args), int(args, 1), int(args, 2), value.address, length.address], keep: [value, length], check };
};

const poll: Call = (c, args) => {
  const specs = listOf(args[0]);
  const fds = new Memory(c.libc, specs.length * POLLFD);
  specs.forEach((spec, i) => {
    const wanted = number(field(spec, 'fd'), 'fd');
    fds.view.setInt32(i * POLLFD, descriptor(c, wanted), true);
    fds.view.setInt16(i * POLLFD + 4, number(field(spec, 'events'), 'events'), true);
  });
  const check = (): void => specs.forEach((spec, i) => same('revents', field(spec, 'revents'), fds.view.getInt16(i * POLLFD + 6, true)));
  return { args: [fds.address, specs.length, int(args, 2)], keep: [fds], check };
};

const epollWait: Call = (c, args) => {
  const specs = listOf(args[1]);
  const events = new Memory(c.libc, Math.max(int(args, 2), 1) * EPOLL_EVENT.size);
  const check = (count: number): void => specs.slice(0, Math.max(count, 0)).forEach((spec, i) => {
    same('events', field(spec, 'events'), events.view.getUint32(i * EPOLL_EVENT.size, true));
    same('fd', epollData(spec), events.view.getInt32(i * EPOLL_EVENT.size + EPOLL_EVENT.data, true));
  });
  return { args: [fd(c, args), events.address, int(args, 2), int(args, 3)], keep: [events], check };
};

const epollCtl: Call = (c, args) => {
  const event = new Memory(c.libc, 16);
  const events = field(args[3], 'events');
  const data = epollData(args[3]);
  event.view.setUint32(0, events === undefined ? 0 : number(events, 'events') >>> 0, true);
  event.view.setInt32(EPOLL_EVENT.data, data?.kind === 'int' ? data.value : int(args, 2), true);
  return { args: [fd(c, args), int(args, 1), fd(c, args, 2), events === undefined ? 0 : event.address], keep: [event] };
};

const pipe: Call = (c, args) => {
  const ends = new Memory(c.libc, 8);
  const check = (result: number): void => {
    if (result === 0) listOf(args[0]).forEach((end, i) => c.fds.set(number(end, 'a descriptor'), ends.view.getInt32(i * 4, true)));
  };
  return { args: [ends.address], keep: [ends], check };
};

const ioctl: Call = (c, args) => {
  const value = new Memory(c.libc, 64);
  value.view.setInt32(0, int(args, 2), true);
  return { args: [fd(c, args), int(args, 1), value.address], keep: [value], check: (result) => (result >= 0 ? same('the answer', pointee(args[2]), value.view.getInt32(0, true)) : undefined) };
};

/** A file's position: `[0]`; NULL is NULL. */
function offset(c: LinuxCalls, args: Args, i: number): { readonly address: number; readonly keep: readonly Memory[] } {
  if (args[i]?.kind !== 'array') return { address: 0, keep: [] };
  const memory = new Memory(c.libc, 8);
  memory.view.setBigInt64(0, BigInt(int(args, i)), true);
  return { address: memory.address, keep: [memory] };
}

const sendfile: Call = (c, args) => {
  const { address, keep } = offset(c, args, 2);
  return { args: [fd(c, args), fd(c, args, 1), address, int(args, 3)], keep };
};

const splice: Call = (c, args) => {
  const from = offset(c, args, 1);
  const to = offset(c, args, 3);
  return { args: [fd(c, args), from.address, fd(c, args, 2), to.address, int(args, 4), int(args, 5)], keep: [...from.keep, ...to.keep] };
};

const named = (name: 'local' | 'remote'): Call => (c, args) => {
  const address = sockaddrIn(c.libc, args[1], name === 'local' ? c.localIp : c.remoteIp, PORT);
  return { args: [fd(c, args), address.address, SOCKADDR_IN], keep: [address] };
};

/** getsockname, getpeername. */
const nameOf: Call = (c, args) => {
  const address = new Memory(c.libc, SOCKADDR_IN);
  const length = new Memory(c.libc, 4);
  length.view.setUint32(0, SOCKADDR_IN, true);
  return {
    args: [fd(c, args), address.address, length.address], keep: [address, length],
    check: (result) => (result === 0 ? checkEnd(args[1], readSockaddrIn(address)) : undefined),
  };
};

/** Every call that scripts make, by name. */
const calls: Readonly<Record<string, Call>> = {
  socket: (_c, args) => ({ args: [int(args, 0, 2), int(args, 1), int(args, 2)], opens: true }),
  bind: named('local'),
  connect: named('remote'),
  getsockname: nameOf,
  getpeername: nameOf,
  listen: (c, args) => ({ args: [fd(c, args), int(args, 1)] }),
  accept: (c, args) => ({ args: [fd(c, args), 0, 0], opens: true }),
  accept4: (c, args) => ({ args: [fd(c, args), 0, 0, int(args, 3)], opens: true }),
  read: transfer,
  write: transfer,
  recv: transfer,
  send: transfer,
  readv: vector,
  writev: vector,
  sendto,
  recvfrom: (c, args) => {
    const { address, keep } = buffer(c, args, 1);
    return { args: [fd(c, args), address, int(args, 2), int(args, 3), 0, 0], keep };
  },
  sendmsg,
  recvmsg,
  close: (c, args) => ({ args: [fd(c, args)], check: () => c.fds.delete(int(args, 0)) }),
  shutdown: (c, args) => ({ args: [fd(c, args), int(args, 1)] }),
  setsockopt,
  getsockopt,
  fcntl: (c, args) => ({ args: [fd(c, args), int(args, 1), int(args, 2)] }),
  ioctl,
  pipe,
  open: (_c, args) => ({ args: [args[0]?.kind === 'string' ? args[0].value : '', int(args, 1), int(args, 2, 0o600)], opens: true }),
  sendfile,
  splice,
  poll,
  epoll_create: (_c, args) => ({ args: [int(args, 0, 1)], opens: true }),
  epoll_create1: (_c, args) => ({ args: [int(args, 0)], opens: true }),
  epoll_ctl: epollCtl,
  epoll_wait: epollWait,
};

/** Makes a call of a script; in a thread of its own if `blocking`. */
export function makeLinuxCall(c: LinuxCalls, name: string, args: Args, blocking: boolean): Outcome {
  const call = calls[name];
  if (call === undefined) return { result: -ENOSYS };
  const prepared = call(c, args);
  const of = prepared.name ?? (name as CallName);
  const check = (result: number): void => prepared.check?.(result);
  if (!blocking) return { result: invoke(c.libc, of, ...prepared.args), check, opens: prepared.opens === true };
  // What is pointed to lives as long as somebody waits for the result.
  const result = invokeAsync(c.libc, of, ...prepared.args).finally(() => prepared.keep);
  return { result, check, opens: prepared.opens === true };
}
