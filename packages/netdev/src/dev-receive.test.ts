import { SKB_DROP_REASON_CPU_BACKLOG, SKB_DROP_REASON_UNHANDLED_PROTO, sysctlWrite, traceNet } from '@stack/kernel';
import { NET_RX_DROP, NET_RX_SUCCESS, consumeSkb, leakReport, type SkBuff } from '@stack/skbuff';
import { beforeEach, describe, expect, test } from 'vitest';
import { netifRx } from './dev-backlog.ts';
import { netifReceiveSkb, netdevRxHandlerRegister, netdevRxHandlerUnregister } from './dev-receive.ts';
import { devClose, unregisterNetdevice } from './dev.ts';
import { ethTypeTrans } from './eth.ts';
import { napiGroReceive } from './gro.ts';
import { ETH_P_ALL, ETH_P_ARP, ETH_P_IP, ETH_P_IPV6 } from './if-ether.ts';
import { napiCompleteDone, napiDisable, napiEnable, napiSchedule, netifNapiAdd } from './napi.ts';
import { RX_HANDLER_ANOTHER, RX_HANDLER_CONSUMED, RX_HANDLER_EXACT, RX_HANDLER_PASS, type NapiStruct, type NetDevice, type PacketType } from './netdevice.ts';
import { devAddPack, devRemovePack, ptypeHash } from './ptype.ts';
import { inside, makeDev, makeFrame, makeNet } from './test-support.ts';

let dev: NetDevice;

beforeEach(() => {
  dev = makeDev(makeNet());
  return () => {
    unregisterNetdevice(dev);
    expect(leakReport(dev.net.world)).toEqual([]);
  };
});

/** A protocol that notes the tag of what it gets. */
function protocol(seen: unknown[], type: number, on: NetDevice | null = null, what = (skb: SkBuff): unknown => skb.buf[skb.data]): PacketType {
  const pt: PacketType = {
    type,
    dev: on,
    func: (skb) => {
      seen.push(what(skb));
      consumeSkb(skb);
      return NET_RX_SUCCESS;
    },
    afPacketPriv: null,
  };
  devAddPack(dev.net, pt);
  return pt;
}

function frame(tag: number, type = ETH_P_IP, on = dev): SkBuff {
  const skb = makeFrame(on, tag, 46, [2, 0, 0, 0, 0, 1], type);
  skb.networkHeader = -1;
  skb.protocol = ethTypeTrans(skb, on);
  return skb;
}

function receive(skb: SkBuff): number {
  let rc = -1;
  inside(dev.net, () => {
    rc = netifReceiveSkb(skb);
  });
  return rc;
}

describe('ptype_base', () => {
  test('a packet goes to the protocol of its type, network header at data', () => {
    const seen: unknown[] = [];
    protocol(seen, ETH_P_IP, null, (skb) => ['ip', skb.networkHeader === skb.data, skb.data - skb.macHeader, skb.macLen, skb.skbIif]);
    protocol(seen, ETH_P_ARP, null, () => 'arp');
    expect(receive(frame(1))).toBe(NET_RX_SUCCESS);
    expect(receive(frame(1, ETH_P_ARP))).toBe(NET_RX_SUCCESS);
    expect(seen).toEqual([['ip', true, 14, 14, dev.ifindex], 'arp']);
  });

  test('types that share a bucket are told apart', () => {
    const seen: unknown[] = [];
    expect(ptypeHash(0x0810)).toBe(ptypeHash(ETH_P_IP));
    protocol(seen, ETH_P_IP, null, () => 'ip');
    protocol(seen, 0x0810, null, () => 'other');
    receive(frame(1, 0x0810));
    expect(seen).toEqual(['other']);
  });

  test('two protocols of one type both get it, the same octets', () => {
    const seen: unknown[] = [];
    protocol(seen, ETH_P_IP);
    protocol(seen, ETH_P_IP);
    receive(frame(42));
    expect(seen).toEqual([42, 42]);
  });

  test('one that is of another device does not', () => {
    const seen: unknown[] = [];
    protocol(seen, ETH_P_IP, makeDev(dev.net), () => 'other');
    protocol(seen, ETH_P_IP, dev, () => 'mine');
    receive(frame(1));
    expect(seen).toEqual(['mine']);
  });

  test('a packet that nobody wants is a counted drop', () => {
    expect(receive(frame(1, ETH_P_IPV6))).toBe(NET_RX_DROP);
    expect([dev.stats.rxDropped, dev.stats.rxNohandler, dev.net.dropReasons[SKB_DROP_REASON_UNHANDLED_PROTO]]).toEqual([1, 1, 1]);
  });

  test('registering twice and unregistering what is not there are errors', () => {
    const pt = protocol([], ETH_P_IP);
    expect(devAddPack(dev.net, pt)).toBeLessThan(0);
    expect(devRemovePack(dev.net, pt)).toBe(0);
    expect(devRemovePack(dev.net, pt)).toBeLessThan(0);
    expect(receive(frame(1))).toBe(NET_RX_DROP);
  });

  test('a tap sees every packet, with a time; the protocol gets its own', () => {
    const seen: unknown[] = [];
    protocol(seen, ETH_P_ALL, null, (skb) => ['tap', skb.buf[skb.data], skb.tstamp > 0]);
    protocol(seen, ETH_P_IP, null, (skb) => ['ip', skb.buf[skb.data]]);
    dev.net.world.now = 5;
    receive(frame(7));
    receive(frame(8, ETH_P_IPV6));
    expect(seen).toEqual([['tap', 7, true], ['ip', 7], ['tap', 8, true]]);
  });
});

