import { describe, expect, test } from 'vitest';
import * as dropReason from './drop-reason.ts';
import * as errno from './errno.ts';
import { createNet } from './net.ts';
import { registerMib, snmpAdd, snmpDec, snmpInc, SnmpMib, snmpSnapshot, unregisterMib } from './snmp.ts';
import { ctlRow, registerSysctlTable, sysctlList, sysctlRead, sysctlWrite, unregisterSysctlTable } from './sysctl.ts';
import type { TraceRecord } from './trace.ts';
import { formatTrace, traceNet } from './trace.ts';
import { createWorld } from './world.ts';

const { EEXIST, EINVAL, ENOENT, EPERM, errnoException, errnoName } = errno;

describe('errno', () => {
  test('the fields and the message of Node', () => {
    const e = errnoException(-errno.ECONNREFUSED, 'connect', '10.0.0.1', 7);
    expect(e).toBeInstanceOf(Error);
    expect(e.message).toBe('connect ECONNREFUSED 10.0.0.1:7');
    expect({ ...e }).toEqual({ code: 'ECONNREFUSED', errno: -111, syscall: 'connect', address: '10.0.0.1', port: 7 });
    expect('port' in errnoException(errno.EPIPE, 'write')).toBe(false);
    expect(errnoException(errno.EACCES, 'bind', '/dev/net/tun').message).toBe('bind EACCES /dev/net/tun');
  });

  test('every number has its name, of either sign', () => {
    for (const [name, number] of Object.entries(errno)) {
      if (typeof number === 'number' && name !== 'EWOULDBLOCK') expect(errnoName(-number)).toBe(name);
    }
    expect(errnoName(9999)).toBe('E9999');
  });
});

describe('drop reasons', () => {
  test('each constant has the name that its number is listed under', () => {
    for (const [name, number] of Object.entries(dropReason)) {
      if (typeof number !== 'number' || name === 'SKB_DROP_REASON_MAX') continue;
      expect(dropReason.dropReasonName(number)).toBe(name.replace(/^SKB_(DROP_REASON_)?/, ''));
    }
    expect(dropReason.dropReasonNames.length).toBe(dropReason.SKB_DROP_REASON_MAX);
    expect(dropReason.dropReasonName(9999)).toBe('REASON_9999');
    expect(createNet(createWorld()).dropReasons.length).toBe(dropReason.SKB_DROP_REASON_MAX);
  });
});

describe('SNMP counters', () => {
  test('a snapshot has every counter under its full name', () => {
    const net = createNet(createWorld());
    const tcp = new SnmpMib('Tcp', ['InSegs', 'CurrEstab']);
    const ext = new SnmpMib('TcpExt', ['SyncookiesSent']);
    expect([registerMib(net, tcp), registerMib(net, ext), registerMib(net, new SnmpMib('Tcp', []))]).toEqual([0, 0, -EEXIST]);
    snmpInc(tcp, 0);
    snmpInc(tcp, 1);
    snmpDec(tcp, 1);
    snmpAdd(ext, 0, 5);
    expect(snmpSnapshot(net)).toEqual({ TcpInSegs: 1, TcpCurrEstab: 0, TcpExtSyncookiesSent: 5 });
    unregisterMib(net, ext);
    expect(Object.keys(snmpSnapshot(net))).toEqual(['TcpInSegs', 'TcpCurrEstab']);
  });
});

