/*
 * How system calls that move data sleep: the operations that a Sleeper does again, for files (read, write), for sockets
 * that are sent to and received from. See sleep.ts.
 */
import { EAGAIN, EINTR, MAX_SCHEDULE_TIMEOUT } from '@stack/kernel';
import type { File, Kiocb } from './file.ts';
import { iocbPut } from './iocb.ts';
import type { MsgHdr } from './msghdr.ts';
import type { Socket } from './net-struct.ts';
import { signalPending, sleeperGet, sleeperStart } from './sleep.ts';
import type { Sleeper, SleepOps, SysOptions } from './sleep.ts';
import { sockFromFile, sockRecvmsg, sockSendmsg } from './socket.ts';
import type { Task } from './task.ts';
import { msgZerocopyRelease } from './zerocopy.ts';
import {
  EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLPRI, EPOLLRDBAND, EPOLLRDHUP, EPOLLRDNORM, EPOLLWRBAND, EPOLLWRNORM,
} from './uapi-fs.ts';

/** What may let a receive go on, and a send. */
export const EVENTS_IN = EPOLLIN | EPOLLRDNORM | EPOLLPRI | EPOLLRDBAND | EPOLLERR | EPOLLHUP | EPOLLRDHUP;
export const EVENTS_OUT = EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND | EPOLLERR | EPOLLHUP;

/** What was moved before the sleep ended for the reason `why`, or `why`. */
function partial(sleeper: Sleeper, why: number): number {
  const msg = sleeper.msg as MsgHdr;
  msgZerocopyRelease(msg);
  const moved = Math.max(msg.msgCopied, sleeper.len - msg.msgIterCount);
  return moved > 0 ? moved : why;
}

const readAgain: SleepOps = {
  name: 'read',
  restart: (s) => (s.file as File).fOp.aioRead(s.iocb as Kiocb),
  giveUp: partial,
};

const writeAgain: SleepOps = {
  name: 'write',
  restart: (s) => (s.file as File).fOp.aioWrite(s.iocb as Kiocb),
  giveUp: partial,
};

const recvAgain: SleepOps = {
  name: 'recv',
  restart: (s) => sockRecvmsg((s.file as File).privateData as Socket, s.msg as MsgHdr, s.len, s.flags),
  giveUp: partial,
};

const sendAgain: SleepOps = {
  name: 'send',
  restart: (s) => sockSendmsg((s.file as File).privateData as Socket, s.msg as MsgHdr, s.len),
  giveUp: partial,
};

function rcvtimeo(file: File): number {
  const sock = sockFromFile(file);
  return sock === null || sock.sk === null ? MAX_SCHEDULE_TIMEOUT : sock.sk.skRcvtimeo;
}

function sndtimeo(file: File): number {
  const sock = sockFromFile(file);
  return sock === null || sock.sk === null ? MAX_SCHEDULE_TIMEOUT : sock.sk.skSndtimeo;
}

function sleepOn(
  task: Task, ops: SleepOps, fd: number, file: File, iocb: Kiocb | null, msg: MsgHdr, len: number, flags: number, options: SysOptions | undefined,
): number | Promise<number> {
  if (file.fWq === null || signalPending(options)) {
    msgZerocopyRelease(msg);
    if (iocb !== null) iocbPut(task, iocb);
    return file.fWq === null ? -EAGAIN : -EINTR;
  }
  const down = ops === writeAgain || ops === sendAgain;
  const sleeper = sleeperGet(task, ops, fd, file);
  sleeper.iocb = iocb;
  sleeper.msg = msg;
  sleeper.len = len;
  sleeper.flags = flags;
  msg.msgRestarted = true;
  return sleeperStart(sleeper, file.fWq, down ? EVENTS_OUT : EVENTS_IN, down ? sndtimeo(file) : rcvtimeo(file), options);
}

/** A read of a blocking file found too little: sleeps. The kiocb goes back to the task when it is over. */
export function readSleep(task: Task, fd: number, iocb: Kiocb, options: SysOptions | undefined): number | Promise<number> {
  return sleepOn(task, readAgain, fd, iocb.kiFilp as File, iocb, iocb.kiMsg, iocb.kiNbytes, 0, options);
}

export function writeSleep(task: Task, fd: number, iocb: Kiocb, options: SysOptions | undefined): number | Promise<number> {
  return sleepOn(task, writeAgain, fd, iocb.kiFilp as File, iocb, iocb.kiMsg, iocb.kiNbytes, 0, options);
}

/** A receive on a blocking socket found too little. `iocb`: whose message it is, null if it is the user's. */
export function recvSleep(
  task: Task, fd: number, file: File, iocb: Kiocb | null, msg: MsgHdr, len: number, flags: number, options: SysOptions | undefined,
): number | Promise<number> {
  return sleepOn(task, recvAgain, fd, file, iocb, msg, len, flags, options);
}

/** A send found no room. */
export function sendSleep(
  task: Task, fd: number, file: File, iocb: Kiocb | null, msg: MsgHdr, len: number, options: SysOptions | undefined,
): number | Promise<number> {
  return sleepOn(task, sendAgain, fd, file, iocb, msg, len, 0, options);
}
