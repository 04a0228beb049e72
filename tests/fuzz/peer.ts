// The peer of the host under test: it knows enough of ARP and TCP to bring the host into states worth disturbing, and makes
// frames of every kind that fit those states. Each frame follows from one number (a decision), so that a failure can be shrunk.
import { Random, randomBelow, randomChance, randomFill, randomU32 } from '@stack/kernel';
import {
  ETH, ICMP, IGMP, OUR_IP, PEER_IP, TCP, UDP, arp, ethernet, fixChecksums, frameOf, ipv4, message, tcp, udp,
} from './frames.ts';
import { mutate } from './mutate.ts';
import { GROUP, TCP_PORT, UDP_PORT, receive, type Target } from './target.ts';

const FIN = 1;
const SYN = 2;
const RST = 4;
const PSH = 8;
const ACK = 16;
const URG = 32;

/** Our side of a connection to the host. */
interface Connection {
  port: number;
  /** Next sequence number to send, next expected. */
  snd: number;
  rcv: number;
  established: boolean;
}

export class Peer {
  target: Target;
  connection: Connection;
  /** Number of connections and datagrams so far. */
  ports = 1024;
  ids = 1;
  last: Uint8Array | null = null;

  constructor(target: Target) {
    this.target = target;
    this.connection = newConnection(this);
  }
}

function newConnection(peer: Peer): Connection {
  peer.ports = peer.ports >= 60000 ? 1024 : peer.ports + 1;
  return { port: peer.ports, snd: Math.imul(peer.ports, 0x10000001), rcv: 0, established: false };
}

/** Reads what the host has sent: answers ARP, follows the connection. */
function hear(peer: Peer): void {
  const { target, connection } = peer;
  while (target.sent.length > 0) {
    const frame = target.sent.shift()!;
    const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
    const type = view.getUint16(12);
    if (type === 0x0806 && view.getUint16(20) === 1) {
      if (view.getInt32(38) === PEER_IP) receive(target, ethernet(0x0806, arp(2)));
    } else if (type === 0x0800 && frame[ETH + 9] === TCP) {
      hearTcp(connection, view, ETH + ((frame[ETH]! & 15) << 2), ETH + view.getUint16(ETH + 2));
    }
  }
}

function hearTcp(connection: Connection, view: DataView, at: number, end: number): void {
  // The host also forwards what others sent, however bad.
  if (end > view.byteLength || at + 20 > end || view.getUint16(at + 2) !== connection.port || view.getUint16(at) !== TCP_PORT) return;
  const flags = view.getUint8(at + 13);
  const seq = view.getInt32(at + 4);
  if ((flags & RST) !== 0) {
    connection.established = false;
    connection.rcv = 0;
  } else if ((flags & SYN) !== 0) {
    connection.rcv = (seq + 1) | 0;
  } else {
    const next = (seq + (end - at - ((view.getUint8(at + 12) >> 4) << 2))) | 0;
    if (((next - connection.rcv) | 0) > 0) connection.rcv = next;
  }
}

function segment(peer: Peer, flags: number, payload: Uint8Array, options?: Uint8Array, shift = 0): Uint8Array {
  const { port, snd, rcv } = peer.connection;
  const fields = { sport: port, dport: TCP_PORT, seq: snd + shift, ack: rcv, flags };
  return frameOf({ protocol: TCP, id: peer.ids++ & 0xffff }, tcp(options === undefined ? fields : { ...fields, options }, payload));
}

/** Brings a connection up, if there is none: SYN, and ACK when the answer has come. */
function connect(peer: Peer): void {
  hear(peer);
  if (peer.connection.established) return;
  peer.connection = newConnection(peer);
  const options = Uint8Array.from([2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7]);
  receive(peer.target, segment(peer, SYN, new Uint8Array(0), peer.ports % 2 === 0 ? options : undefined));
  hear(peer);
  if (peer.connection.rcv === 0) return;
  peer.connection.snd = (peer.connection.snd + 1) | 0;
  receive(peer.target, segment(peer, ACK, new Uint8Array(0)));
  peer.connection.established = true;
  hear(peer);
}

