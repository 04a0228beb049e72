/*
 * The system calls of scripts, done to a host of the house. Each takes a script's arguments and gives the call's result as the
 * kernel would (a count, a descriptor, -errno), or a promise of it; what comes back through pointers is compared here.
 */
import { SockAddrIn } from '@stack/inet-sock';
import { ENOSYS } from '@stack/kernel';
import {
  Cmsg, EpollEvent, F_GETFL, Iovec, Linger, MsgHdr, PollFd, ScmTimestamping, sysAccept, sysBind, sysClose, sysConnect, sysEpollCreate, sysEpollCtl,
  sysEpollWait, sysFcntl, sysGetpeername, sysGetsockname, sysGetsockopt, sysIoctl, sysListen, sysOpen, sysPipe, sysPoll, sysRead, sysReadv, sysRecv, sysRecvfrom, sysRecvmsg, sysSend, sysSendfile, sysSendmsg, sysSendto,
  SOL_TCP, sysSetsockopt, sysShutdown, sysSocket, sysSplice, sysWrite, sysWritev, type Task,
} from '@stack/socket';
import { TCP_FASTOPEN_KEY } from '@stack/tcp';
import { CallError, checkEnd, checkStamp, descriptor, endOf, epollData, field, int, iovIsBuffer, iovLength, listOf, number, octetsOf, pointee, PORT, same, sameFields, type Args } from './call-args.ts';
import type { Expr } from './script.ts';
import type { CallContext, Outcome } from './target.ts';

/** What calls are made with: the run's context, and the task that makes them. */
export interface HouseCalls extends CallContext {
  readonly task: Task;
  /** World time in ns when the script began: what timestamps count from. */
  readonly start: number;
}

type Call = (c: HouseCalls, args: Args) => Outcome;

function fd(c: HouseCalls, args: Args, i = 0): number {
  return descriptor(c, int(args, i, -1));
}

function address(spec: Expr | undefined, ip: number): SockAddrIn {
  const end = endOf(spec, ip, PORT);
  return new SockAddrIn(end.ip, end.port, end.family);
}

/** Where to send: NULL and what is left out is where the socket is connected to. */
function destination(c: HouseCalls, spec: Expr | undefined): SockAddrIn | null {
  return spec === undefined || spec.kind === 'int' ? null : address(spec, c.remoteIp);
}

/** The buffer in front of its length, args[i]: zeros; an address, NULL or any, is no buffer, but has a length. */
function zeros(args: Args, i: number): Uint8Array {
  const length = int(args, i);
  return args[i - 1]?.kind === 'int' ? { length } as Uint8Array : new Uint8Array(length);
}

/** `{..., 2000}`: a buffer of that length. */
function iovecs(value: Expr | undefined): Iovec[] {
  if (value?.kind !== 'array') return [];
  return value.items.map((item) => (iovIsBuffer(item) ? new Iovec(new Uint8Array(iovLength(item))) : new Iovec(null as unknown as Uint8Array, iovLength(item))));
}

function message(spec: Expr | undefined): MsgHdr {
  const msg = new MsgHdr();
  msg.msgIov = iovecs(field(spec, 'msg_iov'));
  msg.msgIovlen = msg.msgIov.length;
  const control = field(spec, 'msg_control');
  if (control?.kind === 'array') {
    msg.msgControl = control.items.map((item) => {
      const data = field(item, 'cmsg_data');
      return new Cmsg(number(field(item, 'cmsg_level'), 'cmsg_level'), number(field(item, 'cmsg_type'), 'cmsg_type'), data?.kind === 'int' ? data.value : 0);
    });
    msg.msgControllen = msg.msgControl.length;
  }
  return msg;
}

/** The names of struct fields in the stack, from C's: `ee_errno` is `eeErrno`, `scm_sec` is the sec of a timestamp. */
function camel(name: string): string {
  return name.replace(/_([a-z])/g, (_all, letter: string) => letter.toUpperCase());
}

function checkScm(c: HouseCalls, want: ReadonlyMap<string, Expr>, data: object): void {
  if (!(data instanceof ScmTimestamping)) throw new CallError('cmsg_data: not a timestamp');
  const stamp = data.ts[0];
  const epoch = c.task.net.world.clock.wallTime() * 1e6 - c.task.net.world.now;
  checkStamp(want, stamp.tvSec * 1e9 + stamp.tvNsec - epoch - c.start);
}

function checkData(c: HouseCalls, want: Expr | undefined, data: number | Uint8Array | object): void {
  if (want === undefined || want.kind === 'any') return;
  if (want.kind !== 'struct') {
    same('cmsg_data', want, data);
    return;
  }
  if (want.fields.has('scm_sec')) {
    checkScm(c, want.fields, data as object);
    return;
  }
  for (const [name, value] of want.fields) same(name, value, Reflect.get(data as object, camel(name)));
}

