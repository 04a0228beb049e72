import { destroyNet, idle, type Net, type World } from '@stack/kernel';
import { leakReport } from '@stack/skbuff';
import { beforeEach, describe, expect, test } from 'vitest';
import { createVirtioNic } from './create.ts';
import type { Impairments } from './impair.ts';
import { Host, inside, intact, makeWorld, range, send, up } from './test-support.ts';
import { connect, disconnect, wireSetImpairments, type Wire } from './wire.ts';
import { devClose } from '@stack/netdev';

let world: World;

beforeEach(() => {
  world = makeWorld();
  return () => {
    for (const net of [...world.nets]) destroyNet(net);
    expect(leakReport(world)).toEqual([]);
  };
});

function host(name: string, on = world): Host {
  return new Host(on, name, (net: Net) => createVirtioNic(net));
}

function link(impairments: Impairments, back?: Impairments, on = world): { a: Host; b: Host; wire: Wire } {
  const [a, b] = [host('a', on), host('b', on)];
  const wire = connect(a.port, b.port, impairments, back);
  up(a, b);
  return { a, b, wire };
}

/** Sends `n` frames, 50 a turn, and waits until all is quiet. */
async function flood(a: Host, b: Host, n: number): Promise<void> {
  for (let i = 0; i < n; i += 50) {
    send(a, b, range(Math.min(50, n - i)).map((tag) => (tag + i) & 0xff));
    await idle(a.net.world);
  }
}

describe('connect', () => {
  test('two Worlds: EXDEV', () => {
    const other = makeWorld();
    const [a, b] = [host('a'), host('b', other)];
    expect(() => connect(a.port, b.port)).toThrow(expect.objectContaining({ code: 'EXDEV' }));
    destroyNet(b.net);
  });

  test('a port has one cable: EBUSY; after it is pulled, another', () => {
    const [a, b, c] = [host('a'), host('b'), host('c')];
    const wire = connect(a.port, b.port);
    expect(() => connect(c.port, b.port)).toThrow(expect.objectContaining({ code: 'EBUSY' }));
    expect(() => connect(c.port, c.port)).toThrow(expect.objectContaining({ code: 'EBUSY' }));
    disconnect(wire);
    disconnect(wire);
    connect(c.port, b.port);
  });

  test.each([
    [{ loss: 1.5 }, /loss/], [{ corrupt: -1 }, /corrupt/], [{ delay: -1 }, /delay/], [{ bandwidth: 0 }, /bandwidth/],
    [{ queueLen: 0 }, /queueLen/], [{ jitter: NaN }, /jitter/],
  ] as [Impairments, RegExp][])('%j is refused by name', (impairments, message) => {
    const [a, b] = [host('a'), host('b')];
    expect(() => connect(a.port, b.port, impairments)).toThrow(message);
  });
});

describe('time', () => {
  test('delay: a frame arrives that much later, to the nanosecond; each direction has its own', async () => {
    const { a, b } = link({ delay: 12.5 }, { delay: 1 });
    send(a, b, [1]);
    send(b, a, [2]);
    await idle(world);
    expect([b.got[0]!.time, a.got[0]!.time]).toEqual([12_500_000, 1_000_000]);
  });

  test('bandwidth: frames follow one another as on Ethernet: octets, preamble, FCS, gap', async () => {
    const { a, b } = link({ bandwidth: 1e9 });
    send(a, b, [1, 2, 3], 1500);
    await idle(world);
    const frame = (1514 + 24) * 8;
    expect(b.got.map(({ time }) => time)).toEqual([frame, 2 * frame, 3 * frame]);
  });

  test('bandwidth: a short frame takes as long as the shortest', async () => {
    const { a, b } = link({ bandwidth: 1e9 });
    send(a, b, [1], 20);
    await idle(world);
    expect(b.got[0]!.time).toBe(84 * 8);
  });

  test('bandwidth and delay add up: the line is free for the next as soon as the first has left', async () => {
    const { a, b } = link({ bandwidth: 1e9, delay: 5 });
    send(a, b, [1, 2], 1500);
    await idle(world);
    expect(b.got.map(({ time }) => time)).toEqual([5_012_304, 5_024_608]);
  });

  test('queueLen: of a burst as many survive as wait, the first ones', async () => {
    const { a, b, wire } = link({ bandwidth: 1e6, queueLen: 10 });
    send(a, b, range(30));
    await idle(world);
    expect(b.tags).toEqual(range(10));
    expect(wire.ab.overflowed).toBe(20);
    send(a, b, [77]);
    await idle(world);
    expect(b.tags[10]).toBe(77);
  });

  test('jitter: within its bounds, never out of order', async () => {
    const { a, b } = link({ delay: 10, jitter: 4 });
    const sent: number[] = [];
    for (const tag of range(200)) {
      sent.push(world.now);
      send(a, b, [tag & 0xff]);
      await idle(world);
    }
    const late = b.got.map(({ time }, i) => time - sent[i]!);
    expect(Math.min(...late)).toBeGreaterThanOrEqual(6_000_000);
    expect(Math.max(...late)).toBeLessThanOrEqual(14_000_000);
    expect(Math.max(...late) - Math.min(...late)).toBeGreaterThan(6_000_000);
    const burst = link({ delay: 10, jitter: 10 });
    await flood(burst.a, burst.b, 200);
    expect(burst.b.tags).toEqual(range(200));
  });
});

