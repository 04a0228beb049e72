/*
 * What keeps the process alive: open sockets and sleeping calls hold the World (worldRef), unless their host is told not to,
 * as server.unref() of node:net does.
 */
import { worldRef, worldUnref } from '@stack/kernel';
import type { Net } from '@stack/kernel';

/** Something of this host is open. */
export function netRef(net: Net): void {
  net.socket.refCount++;
  if (net.socket.refd) worldRef(net.world);
}

/** Undoes one netRef. */
export function netUnref(net: Net): void {
  net.socket.refCount--;
  if (net.socket.refd) worldUnref(net.world);
}

/** Says whether open sockets and sleeping calls of this host keep the process alive (they do from the start). */
export function sockSetRef(net: Net, ref: boolean): void {
  const ns = net.socket;
  if (ns.refd === ref) return;
  ns.refd = ref;
  for (let i = 0; i < ns.refCount; i++) {
    if (ref) worldRef(net.world);
    else worldUnref(net.world);
  }
}