function checkMessage(c: HouseCalls, spec: Expr | undefined, msg: MsgHdr): void {
  same('msg_flags', field(spec, 'msg_flags'), msg.msgFlags);
  const control = field(spec, 'msg_control');
  if (control?.kind !== 'array') return;
  const got = msg.msgControl ?? [];
  if (got.length !== control.items.length) throw new CallError(`msg_control: expected ${control.items.length} control messages, got ${got.length}`);
  control.items.forEach((want, i) => {
    const cmsg = got[i];
    if (cmsg === undefined) return;
    same('cmsg_level', field(want, 'cmsg_level'), cmsg.cmsgLevel);
    same('cmsg_type', field(want, 'cmsg_type'), cmsg.cmsgType);
    checkData(c, field(want, 'cmsg_data'), cmsg.cmsgData);
  });
}

const recvmsg: Call = (c, args) => {
  const msg = message(args[1]);
  // What the script lists is what should come; room for it, and for one that should not.
  msg.msgControl = [];
  msg.msgControllen = 8;
  return { result: sysRecvmsg(c.task, fd(c, args), msg, int(args, 2)), check: (result) => (result >= 0 ? checkMessage(c, args[1], msg) : undefined) };
};

function optionValue(args: Args): number | string | Linger | Uint8Array {
  const value = args[3];
  if (value?.kind === 'string') return int(args, 2) === TCP_FASTOPEN_KEY && int(args, 1) === SOL_TCP ? octetsOf(value.value) : value.value;
  const struct = pointee(value);
  if (struct?.kind === 'struct') return new Linger(number(field(struct, 'onoff') ?? field(struct, 'l_onoff'), 'onoff'), number(field(struct, 'linger') ?? field(struct, 'l_linger'), 'linger'));
  return int(args, 3);
}

/** A struct's fields under C's names. */
function cFields(struct: object): Map<string, unknown> {
  return new Map(Object.entries(struct).map(([name, value]) => [name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), value]));
}

function checkOption(want: Expr | undefined, got: number | object): void {
  if (typeof got === 'number') same('the option', want, got);
  else if (want?.kind === 'struct' && got instanceof Linger) sameFields(want, new Map([...cFields(got), ['onoff', got.lOnoff], ['linger', got.lLinger]]));
  else if (want?.kind === 'struct') sameFields(want, cFields(got));
  else if (want?.kind === 'string' && 'name' in got) same('the option', want, got.name);
  else same('the option', want, 'value' in got ? got.value : got);
}

const getsockopt: Call = (c, args) => {
  const got = sysGetsockopt(c.task, fd(c, args), int(args, 1), int(args, 2));
  const result = typeof got === 'number' && got < 0 ? got : 0;
  return { result, check: () => (result === 0 ? checkOption(pointee(args[3]), got) : undefined) };
};

/** getsockname, getpeername. */
const nameOf = (call: typeof sysGetsockname): Call => (c, args) => {
  const name = new SockAddrIn();
  const result = call(c.task, fd(c, args), name);
  return { result, check: () => (result === 0 ? checkEnd(args[1], { family: name.saFamily, ip: name.sinAddr, port: name.sinPort }) : undefined) };
};

const poll: Call = (c, args) => {
  const specs = args[0]?.kind === 'array' ? args[0].items : [];
  const fds = specs.map((spec) => {
    const wanted = number(field(spec, 'fd'), 'fd');
    return new PollFd(descriptor(c, wanted), number(field(spec, 'events'), 'events'));
  });
  return {
    result: sysPoll(c.task, fds, int(args, 2)),
    check: () => specs.forEach((spec, i) => same('revents', field(spec, 'revents'), fds[i]?.revents)),
  };
};

const epollWait: Call = (c, args) => {
  const events: EpollEvent[] = Array.from({ length: Math.max(int(args, 2), 1) }, () => new EpollEvent());
  const specs = listOf(args[1]);
  return {
    result: sysEpollWait(c.task, fd(c, args), events, int(args, 3)),
    check: (count) => specs.slice(0, count).forEach((spec, i) => {
      same('events', field(spec, 'events'), events[i]?.events);
      same('fd', epollData(spec), events[i]?.data);
    }),
  };
};

const epollCtl: Call = (c, args) => {
  const events = field(args[3], 'events');
  const data = epollData(args[3]);
  const event = events === undefined ? null : new EpollEvent(number(events, 'events') >>> 0, data?.kind === 'int' ? data.value : int(args, 2));
  return { result: sysEpollCtl(c.task, fd(c, args), int(args, 1), fd(c, args, 2), event) };
};