function octets(random: Random, most: number): Uint8Array {
  const some = new Uint8Array(randomBelow(random, most + 1));
  randomFill(random, some);
  return some;
}

/** Options of any kind and any length: half of them well formed. */
function anyOptions(random: Random): Uint8Array {
  const list: number[] = [];
  while (list.length < 36 && randomChance(random, 0.8)) {
    const kind = randomChance(random, 0.8) ? [0, 1, 2, 3, 4, 5, 7, 8, 68, 130, 131, 136, 137, 148, 19, 34][randomBelow(random, 16)]! : randomU32(random) & 255;
    list.push(kind);
    if (kind < 2 && randomChance(random, 0.9)) continue;
    const length = randomChance(random, 0.7) ? 2 + randomBelow(random, 9) : randomU32(random) & 255;
    list.push(length);
    for (let i = 2; i < Math.min(length, 12); i++) list.push(randomU32(random) & 255);
  }
  return Uint8Array.from(list.slice(0, 40));
}

const any = (random: Random, ...list: readonly number[]): number => list[randomBelow(random, list.length)]!;

function tcpFrame(peer: Peer, random: Random): Uint8Array {
  connect(peer);
  const flags = randomChance(random, 0.6) ? ACK | (randomChance(random, 0.5) ? PSH : 0) : randomU32(random) & 0xff;
  const payload = octets(random, randomChance(random, 0.2) ? 1440 : 40);
  const shift = randomChance(random, 0.7) ? 0 : any(random, -1, 1, 100, 1000, 65535, 1 << 20, -(1 << 20), 0x7fffffff, randomU32(random));
  const options = randomChance(random, 0.3) ? anyOptions(random) : undefined;
  const frame = segment(peer, flags, payload, options, shift);
  if ((flags & URG) !== 0) frame[ETH + 20 + 18 + (randomU32(random) & 1)] = randomU32(random);
  // What the host has taken counts; it says so in its answer, but need not at once.
  if (shift === 0 && (flags & (SYN | RST | FIN)) === 0 && (flags & ACK) !== 0) peer.connection.snd = (peer.connection.snd + payload.length) | 0;
  if ((flags & (SYN | RST | FIN)) !== 0) peer.connection.established = false;
  fixChecksums(frame);
  return frame;
}

function synFrame(peer: Peer, random: Random): Uint8Array {
  const options = randomChance(random, 0.7) ? anyOptions(random) : undefined;
  const fields = { sport: 1024 + randomBelow(random, 60000), dport: TCP_PORT, seq: randomU32(random), ack: 0, flags: SYN };
  return frameOf({ protocol: TCP, id: peer.ids++ & 0xffff }, tcp(options === undefined ? fields : { ...fields, options }));
}

function udpFrame(peer: Peer, random: Random): Uint8Array {
  const destination = any(random, OUR_IP, OUR_IP, OUR_IP, GROUP, 0x0a0000ff, -1, 0x0a090905, 0x7f000001) >>> 0;
  const port = any(random, UDP_PORT, UDP_PORT, 53, 67, 68, randomU32(random) & 0xffff);
  const options = randomChance(random, 0.2) ? anyOptions(random) : new Uint8Array(0);
  return frameOf({ protocol: UDP, destination, options, id: peer.ids++ & 0xffff, ttl: any(random, 64, 1, 0) }, udp(1000, port, octets(random, 200)));
}

