// Whatever a user writes into a raw, ping or packet socket: sendto says how much it took or why not, nothing throws, nothing is left open,
// and the other host, which receives it all with sockets of every kind open, lives too.
import { idle, Random, randomBelow, randomU32 } from '@stack/kernel';
import { IPPROTO_ICMP, IPPROTO_RAW } from '@stack/ip';
import { ETH_P_ALL, ETH_P_IP } from '@stack/netdev';
import { SockAddrLl } from '@stack/packet';
import { MSG_DONTWAIT, SOCK_DGRAM, SOCK_RAW, sysSendto, type SockAddr } from '@stack/socket';
import { expect, test } from 'vitest';
import { A, addr, B, endRig, eth0, ethernet, icmp, inetSocket, ipv4, packetSocket, rawRig, take } from './support/raw-rig.ts';

const ROUNDS = 3000;
const SEED = 20251;

/** A message that is nearly right, some of its octets changed, its end perhaps cut off. */
function mutated(random: Random, model: Uint8Array): Uint8Array {
  const message = model.slice(0, randomBelow(random, 4) === 0 ? randomBelow(random, model.length + 1) : model.length);
  for (let n = randomBelow(random, 4); n > 0 && message.length > 0; n--) message[randomBelow(random, Math.min(message.length, 40))] = randomU32(random);
  return message;
}

test(`${ROUNDS} messages (seed ${SEED})`, async () => {
  const rig = rawRig();
  const { a, b } = rig;
  const random = new Random(SEED);
  const inet = [inetSocket(b, SOCK_RAW, IPPROTO_ICMP), inetSocket(b, SOCK_RAW, 17), inetSocket(b, SOCK_DGRAM, IPPROTO_ICMP)];
  const packets = [packetSocket(b, SOCK_RAW, ETH_P_ALL), packetSocket(b, SOCK_DGRAM, ETH_P_IP)];
  const dev = eth0(a);
  const packet = ipv4(IPPROTO_ICMP, A, B, icmp(8, 0, 1, 1, new Uint8Array(64)));
  const link = new SockAddrLl(ETH_P_IP, dev.ifindex, eth0(b).devAddr);
  const senders: readonly (readonly [number, Uint8Array, SockAddr])[] = [
    [inetSocket(a, SOCK_RAW, IPPROTO_RAW), packet, addr(B)],
    [inetSocket(a, SOCK_RAW, IPPROTO_ICMP), packet.subarray(20), addr(B)],
    [inetSocket(a, SOCK_DGRAM, IPPROTO_ICMP), packet.subarray(20), addr(B)],
    [packetSocket(a, SOCK_DGRAM, 0), packet, link],
    [packetSocket(a, SOCK_RAW, 0), ethernet(eth0(b).devAddr, dev.devAddr, ETH_P_IP, packet), link],
  ];
  let taken = 0;
  for (let i = 0; i < ROUNDS; i++) {
    const [sender, model, to] = senders[i % senders.length] as (typeof senders)[number];
    const message = mutated(random, model);
    const n = sysSendto(a.task, sender, message, MSG_DONTWAIT, to) as number;
    expect(n === message.length || n < 0, `seed ${SEED}, round ${i}: sendto ${n} of ${message.length}`).toBe(true);
    if (n >= 0) taken++;
    if (i % 100 === 0) {
      await idle(rig.world);
      for (const fd of inet) while (take(b, fd, addr(B), 0, 2048).n >= 0);
      for (const fd of packets) while (take(b, fd, new SockAddrLl(), 0, 2048).n >= 0);
    }
  }
  expect(taken).toBeGreaterThan(ROUNDS / 2);
  expect([a.net.panicked, b.net.panicked]).toEqual([null, null]);
  await endRig(rig);
});