describe('chances', () => {
  test.each([0.01, 0.1, 0.3])('loss %f', async (loss) => {
    const { a, b, wire } = link({ loss });
    await flood(a, b, 2000);
    expect(b.got.length + wire.ab.lost).toBe(2000);
    expect(Math.abs(wire.ab.lost / 2000 - loss)).toBeLessThan(4 * Math.sqrt((loss * (1 - loss)) / 2000));
  });

  test('loss 1 is a partition, and it can be healed', async () => {
    const { a, b, wire } = link({ loss: 1 });
    await flood(a, b, 100);
    expect(b.got.length).toBe(0);
    wireSetImpairments(wire, {});
    await flood(a, b, 100);
    expect(b.got.length).toBe(100);
  });

  test('duplicate: each arrives twice, one after the other', async () => {
    const { a, b, wire } = link({ duplicate: 1 });
    await flood(a, b, 20);
    expect(b.tags).toEqual(range(20).flatMap((tag) => [tag, tag]));
    expect(wire.ab.duplicated).toBe(20);
  });

  test('corrupt: exactly one bit is another', async () => {
    const { a, b, wire } = link({ corrupt: 1 });
    const clean = link({});
    await flood(a, b, 200);
    await flood(clean.a, clean.b, 200);
    expect(wire.ab.corrupted).toBe(200);
    for (const { frame } of b.got) {
      const tag = range(256).find((t) => {
        let bits = 0;
        for (let i = 0; i < 100; i++) bits += bitCount(frame[14 + i]! ^ ((t + i * 3) & 0xff));
        return bits <= 1;
      });
      expect(tag).toBeDefined();
    }
    expect(b.got.filter(({ frame }) => !intact(frame)).length).toBeGreaterThan(150);
    expect(clean.b.got.every(({ frame }) => intact(frame))).toBe(true);
  });

  test('reorder: some come later than those behind them, all come', async () => {
    const { a, b, wire } = link({ reorder: 0.2, bandwidth: 1e8, reorderDelay: 0.05 });
    await flood(a, b, 200);
    expect(wire.ab.reordered).toBeGreaterThan(20);
    expect(b.tags).not.toEqual(range(200));
    expect([...b.tags].sort((x, y) => x - y)).toEqual(range(200));
  });
});

function bitCount(n: number): number {
  let bits = 0;
  for (let rest = n; rest !== 0; rest &= rest - 1) bits++;
  return bits;
}

describe('a run', () => {
  const bad: Impairments = { bandwidth: 1e8, delay: 3, jitter: 2, loss: 0.1, reorder: 0.1, duplicate: 0.1, corrupt: 0.1 };

  async function run(seed: number): Promise<string> {
    const own = makeWorld(seed);
    const { a, b } = link(bad, bad, own);
    await flood(a, b, 300);
    const text = b.got.map(({ time, frame }) => `${time}:${frame[14]}:${frame.reduce((x, y) => (x * 31 + y) | 0, 0)}`).join();
    for (const net of [...own.nets]) destroyNet(net);
    return text;
  }

  test('is the same for the same seed, another for another', async () => {
    const [first, second, other] = [await run(7), await run(7), await run(8)];
    expect(first).toBe(second);
    expect(first).not.toBe(other);
  });
});

describe('taking things away', () => {
  test('what is under way when the cable is pulled is lost, its memory given back', async () => {
    const { a, b, wire } = link({ delay: 50 });
    send(a, b, range(20));
    expect(wire.ab.nrHeld).toBe(20);
    disconnect(wire);
    expect(wire.ab.nrHeld).toBe(0);
    await idle(world);
    expect(b.got).toEqual([]);
  });

  test('what is under way when the sender is gone arrives', async () => {
    const { a, b } = link({ delay: 50 });
    send(a, b, range(5));
    destroyNet(a.net);
    await idle(world);
    expect(b.tags).toEqual(range(5));
  });

  test('what arrives at a host that is down or gone is lost', async () => {
    const { a, b } = link({ delay: 50 });
    send(a, b, range(5));
    inside(world, () => devClose(b.dev));
    await idle(world);
    send(a, b, range(5));
    destroyNet(b.net);
    await idle(world);
    expect(b.got).toEqual([]);
  });
});
