/*
 * Descriptor tables (fs/file.c): numbers to Files, lowest free number first. A File counts the descriptors that refer to
 * it; filpClose of the last one releases it. What sleeps on a descriptor that is closed ends with -EBADF.
 * Deviation: in Linux such a call sleeps on, and keeps the file open; here the promise would never settle.
 */
import { EBADF, EINVAL, EMFILE } from '@stack/kernel';
import { eventpollReleaseFile } from './eventpoll-item.ts';
import type { File } from './file.ts';
import { endSleepersOfFd } from './sleep.ts';
import type { Task } from './task.ts';
import { FD_CLOEXEC, O_CLOEXEC } from './uapi-fs.ts';

/** The File of descriptor `fd`, or null (-EBADF). */
export function fget(task: Task, fd: number): File | null {
  if (fd < 0 || fd >= task.fdArray.length) return null;
  return task.fdArray[fd] ?? null;
}

/** The lowest free descriptor ≥ start, or -EMFILE. It stays free until fdInstall. */
export function allocFd(task: Task, start: number): number {
  let fd = Math.max(start, task.nextFd);
  const table = task.fdArray;
  while (fd < table.length && table[fd] !== null) fd++;
  return fd >= task.rlimitNofile ? -EMFILE : fd;
}

/** Makes descriptor `fd`, which is free, refer to `file`; the caller's count goes to it. */
export function fdInstall(task: Task, fd: number, file: File, flags: number): void {
  while (task.fdArray.length < fd) {
    task.fdArray.push(null);
    task.fdFlags.push(0);
  }
  task.fdArray[fd] = file;
  task.fdFlags[fd] = (flags & O_CLOEXEC) !== 0 ? FD_CLOEXEC : 0;
  if (fd === task.nextFd) task.nextFd = fd + 1;
}

/** Allocates a descriptor for `file` and installs it: the number, or -EMFILE (the file stays the caller's). */
export function getUnusedFdInstall(task: Task, file: File, flags: number): number {
  const fd = allocFd(task, 0);
  if (fd >= 0) fdInstall(task, fd, file, flags);
  return fd;
}

/** Takes the descriptor out of the table and ends what sleeps on it. The File with the descriptor's count, or null. */
export function fdRemove(task: Task, fd: number): File | null {
  const file = fget(task, fd);
  if (file === null) return null;
  task.fdArray[fd] = null;
  task.fdFlags[fd] = 0;
  if (fd < task.nextFd) task.nextFd = fd;
  endSleepersOfFd(task, fd, -EBADF);
  return file;
}

/** Drops one descriptor's count. The last one releases the file: 0, or -EAGAIN while it lingers (FileOperations.release). */
export function filpClose(file: File): number {
  if (--file.fCount > 0) return 0;
  if (file.fEpLinks !== null) eventpollReleaseFile(file);
  return file.fOp.release(file);
}

/** dup(2) from `start` on: the new descriptor, -EBADF or -EMFILE. */
export function fdDup(task: Task, oldfd: number, start: number, flags: number): number {
  const file = fget(task, oldfd);
  if (file === null) return -EBADF;
  if (start < 0 || start >= task.rlimitNofile) return -EINVAL;
  const fd = allocFd(task, start);
  if (fd < 0) return fd;
  file.fCount++;
  fdInstall(task, fd, file, flags);
  return fd;
}
