/*
 * Reading a script's arguments, and comparing what a call gave back with what the script says.
 */
import { inAton, inNtoa } from '@stack/inet-sock';
import { errnoName } from '@stack/kernel';
import type { Expr } from './script.ts';
import type { CallContext } from './target.ts';

/** A call whose outcome is not what the script says. */
export class CallError extends Error {
  override readonly name = 'CallError';
}

export type Args = readonly Expr[];

/** The port of the target's end, and of a peer that it connects to. */
export const PORT = 8080;

/** A number, or the first of `[a list]`. */
export function int(args: Args, i: number, otherwise = 0): number {
  const arg = args[i];
  if (arg?.kind === 'int') return arg.value;
  if (arg?.kind === 'array' && arg.items.length > 0) return int(arg.items, 0, otherwise);
  return otherwise;
}

/** What the script has not opened, or has closed, must be no descriptor that the target has for reasons of its own. */
const NO_DESCRIPTOR = 1 << 30;

/** The target's descriptor of a script's. */
export function descriptor({ fds }: CallContext, wanted: number): number {
  return fds.get(wanted) ?? (wanted < 0 ? wanted : NO_DESCRIPTOR);
}

/** A string's characters as octets. */
export function octetsOf(text: string): Uint8Array {
  return Uint8Array.from(text, (one) => one.charCodeAt(0));
}

/** `[value]` is the value: a pointer to it. */
export function pointee(value: Expr | undefined): Expr | undefined {
  return value?.kind === 'array' ? value.items[0] : value;
}

export function listOf(value: Expr | undefined): readonly Expr[] {
  if (value === undefined) return [];
  return value.kind === 'array' ? value.items : [value];
}

export function field(value: Expr | undefined, name: string): Expr | undefined {
  return value?.kind === 'struct' ? value.fields.get(name) : undefined;
}

export function number(value: Expr | undefined, what: string): number {
  if (value?.kind === 'int') return value.value;
  throw new CallError(`${what}: a number was expected in the script`);
}

export function same(what: string, want: Expr | undefined, got: unknown): void {
  if (want === undefined || want.kind === 'any') return;
  if (want.kind === 'int' && want.value !== Number(got)) throw new CallError(`${what}: expected ${want.value}, got ${String(got)}`);
  if (want.kind === 'string' && want.value !== String(got)) throw new CallError(`${what}: expected "${want.value}", got "${String(got)}"`);
}

/** An address that a script spells out, `{sa_family = AF_INET, sin_port = htons(80), sin_addr = inet_addr("1.2.3.4")}`; what it does not is the default. A number alone is the family: `AF_UNSPEC`. */
export interface End {
  readonly family: number;
  readonly ip: number;
  readonly port: number;
}

const AF_INET = 2;

export function endOf(spec: Expr | undefined, ip: number, port: number): End {
  const family = spec?.kind === 'int' ? spec : field(spec, 'sa_family') ?? field(spec, 'sin_family');
  const address = field(spec, 'sin_addr');
  const portOf = field(spec, 'sin_port');
  return {
    family: family?.kind === 'int' ? family.value : AF_INET,
    ip: address?.kind === 'string' ? inAton(address.value) : address?.kind === 'int' ? address.value : ip,
    port: portOf?.kind === 'int' ? portOf.value : port,
  };
}

/** Compares an address that came back with what a script spells out of it. */
export function checkEnd(want: Expr | undefined, got: End): void {
  if (want?.kind !== 'struct') return;
  const wanted = endOf(want, got.ip, got.port);
  same('the port', { kind: 'int', value: wanted.port }, got.port);
  if (wanted.ip !== got.ip) throw new CallError(`the address: expected ${inNtoa(wanted.ip)}, got ${inNtoa(got.ip)}`);
}

/** What an epoll event carries, however the script names it. */
export function epollData(event: Expr | undefined): Expr | undefined {
  return field(event, 'fd') ?? field(event, 'ptr') ?? field(event, 'u32') ?? field(event, 'u64');
}

/** Compares the fields of a struct that a script names with those that came back. */
export function sameFields(want: Expr | undefined, got: ReadonlyMap<string, unknown>): void {
  if (want?.kind !== 'struct') return;
  for (const [name, value] of want.fields) {
    if (!got.has(name)) throw new CallError(`${name}: there is no such field; there are ${[...got.keys()].join(', ')}`);
    same(name, value, got.get(name));
  }
}

/** Whether an iovec's buffer is one: a number in its place is an address, and none of ours. */
export function iovIsBuffer(item: Expr): boolean {
  return item.kind !== 'struct' || (item.items[0] ?? field(item, 'iov_base'))?.kind !== 'int';
}

/** `{..., 2000}`: the length of that buffer. */
export function iovLength(item: Expr): number {
  return item.kind === 'struct' ? number(item.items[1] ?? field(item, 'iov_len'), 'iov_len') : 0;
}

/** Timestamps count from the script's start, and hold within the tolerance of 4 ms that scripts have. */
export function checkStamp(want: ReadonlyMap<string, Expr>, got: number): void {
  const wanted = number(want.get('scm_sec'), 'scm_sec') * 1e9 + number(want.get('scm_nsec'), 'scm_nsec');
  if (Math.abs(got - wanted) > 4e6) throw new CallError(`scm_timestamping: expected ${wanted} ns after the start, got ${Math.round(got)}`);
}

/** A result as a script writes it: `-1 EAGAIN`. */
export function formatResult(result: number): string {
  return result >= 0 ? String(result) : `-1 ${errnoName(-result)}`;
}

/** Names of errnos that Linux has twice. */
const ALIASES: Readonly<Record<string, string>> = { EWOULDBLOCK: 'EAGAIN', ENOTSUP: 'EOPNOTSUPP', EDEADLOCK: 'EDEADLK' };

/** Compares a result with the script's; throws a CallError. */
export function checkResult(name: string, want: Expr, errno: string | null, got: number): void {
  if (want.kind === 'any') return;
  const wanted = want.kind === 'int' ? want.value : 0;
  if (errno !== null ? got < 0 && errnoName(-got) === (ALIASES[errno] ?? errno) : got === wanted || (wanted === -1 && got < 0)) return;
  throw new CallError(`${name}: expected ${errno === null ? wanted : `-1 ${errno}`}, got ${formatResult(got)}`);
}