describe('sysctl', () => {
  const setup = () => {
    const net = createNet(createWorld());
    const tcp = { sack: 1, timestamps: true, rmem: new Int32Array([4096, 131072, 6291456]), fin: 60_000, cong: 'cubic', retries: 15 };
    const known = ['reno', 'cubic'];
    const rows = [
      ctlRow('net.ipv4.tcp_sack', tcp, 'sack', 'bool'),
      ctlRow('net.ipv4.tcp_timestamps', tcp, 'timestamps', 'bool'),
      ctlRow('net.ipv4.tcp_rmem', tcp, 'rmem', 'intvec', { min: 1 }),
      ctlRow('net.ipv4.tcp_fin_timeout', tcp, 'fin', 'jiffies', { min: 0 }),
      ctlRow('net.ipv4.tcp_congestion_control', tcp, 'cong', 'string', {
        write: (_net, value) => (known.includes(value as string) ? 0 : -ENOENT),
      }),
      ctlRow('net.ipv4.tcp_retries2', tcp, 'retries', 'int', { min: 0, max: 255, default: 8 }),
      ctlRow('net.ipv4.fixed', { n: 1 }, 'n', 'int', { readOnly: true }),
    ];
    expect(registerSysctlTable(net, rows)).toBe(0);
    return { net, tcp, rows };
  };

  test('a write lands in the field that the packet path reads, checked and converted', () => {
    const { net, tcp } = setup();
    const write = (name: string, value: Parameters<typeof sysctlWrite>[2]): number => sysctlWrite(net, `net.ipv4.${name}`, value);
    expect([write('tcp_sack', 0), write('tcp_timestamps', '0'), write('tcp_timestamps', 2)]).toEqual([0, 0, -EINVAL]);
    expect([tcp.sack, tcp.timestamps]).toEqual([0, false]);
    expect([write('tcp_rmem', '1 2\t3'), write('tcp_rmem', [1, 2]), write('tcp_rmem', '1 2 0')]).toEqual([0, -EINVAL, -EINVAL]);
    expect([...tcp.rmem]).toEqual([1, 2, 3]);
    expect([write('tcp_fin_timeout', 30), tcp.fin]).toEqual([0, 30_000]);
    expect([write('tcp_congestion_control', 'bbr'), write('tcp_congestion_control', 'reno\n'), tcp.cong]).toEqual([-ENOENT, 0, 'reno']);
    expect([write('tcp_retries2', 256), write('tcp_retries2', 1.5), write('tcp_retries2', 'x'), tcp.retries]).toEqual([
      -EINVAL, -EINVAL, -EINVAL, 8,
    ]);
    expect([write('fixed', 2), write('nothing', 1)]).toEqual([-EPERM, -ENOENT]);
  });

  test('a read gives what a user would see, and the list has the defaults', () => {
    const { net, tcp } = setup();
    const rmem = sysctlRead(net, 'net.ipv4.tcp_rmem') as number[];
    rmem[0] = 0;
    expect(tcp.rmem[0]).toBe(4096);
    expect(sysctlRead(net, 'net.ipv4.tcp_fin_timeout')).toBe(60);
    expect(sysctlRead(net, 'net.ipv4.tcp_timestamps')).toBe(1);
    expect(sysctlRead(net, 'nothing')).toBe(null);
    sysctlWrite(net, 'net.ipv4.tcp_retries2', 3);
    const list = sysctlList(net);
    expect(list.find((s) => s.name === 'net.ipv4.tcp_retries2')).toEqual({ name: 'net.ipv4.tcp_retries2', value: 3, default: 8 });
    expect(list.map((s) => s.name)).toEqual(list.map((s) => s.name).sort());
  });

  test('a name is registered once; a default that would be refused is a broken invariant', () => {
    const { net, rows } = setup();
    const fresh = ctlRow('net.ipv4.fresh', { n: 1 }, 'n', 'int');
    expect(registerSysctlTable(net, [fresh, rows[0]])).toBe(-EEXIST);
    expect(sysctlRead(net, 'net.ipv4.fresh')).toBe(null);
    unregisterSysctlTable(net, rows);
    expect(registerSysctlTable(net, [fresh, rows[0]])).toBe(0);
    expect(() => registerSysctlTable(net, [ctlRow('bad', { n: 1 }, 'n', 'int', { max: 3, default: 4 })])).toThrow('its own default');
  });
});

describe('tracepoints', () => {
  const skb = { id: 7, head: 2048, data: 2048 + 96, tail: 2048 + 149, end: 4096, len: 53, macHeader: -1, networkHeader: 2048 + 76, transportHeader: 2048 + 96 };

  test('offsets are relative to the head; a header that is not known stays -1', () => {
    const net = createNet(createWorld(), { name: 'client' });
    const records: TraceRecord[] = [];
    const stop = traceNet(net, (r) => records.push(r));
    net.trace?.hit(net, 'tcp_transmit_skb', skb);
    net.trace?.hit(net, 'sys_write', null);
    stop();
    expect(net.trace).toBe(null);
    expect(records[0]).toEqual({
      time: 0, host: 'client', function: 'tcp_transmit_skb', id: 7, data: 96, tail: 149, end: 2048, len: 53, mac: -1, network: 76, transport: 96,
    });
    expect(records.map(formatTrace)).toEqual([
      '0.000000000 client tcp_transmit_skb #7 data=96 tail=149 len=53 mac=- nh=76 h=96',
      '0.000000000 client sys_write',
    ]);
  });

  test('a tracer put on top of another gives way to it again', () => {
    const net = createNet(createWorld());
    const log: string[] = [];
    const stopOuter = traceNet(net, (r) => log.push(`outer ${r.function}`));
    const stopInner = traceNet(net, (r) => log.push(`inner ${r.function}`));
    net.trace?.hit(net, 'a', null);
    stopInner();
    net.trace?.hit(net, 'b', null);
    stopOuter();
    expect(log).toEqual(['inner a', 'outer b']);
  });
});
