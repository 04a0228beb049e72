/*
 * The system calls of scripts, done to the host under test. Each takes a script's arguments and gives the call's result as the
 * kernel would (a count, a descriptor, -errno), or a promise of it; what comes back through pointers is compared here.
 */
import { SockAddrIn } from '@stack/inet-sock';
import { errnoName, ENOSYS } from '@stack/kernel';
import {
  Cmsg, EpollEvent, F_GETFL, Iovec, Linger, MsgHdr, MSG_FASTOPEN, PollFd, ScmTimestamping, sysAccept, sysBind, sysClose, sysConnect, sysEpollCreate, sysEpollCtl,
  sysEpollWait, sysFcntl, sysGetsockopt, sysIoctl, sysListen, sysOpen, sysPipe, sysPoll, sysRead, sysRecv, sysRecvfrom, sysRecvmsg, sysSend, sysSendfile, sysSendmsg, sysSendto,
  sysSetsockopt, sysShutdown, sysSocket, sysSplice, sysWrite, type Task,
} from '@stack/socket';
import type { Expr } from './script.ts';

/** A call whose outcome is not what the script says. */
export class CallError extends Error {
  override readonly name = 'CallError';
}

/** What calls need to know of the run. */
export interface CallContext {
  readonly task: Task;
  readonly localIp: number;
  readonly remoteIp: number;
  readonly localPort: number;
  readonly remotePort: number;
  /** Descriptors: the script's number to the host's. */
  readonly fds: Map<number, number>;
  /** World time in ns when the script began: what timestamps count from. */
  readonly start: number;
}

/** What one kind of call does. Its last step, after the result is known, is `check`. */
export interface Outcome {
  readonly result: number | Promise<number>;
  /** Compares what came back besides the result; throws a CallError. */
  readonly check?: (result: number) => void;
  /** The result is a new descriptor. */
  readonly opens?: boolean;
}

type Args = readonly Expr[];
type Call = (c: CallContext, args: Args) => Outcome;

const PORT = 8080;

function int(args: Args, i: number, otherwise = 0): number {
  const arg = args[i];
  if (arg?.kind === 'int') return arg.value;
  if (arg?.kind === 'array' && arg.items.length > 0) return int(arg.items, 0, otherwise);
  return otherwise;
}

function fd(c: CallContext, args: Args, i = 0): number {
  const number = int(args, i, -1);
  return c.fds.get(number) ?? number;
}

const remote = (c: CallContext): SockAddrIn => new SockAddrIn(c.remoteIp, PORT);
const zeros = (args: Args, i: number): Uint8Array => new Uint8Array(int(args, i));

function field(value: Expr | undefined, name: string): Expr | undefined {
  return value?.kind === 'struct' ? value.fields.get(name) : undefined;
}

function number(value: Expr | undefined, what: string): number {
  if (value?.kind === 'int') return value.value;
  throw new CallError(`${what}: a number was expected in the script`);
}

function same(what: string, want: Expr | undefined, got: unknown): void {
  if (want === undefined || want.kind === 'any') return;
  if (want.kind === 'int' && want.value !== Number(got)) throw new CallError(`${what}: expected ${want.value}, got ${String(got)}`);
  if (want.kind === 'string' && want.value !== String(got)) throw new CallError(`${what}: expected "${want.value}", got "${String(got)}"`);
}