describe('rx_handler', () => {
  test('may take a packet, let it pass, or send it round as another device\'s', () => {
    const seen: unknown[] = [];
    const other = makeDev(dev.net);
    protocol(seen, ETH_P_IP, null, (skb) => skb.dev === other ? 'other' : 'dev');
    let verdict = RX_HANDLER_PASS;
    expect(netdevRxHandlerRegister(dev, (skb) => {
      if (verdict === RX_HANDLER_CONSUMED) consumeSkb(skb);
      if (verdict === RX_HANDLER_ANOTHER) skb.dev = other;
      return verdict;
    }, null)).toBe(true);
    expect(netdevRxHandlerRegister(dev, () => 0, null)).toBe(false);
    receive(frame(1));
    verdict = RX_HANDLER_CONSUMED;
    expect(receive(frame(1))).toBe(NET_RX_SUCCESS);
    verdict = RX_HANDLER_ANOTHER;
    receive(frame(1));
    expect(seen).toEqual(['dev', 'other']);
    netdevRxHandlerUnregister(dev);
  });

  test('RX_HANDLER_EXACT: only who asked for this very device', () => {
    const seen: unknown[] = [];
    protocol(seen, ETH_P_IP, null, () => 'any');
    const mine = protocol(seen, ETH_P_IP, dev, () => 'exact');
    netdevRxHandlerRegister(dev, () => RX_HANDLER_EXACT, null);
    receive(frame(1));
    devRemovePack(dev.net, mine);
    receive(frame(1));
    expect(seen).toEqual(['exact']);
    expect(dev.stats.rxNohandler).toBe(1);
  });
});

describe('netif_rx and process_backlog', () => {
  test('packets come up in a softirq, in order, by the path of the chapter', () => {
    const seen: unknown[] = [];
    const hits: string[] = [];
    protocol(seen, ETH_P_IP);
    const stop = traceNet(dev.net, (r) => hits.push(r.function));
    inside(dev.net, () => {
      for (const tag of [1, 2]) {
        const skb = frame(tag);
        expect(netifRx(skb)).toBe(NET_RX_SUCCESS);
      }
      expect(seen).toEqual([]);
    });
    stop();
    expect(seen).toEqual([1, 2]);
    expect(hits).toEqual([
      'eth_type_trans', 'netif_rx', 'eth_type_trans', 'netif_rx',
      'net_rx_action', 'process_backlog', 'netif_receive_skb', 'netif_receive_skb',
    ]);
  });

  test('net.core.netdev_max_backlog: what comes beyond is a counted drop', () => {
    const seen: unknown[] = [];
    protocol(seen, ETH_P_IP);
    expect(sysctlWrite(dev.net, 'net.core.netdev_max_backlog', 3)).toBe(0);
    inside(dev.net, () => {
      for (let tag = 0; tag < 6; tag++) netifRx(frame(tag));
    });
    expect(seen).toEqual([0, 1, 2, 3]);
    expect([dev.stats.rxDropped, dev.net.netdev.softnet.dropped, dev.net.dropReasons[SKB_DROP_REASON_CPU_BACKLOG]]).toEqual([2, 2, 2]);
  });

  test('a device that is down receives nothing; one that goes loses what waited', () => {
    const seen: unknown[] = [];
    protocol(seen, ETH_P_IP);
    const other = makeDev(dev.net);
    inside(dev.net, () => {
      netifRx(frame(1));
      netifRx(frame(2, ETH_P_IP, other));
      unregisterNetdevice(other);
    });
    inside(dev.net, () => {
      devClose(dev);
      expect(netifRx(frame(3))).toBe(NET_RX_DROP);
    });
    expect(seen).toEqual([1]);
  });
});

