/*
 * struct file and file_operations (include/linux/fs.h), the poll table (include/linux/poll.h), and the kiocb that
 * carries one read or write. A File is what a descriptor of a task refers to; a socket is one kind of it.
 */
import type { WaitQueueHead } from '@stack/kernel';
import { Iovec, MsgHdr } from './msghdr.ts';
import type { SockOptValue } from './sock-struct.ts';
import type { Epitem } from './eventpoll-struct.ts';
import { FMODE_READ, FMODE_WRITE, O_ACCMODE, O_RDONLY, O_WRONLY } from './uapi-fs.ts';

/** struct file. `fWq` is the queue on which read and write sleep (null: they never do). */
export class File {
  fOp: FileOperations;
  fMode: number;
  fFlags: number;
  fPos: number;
  /** Descriptors that refer to it. */
  fCount: number;
  privateData: object | null;
  fWq: WaitQueueHead | null;
  /** The epoll items that watch it, linked by `fllink`. */
  fEpLinks: Epitem | null;

  constructor(fOp: FileOperations, flags: number, privateData: object | null, wq: WaitQueueHead | null) {
    const access = flags & O_ACCMODE;
    this.fOp = fOp;
    this.fMode = access === O_RDONLY ? FMODE_READ : access === O_WRONLY ? FMODE_WRITE : FMODE_READ | FMODE_WRITE;
    this.fFlags = flags;
    this.fPos = 0;
    this.fCount = 1;
    this.privateData = privateData;
    this.fWq = wq;
    this.fEpLinks = null;
  }
}

/**
 * struct kiocb: one read or write in progress. The message is on the kernel's side of the call (2.6: sock_iocb.async_msg);
 * tasks keep those that are not in use, so that a call allocates nothing.
 */
export class Kiocb {
  kiFilp: File | null;
  /** Bytes of the whole message, also when it is restarted. */
  kiNbytes: number;
  kiMsg: MsgHdr;
  /** The one iovec of a call with one buffer, and the array that holds it. */
  kiIovec: Iovec;
  kiInlineVec: Iovec[];
  kiNext: Kiocb | null;

  constructor() {
    this.kiFilp = null;
    this.kiNbytes = 0;
    this.kiMsg = new MsgHdr();
    this.kiIovec = new Iovec(NO_BYTES, 0);
    this.kiInlineVec = [this.kiIovec];
    this.kiNext = null;
  }
}

export const NO_BYTES = new Uint8Array(0);

/**
 * struct file_operations, one constant object for each kind of file. Nothing sleeps: -EAGAIN from aioRead and aioWrite of
 * a blocking file means "again when fWq is woken" (the same kiocb, with kiMsg.msgRestarted set).
 */
export interface FileOperations {
  readonly name: string;
  /** One buffer: fills the kiocb and goes to aioRead (doSyncRead) unless the file has better. */
  readonly read: (file: File, buf: Uint8Array, count: number, iocb: Kiocb) => number;
  readonly write: (file: File, buf: Uint8Array, count: number, iocb: Kiocb) => number;
  /** Vectors: kiMsg is filled and its iterator at the start. */
  readonly aioRead: (iocb: Kiocb) => number;
  readonly aioWrite: (iocb: Kiocb) => number;
  /** EPOLL… events that are true now; registers with `wait` if that is not null. */
  readonly poll: (file: File, wait: PollTable | null) => number;
  /** ≥ 0, or -errno; -ENOTTY for what it does not know. */
  readonly ioctl: (file: File, cmd: number, arg: SockOptValue) => number;
  /** The last descriptor is gone. 0, or -EAGAIN while it lingers (called again; sockets with SO_LINGER only). */
  readonly release: (file: File) => number;
}

/** struct poll_table: who asks a file for its events, and wants to be queued for the next ones. */
export interface PollTable {
  /** Puts an entry of the asker on `wq`. */
  readonly qproc: (pt: PollTable, file: File, wq: WaitQueueHead) => void;
  /** EPOLL… events that matter to the asker. */
  key: number;
}

/** Called by a file's poll operation for each queue that announces its events. */
export function pollWait(file: File, wq: WaitQueueHead, pt: PollTable | null): void {
  if (pt !== null) pt.qproc(pt, file, wq);
}
