import { describe, expect, test } from 'vitest';
import { EIO } from './errno.ts';
import { interrupt, worldEnter, worldLeave } from './enter.ts';
import { hrtimerSetup, hrtimerStart } from './hrtimer.ts';
import type { Net } from './net.ts';
import { createNet, destroyNet, destroyWorld, netAtExit, requireNet, requireNoNet } from './net.ts';
import { NET_GONE, NET_UP } from './net-state.ts';
import type { PanicReport } from './panic.ts';
import { formatPanic, netFault, netPanic } from './panic.ts';
import { formatOpen, openReport, registerReporter } from './report.ts';
import { idle, sleep } from './sleep.ts';
import { registerMib, snmpInc, SnmpMib } from './snmp.ts';
import { NET_RX_SOFTIRQ, openSoftirq, raiseSoftirq } from './softirq.ts';
import { fakeLoop } from './testing/fake-loop.ts';
import { modTimer, TIMER_DEFERRABLE, timerPending, timerSetup } from './timer.ts';
import { traceNet } from './trace.ts';
import { virtualClock } from './virtual-clock.ts';
import { initWork, scheduleWork } from './work.ts';
import type { World } from './world.ts';
import { createWorld } from './world.ts';

function boom(): never {
  throw new Error('boom');
}

/** A World whose panics are looked at afterwards, not printed. */
function quietWorld(): World {
  return createWorld({ onPanic: () => undefined });
}

/** Ways in which a function of a Net can come to throw. */
const ways: Record<string, (net: Net) => void> = {
  interrupt: (net) => interrupt(net, boom, null),
  softirq: (net) => {
    openSoftirq(net, NET_RX_SOFTIRQ, () => {
      worldEnter(net.world);
      boom();
    });
    raiseSoftirq(net, NET_RX_SOFTIRQ);
  },
  timer: (net) => void modTimer(timerSetup(net, boom, null), net.world.jiffies + 1),
  hrtimer: (net) => hrtimerStart(hrtimerSetup(net, boom, null), 5),
  work: (net) => void scheduleWork(initWork(net, boom, null)),
  'system call': (net) => {
    worldEnter(net.world);
    const depth = net.world.depth;
    try {
      worldEnter(net.world);
      boom();
    } catch (error) {
      expect(netFault(net, depth, error, 'sys_read')).toBe(-EIO);
    }
    worldLeave(net.world);
    expect(net.world.depth).toBe(0);
  },
};

describe('a fault is confined to its Net', () => {
  test.each(Object.keys(ways))('%s: the Net panics, its exit functions run, its neighbour goes on', async (way) => {
    const reports: PanicReport[] = [];
    const world = createWorld({ onPanic: (report) => reports.push(report) });
    const sick = createNet(world, { name: 'sick' });
    const well = createNet(world);
    const log: string[] = [];
    netAtExit(sick, () => log.push('first installed'));
    netAtExit(sick, () => log.push('last installed'));
    modTimer(timerSetup(sick, () => log.push('never'), null), world.jiffies + 50);
    modTimer(timerSetup(well, () => log.push(`well at depth ${world.depth}`), null), world.jiffies + 50);
    ways[way](sick);
    await idle(world);
    expect(log).toEqual(['last installed', 'first installed', 'well at depth 1']);
    expect(reports.map((r) => `${r.net.name}: ${r.error.message}`)).toEqual(['sick: boom']);
    expect([sick.panicked?.message, sick.state, well.state]).toEqual(['boom', NET_GONE, NET_UP]);
    expect(world.depth).toBe(0);
    expect(openReport(world)).toEqual([]);
  });

  test('nothing of the Net runs after the fault, not even what was raised with it', async () => {
    const world = quietWorld();
    const net = createNet(world);
    const log: string[] = [];
    openSoftirq(net, 3, boom);
    openSoftirq(net, 4, () => log.push('later softirq'));
    worldEnter(world);
    raiseSoftirq(net, 4);
    raiseSoftirq(net, 3);
    hrtimerStart(hrtimerSetup(net, () => log.push('timer'), null), 0);
    worldLeave(world);
    raiseSoftirq(net, 4);
    interrupt(net, () => log.push('interrupt'), null);
    expect(modTimer(timerSetup(net, () => log.push('armed later'), null), 1)).toBe(false);
    await idle(world);
    expect(log).toEqual([]);
  });

  test('the works that exit functions schedule still run: a sleeper must learn of its end', async () => {
    const world = quietWorld();
    const net = createNet(world);
    const log: string[] = [];
    const work = initWork(net, () => log.push('woken'), null);
    netAtExit(net, () => void scheduleWork(work));
    netPanic(net, 'not even an Error');
    await idle(world);
    expect(log).toEqual(['woken']);
    expect(net.panicked?.message).toBe('not even an Error');
    expect(scheduleWork(work)).toBe(false);
  });

  test('a fault leaves the nesting of calls as it was for what runs next', () => {
    const world = quietWorld();
    const net = createNet(world);
    const depths: number[] = [];
    worldEnter(world);
    scheduleWork(initWork(createNet(world), () => depths.push(world.depth), null));
    ways.softirq(net);
    worldLeave(world);
    expect(depths).toEqual([1]);
  });

  test('the first fault is the one that is reported', async () => {
    const world = quietWorld();
    const net = createNet(world);
    netPanic(net, new Error('first'));
    netPanic(net, new Error('second'));
    await idle(world);
    netPanic(net, new Error('third'));
    expect(world.panics.map((p) => p.error.message)).toEqual(['first']);
  });

  test('an exit function that throws does not keep the others from running', async () => {
    const world = quietWorld();
    const net = createNet(world);
    const log: string[] = [];
    netAtExit(net, () => log.push('ran'));
    netAtExit(net, boom);
    netPanic(net, new Error('first'));
    await idle(world);
    expect(log).toEqual(['ran']);
    expect(world.panics[0].errors.length).toBe(1);
  });

  test('the report has the last tracepoints, what is open, and the counters that are not 0', () => {
    const world = createWorld({ clock: virtualClock({ loop: fakeLoop() }) });
    const net = createNet(world, { name: 'h' });
    const mib = new SnmpMib('Tcp', ['InSegs', 'OutSegs']);
    registerMib(net, mib);
    snmpInc(mib, 0);
    traceNet(net, () => undefined);
    net.trace?.hit(net, 'ip_rcv', null);
    modTimer(timerSetup(net, boom, null), world.jiffies + 3);
    registerReporter(world, (_world, _net, out) => out.push({ kind: 'socket', host: 'h', owner: 'tcp', detail: '10.0.0.1:7' }));
    netPanic(net, new Error('skb_over_panic'), 'softirq NET_RX');
    const text = formatPanic(world.panics[0]);
    expect(text).toContain('panic: h: skb_over_panic (in softirq NET_RX, at 0.000000000 s)');
    expect(text).toContain('  0.000000000 h ip_rcv');
    expect(text).toContain('  timer boom in 3 ms');
    expect(text).toContain('  socket tcp 10.0.0.1:7');
    expect(text).toContain('counters: TcpInSegs=1');
    expect(text).not.toContain('OutSegs');
  });

  test('debug without onPanic: the fault is thrown in a turn of the event loop, once, and the World goes on', () => {
    const loop = fakeLoop();
    const world = createWorld({ clock: virtualClock({ loop }), debug: true });
    const net = createNet(world);
    interrupt(net, boom, null);
    expect(() => loop.turn()).toThrow('boom');
    expect(() => loop.turns()).not.toThrow();
    expect(world.depth).toBe(0);
  });

  test('a panic that nobody listens to is printed on the console', () => {
    const printed: unknown[] = [];
    const { console } = globalThis as unknown as { console: { error: (text: unknown) => void } };
    const { error } = console;
    console.error = (text) => void printed.push(text);
    const loop = fakeLoop();
    const world = createWorld({ clock: virtualClock({ loop }) });
    interrupt(createNet(world, { name: 'h1' }), boom, null);
    loop.turns();
    console.error = error;
    expect(printed).toHaveLength(1);
    expect(String(printed[0])).toContain('panic: h1: boom (in boom, at 0.000000000 s)');
  });

  test('a fault of the World itself is thrown in a turn of the event loop', () => {
    const loop = fakeLoop();
    const world = createWorld({ clock: virtualClock({ loop }) });
    const log: string[] = [];
    worldEnter(world);
    hrtimerStart(hrtimerSetup(world, boom, null), 0);
    hrtimerStart(hrtimerSetup(world, () => log.push('next'), null), 0);
    worldLeave(world);
    expect(log).toEqual(['next']);
    expect(() => loop.turn()).toThrow('boom');
  });
});

