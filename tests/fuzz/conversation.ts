// A conversation between two hosts, captured where the second receives: ARP, ping, fragments both whole and late, UDP, TCP from SYN to
// FIN. And its replay to a host of its own, which chooses its own initial sequence number.
import { createHost, tappedOn, virtioOn, type Host } from '@stack/host';
import { SockAddrIn } from '@stack/inet-sock';
import { createWorld, sleep } from '@stack/kernel';
import { createSwitch } from '@stack/nic-virtio-sim';
import { PF_INET, SOCK_DGRAM, sysBind, sysSendto, sysSocket } from '@stack/socket';
import { sendEcho } from '../support/ping.ts';
import { ETH, OUR_IP, OUR_MAC, PEER_MAC, TCP, fixChecksums } from './frames.ts';
import { TCP_PORT, UDP_PORT, advance, receive, type Target } from './target.ts';

/** So small that a datagram of 400 octets is three fragments, and every bit of every frame can be inverted. */
const MTU = 200;

export interface Conversation {
  readonly frames: readonly Uint8Array[];
  /** The second host's SYN-ACK: it chose the initial sequence number and the clock of its timestamps. */
  readonly synAck: Uint8Array;
}

/** Has it, and returns what the second host received. */
export async function haveConversation(): Promise<Conversation> {
  const world = createWorld({ seed: 3 });
  const lan = createSwitch(world);
  const frames: Uint8Array[] = [];
  let synAck: Uint8Array = new Uint8Array(0);
  const nic = (mac: readonly number[]) => virtioOn(lan, { mac: Uint8Array.from(mac), mtu: MTU, offloads: false });
  const a = createHost({ world, name: 'a', nics: [{ device: nic(PEER_MAC), address: '10.0.0.1/24' }] });
  const tapped = tappedOn(nic(OUR_MAC), ({ outgoing, octets }) => {
    if (!outgoing) frames.push(octets);
    else if (isSynAck(octets)) synAck = octets;
  });
  const b = createHost({ world, name: 'b', nics: [{ device: tapped, address: '10.0.0.2/24' }] });
  await talk(a, b);
  await sleep(world, 5000);
  await a.close();
  await b.close();
  return { frames, synAck };
}

async function talk(a: Host, b: Host): Promise<void> {
  const listener = b.listen({ port: TCP_PORT });
  const bound = sysSocket(b.task, PF_INET, SOCK_DGRAM, 0);
  sysBind(b.task, bound, new SockAddrIn(0, UDP_PORT));
  sendEcho(a.net, '10.0.0.2', 1, new Uint8Array(56).fill(0x61));
  await sleep(a.world, 10);
  sendEcho(a.net, '10.0.0.2', 2, new Uint8Array(400).fill(0x62));
  const fd = sysSocket(a.task, PF_INET, SOCK_DGRAM, 0);
  await sysSendto(a.task, fd, new Uint8Array(20).fill(0x63), 0, new SockAddrIn(OUR_IP, UDP_PORT));
  await sysSendto(a.task, fd, new Uint8Array(8), 0, new SockAddrIn(OUR_IP, 999));
  const serve = (async () => {
    for await (const { readable, writable } of listener) {
      await readable.pipeTo(writable);
      break;
    }
  })();
  const { readable, writable } = await a.connect({ host: '10.0.0.2', port: TCP_PORT });
  const writer = writable.getWriter();
  await writer.write(new Uint8Array(300).fill(0x64));
  await writer.close();
  for await (const chunk of readable) void chunk;
  await serve;
  await listener.close();
}

function isSynAck(frame: Uint8Array): boolean {
  return frame[ETH + 9] === TCP && frame[ETH + 33] === 18;
}

const TCP_AT = ETH + 20;

/** Where the value of a segment's timestamps option is; the echo is four octets behind. -1 without one. */
function timestampAt(frame: Uint8Array): number {
  const end = TCP_AT + (frame[TCP_AT + 12]! >> 4) * 4;
  for (let at = TCP_AT + 20; at < end; at += frame[at] === 1 ? 1 : frame[at + 1]!) {
    if (frame[at] === 8) return at + 2;
  }
  return -1;
}

/** `frame` of the conversation as this host would get it: what it acknowledges and echoes are the numbers and the clock that the host chose. */
export function frameFor(target: Target, { synAck }: Conversation, frame: Uint8Array): Uint8Array {
  const answer = target.sent.find(isSynAck);
  if (frame[12] !== 8 || frame[13] !== 0 || frame[ETH + 9] !== TCP || answer === undefined || (frame[ETH + 33]! & 16) === 0) return frame;
  const copy = frame.slice();
  const view = new DataView(copy.buffer);
  const move = (at: number, inSynAck: (frame: Uint8Array) => number): void => {
    view.setInt32(at, view.getInt32(at) + valueOf(answer, inSynAck) - valueOf(synAck, inSynAck));
  };
  move(TCP_AT + 8, () => TCP_AT + 4);
  move(timestampAt(copy) + 4, timestampAt);
  fixChecksums(copy);
  return copy;
}

function valueOf(frame: Uint8Array, at: (frame: Uint8Array) => number): number {
  return new DataView(frame.buffer, frame.byteOffset).getInt32(at(frame));
}

/** The host receives the first `count` frames, with time for its echo server between them. */
export async function replay(target: Target, conversation: Conversation, count: number): Promise<void> {
  for (const frame of conversation.frames.slice(0, count)) {
    receive(target, frameFor(target, conversation, frame));
    await advance(target, 1);
  }
}
