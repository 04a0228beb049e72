/*
 * What all system calls begin and end with. A call is a trip into the World: worldEnter reads the clock, worldLeave runs
 * what the call has raised. A throw in between is a broken invariant: that host panics, and the call returns -EIO.
 */
import { EIO, netPanic, worldEnter } from '@stack/kernel';
import type { World } from '@stack/kernel';
import type { Task } from './task.ts';

/** Enters the World for system call `name` (the kernel's spelling). The caller leaves it by worldLeave, whatever happens. */
export function sysEnter(task: Task, name: string): World {
  const { net } = task;
  worldEnter(net.world);
  if (net.trace !== null) net.trace.hit(net, name, null);
  return net.world;
}

/** A call threw: the host panics. Returns what the call returns. */
export function sysFault(task: Task, error: unknown): number {
  netPanic(task.net, error, 'system call');
  return -EIO;
}