/** `{..., 2000}`: a buffer of that length. */
function iovecs(value: Expr | undefined): Iovec[] {
  if (value?.kind !== 'array') return [];
  return value.items.map((item) => new Iovec(new Uint8Array(item.kind === 'struct' ? number(item.items[1] ?? field(item, 'iov_len'), 'iov_len') : 0)));
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

/** Timestamps count from the script's start, and hold within the tolerance of 4 ms that scripts have. */
function checkScm(c: CallContext, want: ReadonlyMap<string, Expr>, data: object): void {
  if (!(data instanceof ScmTimestamping)) throw new CallError('cmsg_data: not a timestamp');
  const stamp = data.ts[0];
  const wanted = number(want.get('scm_sec'), 'scm_sec') * 1e9 + number(want.get('scm_nsec'), 'scm_nsec');
  const epoch = c.task.net.world.clock.wallTime() * 1e6 - c.task.net.world.now;
  const got = stamp.tvSec * 1e9 + stamp.tvNsec - epoch - c.start;
  if (Math.abs(got - wanted) > 4e6) throw new CallError(`scm_timestamping: expected ${wanted} ns after the start, got ${Math.round(got)}`);
}

function checkData(c: CallContext, want: Expr | undefined, data: number | Uint8Array | object): void {
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

function checkMessage(c: CallContext, spec: Expr | undefined, msg: MsgHdr): void {
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

function optionValue(args: Args): number | string | Linger {
  const value = args[3];
  if (value?.kind === 'string') return value.value;
  const struct = value?.kind === 'array' ? value.items[0] : value;
  if (struct?.kind === 'struct') return new Linger(number(field(struct, 'onoff'), 'onoff'), number(field(struct, 'linger'), 'linger'));
  return int(args, 3);
}

const getsockopt: Call = (c, args) => {
  const got = sysGetsockopt(c.task, fd(c, args), int(args, 1), int(args, 2));
  const result = typeof got === 'number' && got < 0 ? got : 0;
  const want = args[3]?.kind === 'array' ? args[3].items[0] : args[3];
  return { result, check: () => (result === 0 ? same('the option', want, typeof got === 'object' && 'value' in got ? got.value : got) : undefined) };
};

const poll: Call = (c, args) => {
  const specs = args[0]?.kind === 'array' ? args[0].items : [];
  const fds = specs.map((spec) => {
    const wanted = number(field(spec, 'fd'), 'fd');
    return new PollFd(c.fds.get(wanted) ?? wanted, number(field(spec, 'events'), 'events'));
  });
  return {
    result: sysPoll(c.task, fds, int(args, 2)),
    check: () => specs.forEach((spec, i) => same('revents', field(spec, 'revents'), fds[i]?.revents)),
  };
};

const epollWait: Call = (c, args) => {
  const events: EpollEvent[] = Array.from({ length: Math.max(int(args, 2), 1) }, () => new EpollEvent());
  const specs = args[1]?.kind === 'array' ? args[1].items : args[1] === undefined ? [] : [args[1]];
  return {
    result: sysEpollWait(c.task, fd(c, args), events, int(args, 3)),
    check: (count) => specs.slice(0, count).forEach((spec, i) => {
      same('events', field(spec, 'events'), events[i]?.events);
      same('fd', field(spec, 'fd'), events[i]?.data);
    }),
  };
};

const epollCtl: Call = (c, args) => {
  const events = field(args[3], 'events');
  const event = events === undefined ? null : new EpollEvent(number(events, 'events') >>> 0, int(args, 2));
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
  const want = args[2]?.kind === 'array' ? args[2].items[0] : args[2];
  return { result: Math.min(got, 0), check: () => (got >= 0 ? same('the answer', want, got) : undefined) };
};

/** Every call that scripts make, by name. */
const calls: Readonly<Record<string, Call>> = {
  socket: (c, args) => ({ result: sysSocket(c.task, int(args, 0, 2), int(args, 1), int(args, 2)), opens: true }),
  bind: (c, args) => ({ result: sysBind(c.task, fd(c, args), new SockAddrIn(c.localIp, PORT)) }),
  listen: (c, args) => ({ result: sysListen(c.task, fd(c, args), int(args, 1)) }),
  accept: (c, args) => ({ result: sysAccept(c.task, fd(c, args)), opens: true }),
  connect: (c, args) => ({ result: sysConnect(c.task, fd(c, args), remote(c)) }),
  read: (c, args) => ({ result: sysRead(c.task, fd(c, args), zeros(args, 2)) }),
  write: (c, args) => ({ result: sysWrite(c.task, fd(c, args), zeros(args, 2)) }),
  recv: (c, args) => ({ result: sysRecv(c.task, fd(c, args), zeros(args, 2), int(args, 3)) }),
  recvfrom: (c, args) => ({ result: sysRecvfrom(c.task, fd(c, args), zeros(args, 2), int(args, 3), null) }),
  send: (c, args) => ({ result: sysSend(c.task, fd(c, args), zeros(args, 2), int(args, 3)) }),
  sendto: (c, args) => {
    const flags = int(args, 3);
    return { result: sysSendto(c.task, fd(c, args), zeros(args, 2), flags, (flags & MSG_FASTOPEN) !== 0 ? remote(c) : null) };
  },
  sendmsg: (c, args) => {
    const msg = message(args[1]);
    if ((int(args, 2) & MSG_FASTOPEN) !== 0) msg.msgName = remote(c);
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
  epoll_ctl: epollCtl,
  epoll_wait: epollWait,
};

/** Makes a call of a script. */
export function makeCall(c: CallContext, name: string, args: Args): Outcome {
  const call = calls[name];
  return call === undefined ? { result: -ENOSYS } : call(c, args);
}

/** A result as a script writes it: `-1 EAGAIN`. */
export function formatResult(result: number): string {
  return result >= 0 ? String(result) : `-1 ${errnoName(-result)}`;
}

/** Compares a result with the script's; throws a CallError. */
export function checkResult(name: string, want: Expr, errno: string | null, got: number): void {
  if (want.kind === 'any') return;
  const wanted = want.kind === 'int' ? want.value : 0;
  if (errno !== null ? got === (got < 0 ? got : NaN) && errnoName(-got) === errno : got === wanted) return;
  throw new CallError(`${name}: expected ${errno === null ? wanted : `-1 ${errno}`}, got ${formatResult(got)}`);
}
