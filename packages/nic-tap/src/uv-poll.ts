// Readiness of a file descriptor, from libuv's event loop: uv_poll_t, driven through koffi.
//
// uvPollOpen() -> uvPollStart(events), again whenever the events change -> the callback, level triggered, in a turn of the
// event loop -> uvPollClose(), after which the handle's memory stays until libuv has let go of it.
// Read first: libuv's documentation of uv_poll_t.

import type { Libc } from './libc.ts';

export const UV_READABLE = 1;
export const UV_WRITABLE = 2;

/** uv_handle_type of a uv_poll_t. */
const UV_POLL = 8;

/** One uv_poll_t. */
export class UvPoll {
  libc: Libc;
  /** The struct itself; kept here, or it would be collected. */
  memory: ArrayBuffer;
  address: number;
  callback: bigint;
  closeCallback: bigint;

  constructor(libc: Libc, memory: ArrayBuffer, callback: bigint) {
    this.libc = libc;
    this.memory = memory;
    this.address = libc.addressOf(memory);
    this.callback = callback;
    this.closeCallback = 0n;
  }
}

/**
 * Watches `fd`, which must stay open until uvPollClose(). `ready` is called with UV_* bits, or a
 * negative status. Returns the handle, not started, or a negative libuv error.
 */
export function uvPollOpen(libc: Libc, fd: number, ready: (status: number, events: number) => void): UvPoll | number {
  const { uv } = libc;
  const memory = new ArrayBuffer(uv.handleSize(UV_POLL));
  const error = uv.pollInit(uv.defaultLoop(), libc.addressOf(memory), fd);
  if (error < 0) return error;
  return new UvPoll(libc, memory, uv.registerPoll((_handle, status, events) => ready(status, events)));
}

/** Asks for `events` from now on. */
export function uvPollStart(poll: UvPoll, events: number): number {
  return poll.libc.uv.pollStart(poll.address, events, poll.callback);
}

/** Asks for nothing until the next uvPollStart(). */
export function uvPollStop(poll: UvPoll): void {
  poll.libc.uv.pollStop(poll.address);
}

/** Gives the handle back; from its return on the file descriptor may be closed. libuv lets go of the memory in a later turn. */
export function uvPollClose(poll: UvPoll): void {
  const { uv } = poll.libc;
  // The callbacks are forgotten in a turn of their own: C still runs in them when they are called.
  poll.closeCallback = uv.registerClose(() => setImmediate(uvPollForget, poll));
  uv.ref(poll.address);
  uv.close(poll.address, poll.closeCallback);
}

function uvPollForget(poll: UvPoll): void {
  poll.libc.uv.unregister(poll.callback);
  poll.libc.uv.unregister(poll.closeCallback);
}
