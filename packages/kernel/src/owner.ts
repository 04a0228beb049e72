/** Whose a timer or a work is: a Net, which panics if its function throws, or the World itself (wires and switches). */
import type { Net } from './net.ts';
import type { World } from './world.ts';

export type Owner = Net | World;

export function worldOf(owner: Owner): World {
  return 'world' in owner ? owner.world : owner;
}

export function netOf(owner: Owner): Net | null {
  return 'world' in owner ? owner : null;
}