/** A NAPI source with packets to hand up. */
class Source {
  napi: NapiStruct;
  left: number;
  polls: number[] = [];

  constructor(left: number, weight?: number) {
    this.left = left;
    this.napi = netifNapiAdd(dev, (napi, budget) => {
      const n = Math.min(budget, this.left);
      this.polls.push(n);
      this.left -= n;
      for (let i = 0; i < n; i++) napiGroReceive(napi, frame(1));
      if (n < budget) napiCompleteDone(napi, n);
      return n;
    }, weight);
    napiEnable(this.napi);
  }
}

describe('NAPI', () => {
  test('a source is polled until it has less than its weight', () => {
    const seen: unknown[] = [];
    protocol(seen, ETH_P_IP);
    const source = new Source(130);
    inside(dev.net, () => expect(napiSchedule(source.napi)).toBe(true));
    expect(source.polls).toEqual([64, 64, 2]);
    expect(seen.length).toBe(130);
  });

  test('sources take turns', () => {
    protocol([], ETH_P_IP);
    const order: string[] = [];
    const sources = [new Source(100), new Source(30), new Source(100)];
    sources.forEach((source, i) => {
      const { poll } = source.napi;
      source.napi.poll = (napi, budget) => {
        order.push(String(i));
        return poll(napi, budget);
      };
    });
    inside(dev.net, () => sources.forEach((source) => napiSchedule(source.napi)));
    expect(order.join('')).toBe('01202');
  });

  test('net.core.netdev_budget: past it the rest waits for another softirq, and that is counted', () => {
    protocol([], ETH_P_IP);
    sysctlWrite(dev.net, 'net.core.netdev_budget', 100);
    const source = new Source(256);
    inside(dev.net, () => napiSchedule(source.napi));
    expect(source.polls).toEqual([64, 64, 64, 64, 0]);
    expect(dev.net.netdev.softnet.timeSqueeze).toBe(2);
  });

  test('scheduling one that is scheduled does nothing; scheduling one that is being polled has it polled again', () => {
    protocol([], ETH_P_IP);
    const source = new Source(1);
    inside(dev.net, () => {
      expect(napiSchedule(source.napi)).toBe(true);
      expect(napiSchedule(source.napi)).toBe(false);
    });
    // The second call came while it was scheduled: it counts as missed.
    expect(source.polls).toEqual([1, 0]);
  });

  test('a disabled source is not scheduled, and disabling takes it off the list', () => {
    protocol([], ETH_P_IP);
    const source = new Source(1);
    inside(dev.net, () => {
      napiSchedule(source.napi);
      napiDisable(source.napi);
      expect(napiSchedule(source.napi)).toBe(false);
    });
    expect(source.polls).toEqual([]);
    napiEnable(source.napi);
    inside(dev.net, () => expect(napiSchedule(source.napi)).toBe(true));
    expect(source.polls).toEqual([1]);
  });

  test('scheduling never polls in the stack of who schedules', () => {
    protocol([], ETH_P_IP);
    const source = new Source(1);
    inside(dev.net, () => {
      napiSchedule(source.napi);
      expect(source.polls).toEqual([]);
    });
    expect(source.polls).toEqual([1]);
  });
});
