/*
 * What is measured, of whoever is measured: the house and node:net each fill a Peer.
 */
export interface Peer {
  readonly name: string;
  /** Sends `total` octets over one connection, verified at the other end; resolves when all have arrived. */
  bulk(total: number): Promise<void>;
  /** `count` round trips of 64 octets over one connection, verified at both ends. */
  pingpong(count: number): Promise<void>;
  /** `count` times: connect, accept, close, both ends closed before the next begins. */
  connect(count: number): Promise<void>;
  /** Opens `count` connections and keeps them idle until the function that it resolves with is called. */
  idle(count: number): Promise<() => Promise<void>>;
  close(): Promise<void>;
}

/** Octets of one ping. */
export const PING_SIZE = 64;