describe('createNet, destroyNet', () => {
  function twoNets(): { world: World; net: Net } {
    const world = createWorld();
    createNet(world);
    return { world, net: createNet(world) };
  }

  test('exit functions run last first; what they left armed is listed, and does not fire', async () => {
    const { world, net } = twoNets();
    const log: string[] = [];
    const timer = timerSetup(net, function neighTimer() {
      log.push('fired');
    }, null, TIMER_DEFERRABLE);
    modTimer(timer, world.jiffies + 7);
    netAtExit(net, () => log.push('a'));
    netAtExit(net, () => log.push('b'));
    expect(formatOpen(destroyNet(net))).toBe('timer host2 neighTimer (in 7 ms, deferrable)');
    expect(timerPending(timer)).toBe(false);
    expect(destroyNet(net)).toEqual([]);
    await sleep(world, 20);
    expect(log).toEqual(['b', 'a']);
    expect(world.nets.map((n) => n.name)).toEqual(['host1']);
  });

  test('the error of an exit function reaches the caller after all have run', () => {
    const { net } = twoNets();
    const log: string[] = [];
    netAtExit(net, () => log.push('ran'));
    netAtExit(net, boom);
    expect(() => destroyNet(net)).toThrow('boom');
    expect([log, net.state, net.world.depth]).toEqual([['ran'], NET_GONE, 0]);
  });

  test('destroyWorld takes all down and gives the host loop back', () => {
    const loop = fakeLoop();
    const world = createWorld({ clock: virtualClock({ loop }) });
    const net = createNet(world);
    hrtimerStart(hrtimerSetup(world, boom, null), 100);
    modTimer(timerSetup(net, boom, null), 100);
    expect(destroyWorld(world).map((i) => `${i.kind} ${i.host}`)).toEqual(['timer host1', 'hrtimer ']);
    expect([loop.closed, destroyWorld(world)]).toEqual([true, []]);
  });

  test('a layer that is not installed is named', () => {
    const { net } = twoNets();
    expect(() => requireNet(net, 'installIp')).not.toThrow();
    // No layer is known to this package, so the name has to be passed by force.
    const installer = requireNet as (net: Net, installer: string, link: string) => void;
    expect(() => installer(net, 'installIp', 'netdev')).toThrow('installIp: install netdev first');
    Object.assign(net, { netdev: {} });
    expect(() => installer(net, 'installIp', 'netdev')).not.toThrow();
    const forbid = requireNoNet as (net: Net, installer: string, link: string) => void;
    expect(() => forbid(net, 'installNetdev', 'netdev')).toThrow('installNetdev: netdev is installed already');
  });
});
