// The C functions that this driver calls, through koffi: no native code of our own.
//
// loadLibc() once per device. Memory goes to C as a number, its address: a DMA address, so to say, of a slab that never
// moves. Calls are synchronous; the file descriptor is non-blocking, so none of them waits.

import { createRequire } from 'node:module';
import { isMainThread } from 'node:worker_threads';
import type * as Koffi from 'koffi';

/** What C is asked for. An address is a number of bytes; functions of errno return -1 and leave the reason in errno(). */
export interface Libc {
  readonly open: (path: string, flags: number) => number;
  readonly close: (fd: number) => number;
  readonly socket: (family: number, type: number, protocol: number) => number;
  readonly ioctl: (fd: number, request: number, argument: number) => number;
  readonly read: (fd: number, address: number, length: number) => number;
  readonly writev: (fd: number, iovec: number, count: number) => number;
  readonly errno: () => number;
  /** Address of a buffer's first byte: valid as long as the buffer lives. */
  readonly addressOf: (buffer: ArrayBufferLike) => number;
  readonly uv: LibUv;
}

/** A poll callback: the handle's address, 0 or a negative error, UV_READABLE and UV_WRITABLE bits. */
export type UvPollCallback = (handle: number, status: number, events: number) => void;

/** Node's own libuv, for readiness: one callback in the event loop, no thread, no read of libuv's own. */
export interface LibUv {
  readonly defaultLoop: () => number;
  readonly handleSize: (type: number) => number;
  readonly pollInit: (loop: number, handle: number, fd: number) => number;
  readonly pollStart: (handle: number, events: number, callback: bigint) => number;
  readonly pollStop: (handle: number) => number;
  readonly close: (handle: number, callback: bigint) => void;
  readonly ref: (handle: number) => void;
  readonly unref: (handle: number) => void;
  readonly registerPoll: (callback: UvPollCallback) => bigint;
  readonly registerClose: (callback: (handle: number) => void) => bigint;
  readonly unregister: (callback: bigint) => void;
}

/** The functions, bound. Throws an Error that names the remedy where this is not Linux, or koffi is not installed. */
export function loadLibc(): Libc {
  if (process.platform !== 'linux') throw new Error(`@stack/nic-tap works on Linux only; this is ${process.platform}`);
  if (!isMainThread) throw new Error('@stack/nic-tap works in the main thread only: open the interface there');
  const koffi = requireKoffi();
  const self = koffi.load(null);
  return {
    open: self.func('open', 'int', ['str', 'int']),
    close: self.func('close', 'int', ['int']),
    socket: self.func('socket', 'int', ['int', 'int', 'int']),
    ioctl: self.func('ioctl', 'int', ['int', 'ulong', 'uintptr_t']),
    read: self.func('read', 'intptr_t', ['int', 'uintptr_t', 'size_t']),
    writev: self.func('writev', 'intptr_t', ['int', 'uintptr_t', 'int']),
    errno: () => koffi.errno(),
    addressOf: (buffer) => Number(koffi.address(buffer)),
    uv: bindUv(koffi, self),
  };
}

function bindUv(koffi: typeof Koffi, self: Koffi.LibraryHandle): LibUv {
  const pollCallback = koffi.pointer(koffi.proto('void', ['uintptr_t', 'int', 'int']));
  const closeCallback = koffi.pointer(koffi.proto('void', ['uintptr_t']));
  return {
    defaultLoop: self.func('uv_default_loop', 'uintptr_t', []),
    handleSize: self.func('uv_handle_size', 'size_t', ['int']),
    pollInit: self.func('uv_poll_init', 'int', ['uintptr_t', 'uintptr_t', 'int']),
    pollStart: self.func('uv_poll_start', 'int', ['uintptr_t', 'int', pollCallback]),
    pollStop: self.func('uv_poll_stop', 'int', ['uintptr_t']),
    close: self.func('uv_close', 'void', ['uintptr_t', closeCallback]),
    ref: self.func('uv_ref', 'void', ['uintptr_t']),
    unref: self.func('uv_unref', 'void', ['uintptr_t']),
    registerPoll: (callback) => koffi.register(callback, pollCallback),
    registerClose: (callback) => koffi.register(callback, closeCallback),
    unregister: (callback) => koffi.unregister(callback),
  };
}

function requireKoffi(): typeof Koffi {
  try {
    return createRequire(import.meta.url)('koffi') as typeof Koffi;
  } catch (cause) {
    throw new Error('@stack/nic-tap calls Linux through the package koffi, which is not installed here: npm install koffi', { cause });
  }
}
