import { SKB_DROP_REASON_GRO_HEADER } from '@stack/kernel';
import {
  NET_RX_SUCCESS, consumeSkb, groCbCount, groCbSetFlush, groCbSetPayload, leakReport, skbGroReceive, type SkBuff, type SkBuffHead,
} from '@stack/skbuff';
import { beforeEach, describe, expect, test } from 'vitest';
import { unregisterNetdevice } from './dev.ts';
import { ethTypeTrans } from './eth.ts';
import { netdevSetFeatures } from './features.ts';
import { GRO_HELD, GRO_MERGED, GRO_NORMAL, napiGroReceive } from './gro.ts';
import { ETH_P_IP } from './if-ether.ts';
import { napiCompleteDone, napiDisable, napiEnable, napiSchedule, netifNapiAdd } from './napi.ts';
import { NETIF_F_GRO } from './netdev-features.ts';
import type { NapiStruct, NetDevice, PacketOffload } from './netdevice.ts';
import { devAddOffload, devAddPack } from './ptype.ts';
import { inside, makeDev, makeFrame, makeNet } from './test-support.ts';

/** A protocol whose first octet says what to do: 0 never held, 255 fails to complete, other: the flow. The second ends a packet. */
function receive(held: SkBuffHead, skb: SkBuff): SkBuff | null {
  const flow = skb.buf[skb.data]!;
  const end = skb.buf[skb.data + 1] === 1;
  for (let p = held.next; p !== null; p = p.next) {
    if (p.buf[p.data] !== flow) continue;
    return skbGroReceive(p, skb, 2) === 0 && !end ? null : p;
  }
  if (flow === 0) groCbSetFlush(skb);
  else groCbSetPayload(skb, skb.len - 2);
  return null;
}

const offload: PacketOffload = {
  type: ETH_P_IP,
  gsoSegment: () => null,
  groReceive: receive,
  groComplete: (skb) => {
    skb.shinfo.gsoSegs = groCbCount(skb);
    return skb.buf[skb.data] === 255 ? -22 : 0;
  },
};

let dev: NetDevice;
let napi: NapiStruct;
/** Flow and segments of what came up. */
let up: string[];

beforeEach(() => {
  dev = makeDev(makeNet());
  up = [];
  devAddOffload(dev.net, offload);
  devAddPack(dev.net, {
    type: ETH_P_IP,
    dev: null,
    func: (skb) => {
      up.push(`${skb.buf[skb.data]}x${skb.shinfo.gsoSegs || 1}`);
      consumeSkb(skb);
      return NET_RX_SUCCESS;
    },
    afPacketPriv: null,
  });
  napi = netifNapiAdd(dev, () => 0);
  napiEnable(napi);
  return () => {
    unregisterNetdevice(dev);
    expect(leakReport(dev.net.world)).toEqual([]);
  };
});

/** Polls a source that has these packets, `flow`, `flow!` (the end of one), or `flow*` (merged by the device already). Returns what napiGroReceive said. */
function poll(...packets: string[]): number[] {
  const said: number[] = [];
  napi.poll = () => {
    for (const packet of packets) {
      const skb = makeFrame(dev, parseInt(packet), 46, [2, 0, 0, 0, 0, 1]);
      skb.buf[skb.data + 15] = packet.endsWith('!') ? 1 : 0;
      if (packet.endsWith('*')) Object.assign(skb.shinfo, { gsoSize: 20, gsoSegs: 2 });
      skb.protocol = ethTypeTrans(skb, dev);
      said.push(napiGroReceive(napi, skb));
    }
    napiCompleteDone(napi, packets.length);
    return packets.length;
  };
  inside(dev.net, () => napiSchedule(napi));
  return said;
}

describe('generic receive offload', () => {
  test('packets of one flow go up as one when the poll ends', () => {
    expect(poll('1', '1', '1')).toEqual([GRO_HELD, GRO_MERGED, GRO_MERGED]);
    expect(up).toEqual(['1x3']);
  });

  test('flows are kept apart, the one held first goes up first', () => {
    poll('1', '2', '1', '2', '2');
    expect(up).toEqual(['1x2', '2x3']);
  });

  test('what must not be held goes up at once, before what is held of other flows', () => {
    expect(poll('1', '0', '1')).toEqual([GRO_HELD, GRO_NORMAL, GRO_MERGED]);
    expect(up).toEqual(['0x1', '1x2']);
  });

  test('what the device has merged already does not overtake what is held before it', () => {
    expect(poll('1', '1', '1*', '1')).toEqual([GRO_HELD, GRO_MERGED, GRO_NORMAL, GRO_HELD]);
    expect(up).toEqual(['1x2', '1x2', '1x1']);
    up = [];
    poll('1', '1*', '1');
    expect(up).toEqual(['1x1', '1x2', '1x1']);
  });

  test('a packet that ends goes up with its last segment', () => {
    poll('1', '1!', '2', '1');
    expect(up).toEqual(['1x2', '2x1', '1x1']);
  });

  test('a packet without room goes up, and the next begins another', () => {
    poll(...new Array<string>(20).fill('1'));
    expect(up).toEqual(['1x18', '1x2']);
  });

  test('more flows than are held: the oldest goes up', () => {
    poll('1', '2', '3', '4', '5', '6', '7', '8', '9');
    expect(up).toEqual(['1x1', '2x1', '3x1', '4x1', '5x1', '6x1', '7x1', '8x1', '9x1']);
  });

  test('a packet whose headers cannot be put right is a counted drop', () => {
    poll('255', '255');
    expect([up, dev.net.dropReasons[SKB_DROP_REASON_GRO_HEADER]]).toEqual([[], 1]);
  });

  test('NETIF_F_GRO off: every packet goes up by itself', () => {
    netdevSetFeatures(dev, NETIF_F_GRO, 0);
    expect(poll('1', '1')).toEqual([GRO_NORMAL, GRO_NORMAL]);
    expect(up).toEqual(['1x1', '1x1']);
  });

  test('disabling a source hands up what it holds', () => {
    inside(dev.net, () => {
      const skb = makeFrame(dev, 1, 46, [2, 0, 0, 0, 0, 1]);
      skb.protocol = ethTypeTrans(skb, dev);
      napiGroReceive(napi, skb);
      expect(up).toEqual([]);
      napiDisable(napi);
    });
    expect(up).toEqual(['1x1']);
  });
});
