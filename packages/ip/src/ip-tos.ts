/*
 * From the TOS field to the priority that qdiscs go by (the kernel's ip_tos2prio).
 */

const TC_PRIO_BESTEFFORT = 0;
const TC_PRIO_BULK = 2;
const TC_PRIO_INTERACTIVE_BULK = 4;
const TC_PRIO_INTERACTIVE = 6;

/** Indexed by the four TOS bits of RFC 1349: low delay is interactive, throughput bulk. */
const ipTos2prio: readonly number[] = [
  TC_PRIO_BESTEFFORT, TC_PRIO_BESTEFFORT, TC_PRIO_BESTEFFORT, TC_PRIO_BESTEFFORT,
  TC_PRIO_BULK, TC_PRIO_BULK, TC_PRIO_BULK, TC_PRIO_BULK,
  TC_PRIO_INTERACTIVE, TC_PRIO_INTERACTIVE, TC_PRIO_INTERACTIVE, TC_PRIO_INTERACTIVE,
  TC_PRIO_INTERACTIVE_BULK, TC_PRIO_INTERACTIVE_BULK, TC_PRIO_INTERACTIVE_BULK, TC_PRIO_INTERACTIVE_BULK,
];

/** The priority of packets with this TOS octet. */
export function rtTos2priority(tos: number): number {
  return ipTos2prio[(tos & 0x1e) >> 1];
}
