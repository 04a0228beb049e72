/**
 * The links that point up: fields of a low struct whose types live in a higher package.
 *
 * The owner merges its type in, `declare module '@stack/kernel' { interface NetLinks { tcp: NetnsTcp } }`, and `net.tcp` has that
 * type wherever the owner is part of the program; a package that cannot see the owner sees `unknown`. At run time a layer that is
 * not installed is `null` (`requireNet` says so by name).
 */

/** What the layers hang on a Net; each merges its own member in. */
export interface NetLinks {}

/** What the layers hang on a World. */
export interface WorldLinks {}

export type NetLink<K extends string> = K extends keyof NetLinks ? NetLinks[K] : unknown;
export type WorldLink<K extends string> = K extends keyof WorldLinks ? WorldLinks[K] : unknown;

/** The value of a link before its layer is installed. */
export function absent<T>(): T {
  return null as T;
}
