/*
 * C's structures for calls, made from a script's arguments and read back: addresses, messages, control messages.
 * Every machine that koffi runs on with 64 bits lays them out so (little-endian).
 * Read first: socket(7), recvmsg(2), cmsg(3), ip(7) for IP_RECVERR, Documentation/networking/timestamping.rst.
 */
import { CallError, checkStamp, endOf, field, iovIsBuffer, iovLength, listOf, number, same, type End } from '../call-args.ts';
import type { Expr } from '../script.ts';
import { Memory, type Libc } from './libc.ts';

/** No process has a page there. */
const BAD_ADDRESS = 1n;
export const SOCKADDR_IN = 16;
const MSGHDR = 56;
const CMSGHDR = 16;
const CONTROL_ROOM = 4096;

const SOL_IP = 0;
const SOL_SOCKET = 1;
const IP_RECVERR = 11;
const SCM_TIMESTAMPING = 37;
const SCM_TIMESTAMPING_NEW = 65;

/** What a script spells out of an address; `...` is the default. */
export function sockaddrIn(libc: Libc, spec: Expr | undefined, ip: number, port: number): Memory {
  const memory = new Memory(libc, SOCKADDR_IN);
  const end = endOf(spec, ip, port);
  memory.view.setUint16(0, end.family, true);
  memory.view.setUint16(2, end.port);
  memory.view.setInt32(4, end.ip);
  return memory;
}

/** Reads a struct sockaddr_in. */
export function readSockaddrIn({ view }: Memory): End {
  return { family: view.getUint16(0, true), ip: view.getInt32(4), port: view.getUint16(2) };
}

/** struct msghdr, and all that it points to. */
export class Message {
  readonly header: Memory;
  readonly control: Memory;
  readonly keep: Memory[];

  constructor(libc: Libc) {
    this.header = new Memory(libc, MSGHDR);
    this.control = new Memory(libc, CONTROL_ROOM);
    this.keep = [];
  }
}

/** An array of struct iovec: buffers of zeros of the lengths that the script gives. */
export function iovecs(libc: Libc, spec: Expr | undefined): { readonly array: Memory; readonly count: number; readonly keep: Memory[] } {
  const items = listOf(spec);
  const array = new Memory(libc, items.length * 16);
  const keep = items.map((item, i) => {
    const length = iovLength(item);
    const buffer = new Memory(libc, length);
    array.view.setBigUint64(i * 16, iovIsBuffer(item) ? BigInt(buffer.address) : BAD_ADDRESS, true);
    array.view.setBigUint64(i * 16 + 8, BigInt(length), true);
    return buffer;
  });
  return { array, count: items.length, keep };
}

export function makeMessage(libc: Libc, spec: Expr | undefined, name: Memory | null): Message {
  const message = new Message(libc);
  const { view } = message.header;
  const { array, count, keep } = iovecs(libc, field(spec, 'msg_iov'));
  message.keep.push(array, ...keep);
  if (name !== null) {
    message.keep.push(name);
    view.setBigUint64(0, BigInt(name.address), true);
    view.setUint32(8, SOCKADDR_IN, true);
  }
  view.setBigUint64(16, BigInt(array.address), true);
  view.setBigUint64(24, BigInt(count), true);
  return message;
}

function setControl(message: Message, length: number): void {
  message.header.view.setBigUint64(32, length === 0 ? 0n : BigInt(message.control.address), true);
  message.header.view.setBigUint64(40, BigInt(length), true);
}

/** Control messages that go with what is sent: each an int. */
export function sendControl(message: Message, spec: Expr | undefined): void {
  const { view } = message.control;
  let at = 0;
  for (const item of listOf(field(spec, 'msg_control'))) {
    view.setBigUint64(at, BigInt(CMSGHDR + 4), true);
    view.setInt32(at + 8, number(field(item, 'cmsg_level'), 'cmsg_level'), true);
    view.setInt32(at + 12, number(field(item, 'cmsg_type'), 'cmsg_type'), true);
    view.setInt32(at + 16, number(field(item, 'cmsg_data'), 'cmsg_data'), true);
    at += CMSGHDR + 8;
  }
  setControl(message, at);
}

export function receiveControl(message: Message): void {
  setControl(message, CONTROL_ROOM);
}

interface Received {
  readonly level: number;
  readonly type: number;
  readonly data: DataView;
}

function received(message: Message): Received[] {
  const out: Received[] = [];
  const end = Number(message.header.view.getBigUint64(40, true));
  const { buffer, view } = message.control;
  for (let at = 0; at + CMSGHDR <= end;) {
    const length = Number(view.getBigUint64(at, true));
    if (length < CMSGHDR) break;
    const data = new DataView(buffer, at + CMSGHDR, length - CMSGHDR);
    out.push({ level: view.getInt32(at + 8, true), type: view.getInt32(at + 12, true), data });
    at += (length + 7) & ~7;
  }
  return out;
}

/** struct sock_extended_err. */
function checkError(want: ReadonlyMap<string, Expr>, data: DataView): void {
  const got: Readonly<Record<string, number>> = {
    ee_errno: data.getUint32(0, true), ee_origin: data.getUint8(4), ee_type: data.getUint8(5), ee_code: data.getUint8(6),
    ee_info: data.getUint32(8, true), ee_data: data.getUint32(12, true),
  };
  for (const [name, value] of want) same(name, value, got[name]);
}

/** `epoch`: ns of the real-time clock when the script began. */
function checkData(want: Expr | undefined, cmsg: Received, epoch: number): void {
  if (want === undefined || want.kind === 'any') return;
  const { level, type, data } = cmsg;
  if (want.kind !== 'struct') {
    same('cmsg_data', want, data.byteLength < 4 ? data.getUint8(0) : data.getInt32(0, true));
  } else if (level === SOL_SOCKET && (type === SCM_TIMESTAMPING || type === SCM_TIMESTAMPING_NEW)) {
    checkStamp(want.fields, Number(data.getBigInt64(0, true)) * 1e9 + Number(data.getBigInt64(8, true)) - epoch);
  } else if (level === SOL_IP && type === IP_RECVERR) {
    checkError(want.fields, data);
  } else {
    throw new CallError(`cmsg_data: the structure of level ${level}, type ${type} is not known here`);
  }
}

/** Compares what came besides the payload with what the script says. */
export function checkMessage(spec: Expr | undefined, message: Message, epoch: number): void {
  same('msg_flags', field(spec, 'msg_flags'), message.header.view.getInt32(48, true));
  const control = field(spec, 'msg_control');
  if (control?.kind !== 'array') return;
  const got = received(message);
  if (got.length !== control.items.length) throw new CallError(`msg_control: expected ${control.items.length} control messages, got ${got.length}`);
  control.items.forEach((want, i) => {
    const cmsg = got[i];
    if (cmsg === undefined) return;
    same('cmsg_level', field(want, 'cmsg_level'), cmsg.level);
    same('cmsg_type', field(want, 'cmsg_type'), cmsg.type);
    checkData(field(want, 'cmsg_data'), cmsg, epoch);
  });
}
