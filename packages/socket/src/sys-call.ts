/*
 * The error edge. Inside, an error is a negative number; a user who would rather have exceptions puts sysCall around a
 * system call and gets Errors with Node's fields.
 */
import { errnoException } from '@stack/kernel';

/**
 * The result of a system call, or a throw: `sysCall(sysBind(task, fd, addr), 'bind', '10.0.0.1', 7)`. A promise gives a
 * promise, rejected for a negative result. `address` and `port` only go into the Error.
 */
export function sysCall(result: number, syscall: string, address?: string, port?: number): number;
export function sysCall(result: number | Promise<number>, syscall: string, address?: string, port?: number): number | Promise<number>;
export function sysCall(
  result: number | Promise<number>, syscall: string, address?: string, port?: number,
): number | Promise<number> {
  if (typeof result !== 'number') return result.then((n) => sysCall(n, syscall, address, port));
  if (result < 0) throw errnoException(result, syscall, address, port);
  return result;
}