/** The script's numbers of both ends are known at once. */
const pipe: Call = (c, args) => {
  const made = sysPipe(c.task);
  if (typeof made === 'number') return { result: made };
  const ends = args[0]?.kind === 'array' ? args[0].items : [];
  ends.forEach((end, i) => c.fds.set(number(end, 'a descriptor'), made[i] ?? -1));
  return { result: 0 };
};

const fcntl: Call = (c, args) => ({ result: sysFcntl(c.task, fd(c, args), int(args, 1), int(args, 1) === F_GETFL ? 0 : int(args, 2)) });

const ioctl: Call = (c, args) => {
  const got = sysIoctl(c.task, fd(c, args), int(args, 1));
  const want = pointee(args[2]);
  return { result: Math.min(got, 0), check: () => (got >= 0 ? same('the answer', want, got) : undefined) };
};

/** Every call that scripts make, by name. */
const calls: Readonly<Record<string, Call>> = {
  socket: (c, args) => ({ result: sysSocket(c.task, int(args, 0, 2), int(args, 1), int(args, 2)), opens: true }),
  bind: (c, args) => ({ result: sysBind(c.task, fd(c, args), address(args[1], c.localIp)) }),
  listen: (c, args) => ({ result: sysListen(c.task, fd(c, args), int(args, 1)) }),
  accept: (c, args) => ({ result: sysAccept(c.task, fd(c, args)), opens: true }),
  accept4: (c, args) => ({ result: sysAccept(c.task, fd(c, args), null, int(args, 3)), opens: true }),
  readv: (c, args) => ({ result: sysReadv(c.task, fd(c, args), iovecs(args[1])) }),
  writev: (c, args) => ({ result: sysWritev(c.task, fd(c, args), iovecs(args[1])) }),
  connect: (c, args) => ({ result: sysConnect(c.task, fd(c, args), address(args[1], c.remoteIp)) }),
  getsockname: nameOf(sysGetsockname),
  getpeername: nameOf(sysGetpeername),
  read: (c, args) => ({ result: sysRead(c.task, fd(c, args), zeros(args, 2)) }),
  write: (c, args) => ({ result: sysWrite(c.task, fd(c, args), zeros(args, 2)) }),
  recv: (c, args) => ({ result: sysRecv(c.task, fd(c, args), zeros(args, 2), int(args, 3)) }),
  recvfrom: (c, args) => ({ result: sysRecvfrom(c.task, fd(c, args), zeros(args, 2), int(args, 3), null) }),
  send: (c, args) => ({ result: sysSend(c.task, fd(c, args), zeros(args, 2), int(args, 3)) }),
  sendto: (c, args) => ({ result: sysSendto(c.task, fd(c, args), zeros(args, 2), int(args, 3), destination(c, args[4])) }),
  sendmsg: (c, args) => {
    const msg = message(args[1]);
    msg.msgName = destination(c, field(args[1], 'msg_name'));
    return { result: sysSendmsg(c.task, fd(c, args), msg, int(args, 2)) };
  },
  recvmsg,
  close: (c, args) => {
    const result = sysClose(c.task, fd(c, args));
    c.fds.delete(int(args, 0));
    return { result };
  },
  shutdown: (c, args) => ({ result: sysShutdown(c.task, fd(c, args), int(args, 1)) }),
  setsockopt: (c, args) => ({ result: sysSetsockopt(c.task, fd(c, args), int(args, 1), int(args, 2), optionValue(args)) }),
  getsockopt,
  fcntl,
  ioctl,
  pipe,
  open: (c, args) => ({ result: sysOpen(c.task, args[0]?.kind === 'string' ? args[0].value : '', int(args, 1)), opens: true }),
  sendfile: (c, args) => ({ result: sysSendfile(c.task, fd(c, args), fd(c, args, 1), args[2]?.kind === 'array' ? int(args, 2) : null, int(args, 3)) }),
  splice: (c, args) => ({ result: sysSplice(c.task, fd(c, args), fd(c, args, 2), int(args, 4), int(args, 5)) }),
  poll,
  epoll_create: (c) => ({ result: sysEpollCreate(c.task), opens: true }),
  epoll_create1: (c) => ({ result: sysEpollCreate(c.task), opens: true }),
  epoll_ctl: epollCtl,
  epoll_wait: epollWait,
};

/** Makes a call of a script. */
export function makeCall(c: HouseCalls, name: string, args: Args): Outcome {
  const call = calls[name];
  return call === undefined ? { result: -ENOSYS } : call(c, args);
}
