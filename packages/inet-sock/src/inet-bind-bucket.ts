/*
 * A bind bucket: one local port in use, and its owners (the kernel's inet_bind_bucket).
 */
import type { InetConnectionSock } from './inet-connection-sock.ts';
import type { InetTimewaitSock } from './inet-timewait-sock.ts';

/** One local port in use. */
export class InetBindBucket {
  port: number;
  /** Bound device, 0 for any. */
  l3mdev: number;
  /** 1: all owners set SO_REUSEADDR and none listens; 0: ask each owner. */
  fastreuse: number;
  fastreuseport: number;
  owners: InetConnectionSock | null;
  /** Time-wait socks that still hold the port. */
  deathrow: InetTimewaitSock | null;
  next: InetBindBucket | null;
  prev: InetBindBucket | null;

  constructor(port: number) {
    this.port = port;
    this.l3mdev = 0;
    this.fastreuse = 0;
    this.fastreuseport = 0;
    this.owners = null;
    this.deathrow = null;
    this.next = null;
    this.prev = null;
  }
}