function icmpFrame(peer: Peer, random: Random): Uint8Array {
  const type = any(random, 8, 8, 0, 3, 3, 4, 5, 11, 12, 13, 15, 17, randomU32(random) & 255);
  const { port, snd, rcv } = peer.connection;
  // What an error quotes: something that this host may have sent.
  const quoted = randomChance(random, 0.5)
    ? ipv4({ protocol: TCP, source: OUR_IP, destination: PEER_IP }, tcp({ sport: TCP_PORT, dport: port, seq: rcv, ack: snd, flags: ACK }))
    : ipv4({ protocol: UDP, source: OUR_IP, destination: PEER_IP }, udp(UDP_PORT, 1000, octets(random, 20)));
  const error = type === 3 || type === 4 || type === 5 || type === 11 || type === 12;
  const payload = error ? quoted.slice(0, any(random, 0, 8, 19, 20, 27, 28, quoted.length)) : octets(random, 100);
  const rest = type === 3 ? any(random, 0, 67, 68, 576, 1280, 1499, 65535) : randomU32(random);
  return frameOf({ protocol: ICMP, id: peer.ids++ & 0xffff }, message(type, randomBelow(random, 17), rest, payload));
}

function igmpFrame(_peer: Peer, random: Random): Uint8Array {
  const type = any(random, 0x11, 0x11, 0x12, 0x16, 0x17, 0x22, randomU32(random) & 255);
  const rest = any(random, 0, GROUP | 0, randomU32(random));
  const destination = any(random, 0xe0000001, GROUP | 0, OUR_IP) >>> 0;
  return frameOf({ protocol: IGMP, destination, ttl: 1 }, message(type, randomBelow(random, 256), rest, octets(random, 40)));
}

/** A fragment of one of a few datagrams, so that some meet. */
function fragmentFrame(_peer: Peer, random: Random): Uint8Array {
  const protocol = any(random, UDP, UDP, ICMP, TCP);
  const fragment = (randomChance(random, 0.7) ? 0x2000 : 0) | (randomChance(random, 0.9) ? randomBelow(random, 12) : randomU32(random) & 0x1fff);
  return frameOf({ protocol, id: 60000 + randomBelow(random, 8), fragment }, octets(random, randomChance(random, 0.9) ? 64 : 1480));
}

function arpFrame(_peer: Peer, random: Random): Uint8Array {
  const sender = (PEER_IP & ~255) | randomBelow(random, 256);
  return ethernet(0x0806, arp(any(random, 1, 1, 2, 2, 3, randomU32(random) & 0xffff), any(random, OUR_IP, PEER_IP, -1) >>> 0, sender), randomChance(random, 0.5) ? [255, 255, 255, 255, 255, 255] : undefined);
}

function otherFrame(_peer: Peer, random: Random): Uint8Array {
  const type = any(random, 0x8100, 0x88a8, 0x86dd, 3, 100, 1500, 0x0800, randomU32(random) & 0xffff);
  return ethernet(type, octets(random, 128));
}

function protocolFrame(peer: Peer, random: Random): Uint8Array {
  return frameOf({ protocol: randomU32(random) & 255, options: anyOptions(random), id: peer.ids++ & 0xffff }, octets(random, 64));
}

/** A frame with a tag in front of what it carried. */
function tag(frame: Uint8Array, random: Random): Uint8Array {
  const tagged = new Uint8Array(frame.length + 4);
  tagged.set(frame.subarray(0, 12));
  tagged.set([0x81, 0, randomU32(random) & 0xe0, any(random, 0, 0, 10)], 12);
  tagged.set(frame.subarray(12), 16);
  return tagged;
}

const MAKERS = [
  tcpFrame, tcpFrame, tcpFrame, tcpFrame, synFrame, udpFrame, udpFrame, icmpFrame, icmpFrame, igmpFrame, fragmentFrame, fragmentFrame, arpFrame, otherFrame,
  protocolFrame,
] as const;

/** The frame of a decision, as it is or with changes. */
export function decide(peer: Peer, decision: number): Uint8Array {
  const random = new Random(decision);
  if (peer.last !== null && randomChance(random, 0.03)) return peer.last;
  let frame = MAKERS[randomBelow(random, MAKERS.length)]!(peer, random);
  if (randomChance(random, 0.03)) frame = tag(frame, random);
  const mutant = randomChance(random, 0.75) ? mutate(random, frame) : frame;
  peer.last = mutant;
  return mutant;
}
