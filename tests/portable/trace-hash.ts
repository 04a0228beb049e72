// A tracer that keeps nothing but a hash: of every traced function, its time, its host, its packet's id and offsets, and of the
// headers of every frame that leaves or arrives. Two runs with one hash have done the same at the same times.
import type { Net, TracedPacket, Tracer } from '@stack/kernel';

const FNV_BASIS = 0x811c9dc5 | 0;
const FNV_PRIME = 0x01000193;
/** Octets of a frame that are hashed: Ethernet, IP and TCP headers with all their options. */
const HEADERS = 14 + 20 + 60;

/** FNV-1a over 32-bit words. */
export class TraceHash implements Tracer {
  value: number;
  /** Functions traced. */
  hits: number;
  /** Hashes of the functions' names. */
  names: Map<string, number>;

  constructor() {
    this.value = FNV_BASIS;
    this.hits = 0;
    this.names = new Map();
  }

  hit(net: Net, fn: string, skb: TracedPacket | null): void {
    this.hits++;
    const { now } = net.world;
    add(this, Math.floor(now / 2 ** 32));
    add(this, now | 0);
    add(this, net.id);
    add(this, nameHash(this, fn));
    if (skb === null) return;
    add(this, skb.id);
    add(this, skb.data - skb.head);
    add(this, skb.tail - skb.head);
    add(this, skb.len);
    for (const header of [skb.macHeader, skb.networkHeader, skb.transportHeader]) add(this, header < 0 ? -1 : header - skb.head);
    if (fn === 'dev_queue_xmit' || fn === 'netif_receive_skb') addHeaders(this, skb as TracedPacket & { buf: Uint8Array });
  }

  /** Eight hexadecimal digits. */
  toString(): string {
    return (this.value >>> 0).toString(16).padStart(8, '0');
  }
}

function add(hash: TraceHash, word: number): void {
  hash.value = Math.imul(hash.value ^ word, FNV_PRIME);
}

function addHeaders(hash: TraceHash, skb: TracedPacket & { buf: Uint8Array }): void {
  const end = Math.min(skb.tail, skb.data + HEADERS);
  for (let i = skb.data; i < end; i++) add(hash, skb.buf[i]!);
}

function nameHash(hash: TraceHash, name: string): number {
  let value = hash.names.get(name);
  if (value !== undefined) return value;
  value = FNV_BASIS;
  for (let i = 0; i < name.length; i++) value = Math.imul(value ^ name.charCodeAt(i), FNV_PRIME);
  hash.names.set(name, value);
  return value;
}
