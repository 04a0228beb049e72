// Opening an interface of the machine.
export { closeTap, openTap, tapRef, tapUnref, type TapOptions } from './open-tap.ts';
export type { TunPeer } from './tun-ioctl.ts';
