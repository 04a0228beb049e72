// Bad input: packets that are cut, bent and mixed, through tracking and NAT. Nothing throws, leaks, or outgrows its limit; and what
// had right checksums when it came has them when it leaves.
import { inAton, inNtoa } from '@stack/inet-sock';
import { Random, destroyNet, randomBelow, sleep, sysctlWrite } from '@stack/kernel';
import { NF_ACCEPT, NF_INET_POST_ROUTING, NF_INET_PRE_ROUTING } from '@stack/netfilter';
import { csumFold, csumPartial, leakReport } from '@stack/skbuff';
import { expect, it } from 'vitest';
import { NF_NAT_RANGE_MAP_IPS, NF_NAT_RANGE_PROTO_SPECIFIED, NfNatRange, nfCtGet, nfNatSetupInfo } from './index.ts';
import { HOOK2MANIP } from './nf-nat.ts';
import { nfNatNetInit } from './nf-nat-install.ts';
import { checksumsRight, forward, ipBytes, packetOf, trackingNet } from './test-packets.ts';

const MAX = 64;
const PACKETS = 1500;

function range(first: string, ports: boolean): NfNatRange {
  const made = new NfNatRange();
  made.flags = NF_NAT_RANGE_MAP_IPS | (ports ? NF_NAT_RANGE_PROTO_SPECIFIED : 0);
  Object.assign(made, { minAddr: inAton(first), maxAddr: inAton(first) + 3, minProto: 100, maxProto: 140 });
  return made;
}

/** A packet between few hosts and ports, so that connections are met again; every fourth an error about another one. */
function randomPacket(random: Random, depth = 0): Uint8Array {
  const pick = (n: number): number => randomBelow(random, n);
  const fields = {
    saddr: inNtoa(inAton('10.0.0.0') + pick(4)), daddr: inNtoa(inAton('10.0.0.0') + pick(4)), sport: 100 + pick(4), dport: 100 + pick(4), id: pick(4),
    flags: ['S', 'SA', 'A', 'FA', 'R', 'RA', 'PA'][pick(7)]!, seq: pick(3) * 1000, ack: pick(3) * 1000, type: [0, 8, 13, 14][pick(4)]!,
    options: [[], [3, 3, 7, 0], [4, 2, 5, 10, 0, 0, 0, 1, 0, 0, 0, 9], [3, 99, 0, 0], [5, 1, 1, 1]][pick(5)]!,
    payload: new Uint8Array(pick(30)),
  };
  if (pick(4) !== 0 || depth > 1) return ipBytes([6, 17, 1, 47][pick(4)]!, fields);
  const quoted = randomPacket(random, depth + 1);
  return ipBytes(1, { ...fields, type: [3, 4, 5, 11, 12][pick(5)]!, payload: quoted.subarray(0, 20 + pick(quoted.length)) });
}

/** Bends a packet: some bits, its end, or its length. */
function bend(random: Random, bytes: Uint8Array): Uint8Array {
  const bent = bytes.slice(0, randomBelow(random, 4) === 0 ? 20 + randomBelow(random, bytes.length - 19) : bytes.length);
  // IP itself has checked version, length and header before a hook sees the packet.
  for (let flips = randomBelow(random, 4); flips > 0; flips--) bent[1 + randomBelow(random, bent.length - 1)]! ^= 1 << randomBelow(random, 8);
  return bent;
}

it.each([1, 2, 3])('random and bent packets (seed %i)', async (seed) => {
  const random = new Random(seed);
  const net = trackingNet();
  nfNatNetInit(net);
  expect(sysctlWrite(net, 'net.netfilter.nf_conntrack_max', MAX)).toBe(0);
  expect(sysctlWrite(net, 'net.netfilter.nf_conntrack_buckets', 16)).toBe(0);
  net.nat.lookup = (skb, state) => {
    const n = randomBelow(random, 4);
    if (n === 0 || (state.hook !== NF_INET_PRE_ROUTING && state.hook !== NF_INET_POST_ROUTING)) return NF_ACCEPT;
    return nfNatSetupInfo(nfCtGet(skb)!, range(`192.0.2.${n * 4}`, n === 3), HOOK2MANIP(state.hook));
  };
  let left = 0;
  for (let i = 0; i < PACKETS; i++) {
    const whole = randomPacket(random);
    const bytes = randomBelow(random, 3) === 0 ? bend(random, whole) : whole;
    const right = bytes.length >= 28 && (bytes[9] === 47 ? bytes === whole : [1, 6, 17].includes(bytes[9]!)) && checksumsRight(bytes);
    const passed = forward(packetOf(net, bytes));
    if (net.ct.count > MAX) throw new Error(`packet ${i}: ${net.ct.count} connections`);
    if (i % 100 === 0) await sleep(net.world, 20_000);
    if (!passed.accepted) continue;
    left++;
    if (passed.bytes.length !== bytes.length) throw new Error(`packet ${i}: another length`);
    const view = new DataView(passed.bytes.buffer, passed.bytes.byteOffset);
    if (right && bytes[9] !== 47) expect(checksumsRight(passed.bytes), `packet ${i}`).toBe(true);
    else if (right) expect(csumFold(csumPartial(passed.bytes, view, 0, 20, 0)), `packet ${i}`).toBe(0);
  }
  expect(left).toBeGreaterThan(PACKETS / 4);
  destroyNet(net);
  expect([net.ct.count, leakReport(net.world), net.nat.bysource.every((ct) => ct === null)]).toEqual([0, [], true]);
});
