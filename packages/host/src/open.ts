/*
 * What a test ends with: an error that lists every open socket, timer and sk_buff with its owner, or silence.
 */
import { formatOpen, openReport, type OpenItem, type World } from '@stack/kernel';

/** Something was left open; `items` says what. */
export class OpenError extends Error {
  readonly items: readonly OpenItem[];

  constructor(items: readonly OpenItem[]) {
    super(`${items.length} left open:\n${formatOpen(items)}`);
    this.name = 'OpenError';
    this.items = items;
  }
}

/**
 * Throws an OpenError if anything of the World's hosts is open: sockets, pending timers, and, in a World with
 * `debug: true`, sk_buffs. Close the hosts first, or await `host.idle()` for what ends by itself.
 */
export function assertNothingOpen(world: World): void {
  const items = openReport(world);
  if (items.length > 0) throw new OpenError(items);
}
