// What a packet costs between two hosts' dev_queue_xmit and ptype handler: card, wire, card, NAPI.
//
//   node packages/nic-virtio-sim/bench/nic.mjs [--json] [--profile]
//
// Nothing above the device layer is there: packets are made here, and freed by a packet_type. ns per packet, best and
// median of 7 rounds.

import { register } from 'node:module';
import { parseArgs } from 'node:util';
