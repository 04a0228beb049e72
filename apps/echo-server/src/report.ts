/*
 * What the program says: what it built and what to type, the figures of the self-test, the counters at the end.
 */
import type { Host } from '@stack/host';
import type { CaptureCounts } from '@stack/packet-capture';
import type { CaptureFile } from './capture.ts';
import { ECHO_PORT } from './echo.ts';
import type { Gateway } from './gateway.ts';
import type { Options } from './options.ts';
import { hostsOf, type Segment } from './segment.ts';
import type { SelfTestResult } from './self-test.ts';

/** The counters worth a line at the end; those at zero are left out. */
const COUNTERS = [
  'IpInReceives', 'IpOutRequests', 'IpInDiscards', 'IpOutDiscards', 'TcpActiveOpens', 'TcpPassiveOpens', 'TcpInSegs', 'TcpOutSegs',
  'TcpRetransSegs', 'TcpInErrs', 'TcpOutRsts', 'TcpEstabResets', 'UdpInDatagrams', 'UdpOutDatagrams', 'UdpInErrors', 'IcmpInMsgs', 'IcmpOutMsgs',
];

function mib(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

/** What stands where, and what to type. */
export function banner(options: Options, segment: Segment, gateway: Gateway | null): string[] {
  const lines = gateway === null ? tapBanner(options, segment) : segmentBanner(segment, gateway);
  if (options.pcap !== null) lines.push(`Every frame goes to ${options.pcap} (pcapng).`, '');
  lines.push('Ctrl-C ends it.');
  return lines;
}

function segmentBanner(segment: Segment, gateway: Gateway): string[] {
  const client = segment.gatewayAddress ?? '';
  return [
    'Two hosts on a simulated Ethernet segment, each with every layer from sockets to a virtio NIC:',
    '',
    '   your machine            gateway                            server',
    '   127.0.0.1  -- TCP -->   listens on 127.0.0.1:' + String(gateway.port).padEnd(6) + '       echo, TCP and UDP',
    `                           ${client.padEnd(16)} ${segment.nicName} ====== ${segment.nicName}   ${segment.address}:${ECHO_PORT}`,
    '',
    `Type:  nc 127.0.0.1 ${gateway.port}        and a line: it goes through both stacks and comes back.`,
    '',
  ];
}

function tapBanner(options: Options, segment: Segment): string[] {
  return [
    `The echo server stands on the TAP interface ${options.tap ?? ''} at ${segment.address}, port ${ECHO_PORT} (TCP and UDP).`,
    `This machine has ${segment.machineAddress ?? 'no address'} on it.`,
    '',
    `Type:  ping ${segment.address}`,
    `       nc ${segment.address} ${ECHO_PORT}`,
    '',
  ];
}

/** The figures of a self-test. */
export function selfTestLines(result: SelfTestResult, segment: Segment): string[] {
  const counters = segment.server.show.counters();
  return [
    `echoed   ${mib(result.bytes)} each way, every byte verified`,
    `time     ${result.seconds.toFixed(3)} s`,
    `rate     ${mib(result.bytesPerSecond)}/s each way, through two stacks twice`,
    `server   ${counters['TcpInSegs'] ?? 0} segments in, ${counters['TcpOutSegs'] ?? 0} out, ${counters['TcpRetransSegs'] ?? 0} retransmitted`,
  ];
}

function counterRows(hosts: readonly Host[]): string[] {
  const all = hosts.map((host) => host.show.counters());
  const rows = COUNTERS.filter((name) => all.some((counters) => (counters[name] ?? 0) > 0));
  const head = ''.padEnd(18) + hosts.map((host) => host.name.padStart(12)).join('');
  return [head, ...rows.map((name) => name.padEnd(18) + all.map((counters) => String(counters[name] ?? 0).padStart(12)).join(''))];
}

/** What went through, host by host. */
export function countersTable(segment: Segment, gateway: Gateway | null, file: CaptureFile | null, seen: CaptureCounts | null): string[] {
  const lines = counterRows(hostsOf(segment));
  if (gateway !== null) {
    const { connections, open, bytesIn, bytesOut } = gateway.counts;
    lines.push('', `gateway  ${connections} connections (${open} still open), ${mib(bytesIn)} in, ${mib(bytesOut)} out`);
  }
  if (seen !== null) lines.push(`packets  ${seen.captured} captured, ${seen.received} received by filter, ${seen.dropped} dropped by kernel`);
  if (file !== null) lines.push(`capture  ${mib(file.size())} in ${file.path}`);
  return lines;
}
