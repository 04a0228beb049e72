// Ten lines with each package: what a user writes who has installed that one and nothing else. Each is a module that is strict TypeScript
// and plain JavaScript at once, runs wherever JavaScript does, and exports `result`; beside it stands what that must be.

/** A program, and its result. */
export interface Single {
  readonly text: string;
  readonly result: unknown;
}

/** A host with devices. */
const devices = `import { createNet, createWorld } from '@stack/kernel';
import { installSkbuff } from '@stack/skbuff';
import { devOpen, installNetdev } from '@stack/netdev';
const world = createWorld();
installSkbuff(world);
const net = createNet(world, { name: 'alone' });
installNetdev(net);
if (net.netdev.loopbackDev !== null) devOpen(net.netdev.loopbackDev);
`;

/** A host with sockets. */
const sockets = `import { createTask, installSocket } from '@stack/socket';
${devices}installSocket(net);
const task = createTask(net, 'init');
`;

/** A host with IPv4, and no transport. */
const ipv4 = `import { installNetfilter } from '@stack/netfilter';
import { installNeigh } from '@stack/neigh';
import { installIp } from '@stack/ip';
${sockets}for (const install of [installNetfilter, installNeigh, installIp]) install(net);
`;

/** By package. */
export const singles: Readonly<Record<string, Single>> = {
  kernel: {
    text: `import { createNet, createWorld, sleep, sysctlList, worldNow } from '@stack/kernel';
const world = createWorld();
const net = createNet(world, { name: 'alone' });
await sleep(world, 1500);
export const result = [net.name, Math.floor(worldNow(world) / 1e9), sysctlList(net).length];
`,
    result: ['alone', 1, 0],
  },
  skbuff: {
    text: `import { createNet, createWorld } from '@stack/kernel';
import { allocSkb, installSkbuff, kfreeSkb, leakReport, skbPush, skbPut, skbReserve } from '@stack/skbuff';
const world = createWorld({ debug: true });
installSkbuff(world);
const skb = allocSkb(createNet(world), 100);
if (skb === null) throw new Error('no memory');
skbReserve(skb, 32);
skbPut(skb, 10);
skbPush(skb, 4);
const { len } = skb;
const before = leakReport(world).length;
kfreeSkb(skb);
export const result = [len, before, leakReport(world).length];
`,
    result: [14, 1, 0],
  },
  netdev: {
    text: `${devices}import { devGetByName, netifRunning } from '@stack/netdev';
const lo = devGetByName(net, 'lo');
export const result = lo !== null && [lo.name, lo.mtu, netifRunning(lo)];
`,
    result: ['lo', 65536, true],
  },
  'nic-virtio-sim': {
    text: `${devices}import { netifCarrierOk } from '@stack/netdev';
import { connect, createPlainNic, createVirtioNic } from '@stack/nic-virtio-sim';
import { idle } from '@stack/kernel';
const [one, two] = [createVirtioNic(net), createPlainNic(net)];
connect(one.port, two.port);
for (const { dev } of [one, two]) devOpen(dev);
await idle(world);
export const result = [one.dev.name, two.dev.name, netifCarrierOk(one.dev)];
`,
    result: ['eth0', 'eth1', true],
  },
  'nic-tap': {
    text: `${devices}import { openTap } from '@stack/nic-tap';
let message = '';
try {
  openTap(net);
} catch (error) {
  message = String(error);
}
export const result = message.includes('npm install koffi') || message.includes('Linux only');
`,
    result: true,
  },
  'nic-stream': {
    text: `${devices}import { netifCarrierOk, registerNetdevice } from '@stack/netdev';
import { createStreamNic, streamClosed } from '@stack/nic-stream';
const [there, back] = [new TransformStream(), new TransformStream()];
const dev = createStreamNic(net, { readable: there.readable, writable: back.writable });
registerNetdevice(dev);
const before = netifCarrierOk(dev);
await there.writable.close();
export const result = [before, await streamClosed(dev), netifCarrierOk(dev)];
`,
    result: [true, null, false],
  },
  devices: {
    text: `${devices}import { netifCarrierOk } from '@stack/netdev';
import { brAddBridge, createVethPair } from '@stack/devices';
const [one, two] = createVethPair(net, net);
for (const dev of [one, two]) devOpen(dev);
export const result = [one.name, two.name, brAddBridge(net).name, netifCarrierOk(one)];
`,
    result: ['veth0', 'veth1', 'br0', true],
  },
  netfilter: {
    text: `import { NFPROTO_IPV4, NF_DROP, NF_INET_LOCAL_OUT, installNetfilter, nfHook, nfRegisterNetHook } from '@stack/netfilter';
import { allocSkb } from '@stack/skbuff';
${devices}installNetfilter(net);
nfRegisterNetHook(net, { pf: NFPROTO_IPV4, hooknum: NF_INET_LOCAL_OUT, priority: 0, hook: () => NF_DROP });
const skb = allocSkb(net, 100);
export const result = skb !== null && nfHook(NFPROTO_IPV4, NF_INET_LOCAL_OUT, skb, null, null, () => 0);
`,
    result: -1,
  },
  neigh: {
    text: `import { installNeigh, neighConnectedOutput, neighCreate, neighResolveOutput, neighTableInit } from '@stack/neigh';
import { devQueueXmit } from '@stack/netdev';
${devices}installNeigh(net);
const nothing = () => undefined;
const outputs = { output: neighResolveOutput, connectedOutput: neighConnectedOutput, hhOutput: devQueueXmit, queueXmit: devQueueXmit };
const table = neighTableInit(net, {
  id: 'cache', family: 99, protocol: 0x88b5, defaultOps: { family: 99, solicit: nothing, errorReport: nothing, ...outputs },
  sysctlPath: 'net.alone.neigh', construct: () => 0, keyText: (neigh) => String(neigh.primaryKey0),
});
const neigh = net.netdev.loopbackDev === null ? 0 : neighCreate(table, 7, 0, 0, 0, net.netdev.loopbackDev);
export const result = typeof neigh !== 'number' && [neigh.primaryKey0, table.entries];
`,
    result: [7, 1],
  },
  socket: {
    text: `import { createNet, createWorld } from '@stack/kernel';
import { installSkbuff } from '@stack/skbuff';
import { PF_INET, SOCK_STREAM, createTask, installSocket, sysEpollCreate, sysSocket } from '@stack/socket';
const world = createWorld();
installSkbuff(world);
const net = createNet(world);
installSocket(net);
const task = createTask(net, 'init');
export const result = [sysSocket(task, PF_INET, SOCK_STREAM, 0), sysEpollCreate(task)];
`,
    result: [-97, 0],
  },
  'inet-sock': {
    text: `import { SockAddrIn, htons, inAton, inNtoa } from '@stack/inet-sock';
const address = new SockAddrIn(inAton('192.0.2.1'), htons(80));
export const result = [inNtoa(address.sinAddr), address.sinPort];
`,
    result: ['192.0.2.1', 80],
  },
  ip: {
    text: `${ipv4}import { ipAddrShow, ipRouteGet } from '@stack/ip';
const way = ipRouteGet(net, '127.0.0.1');
export const result = [ipAddrShow(net)[0]?.addr_info[0]?.local, typeof way !== 'number' && way.prefsrc];
`,
    result: ['127.0.0.1', '127.0.0.1'],
  },
  inet: {
    text: `${ipv4}import { INET_PROTOSW_REUSE, inetRegisterProtosw, inetSockrawOps, installInet, rawProt } from '@stack/inet';
import { IPPROTO_ICMP, IPPROTO_IP, PF_INET, SOCK_RAW, SOCK_STREAM, sysSocket } from '@stack/socket';
installInet(net);
inetRegisterProtosw(net, { type: SOCK_RAW, protocol: IPPROTO_IP, prot: rawProt, ops: inetSockrawOps, flags: INET_PROTOSW_REUSE });
export const result = [sysSocket(task, PF_INET, SOCK_RAW, IPPROTO_ICMP), sysSocket(task, PF_INET, SOCK_STREAM, 0)];
`,
    result: [0, -94],
  },
  tcp: {
    text: `import { createWorld } from '@stack/kernel';
import { installSkbuff } from '@stack/skbuff';
import { SOCK_STREAM, sysAccept, sysBind, sysConnect, sysListen, sysRead, sysSocket, sysWrite } from '@stack/socket';
import { AF_CHANNEL, Channel, SockAddrChannel, createChannelHost } from '@stack/tcp/channel';
const world = createWorld();
installSkbuff(world);
const channel = new Channel(world);
const [server, client] = [createChannelHost(channel, 1), createChannelHost(channel, 2)];
const listener = sysSocket(server.task, AF_CHANNEL, SOCK_STREAM, 0);
sysBind(server.task, listener, new SockAddrChannel(0, 7));
sysListen(server.task, listener, 1);
const fd = sysSocket(client.task, AF_CHANNEL, SOCK_STREAM, 0);
const connected = await sysConnect(client.task, fd, new SockAddrChannel(1, 7));
await sysWrite(client.task, fd, new Uint8Array(1000));
export const result = [connected, await sysRead(server.task, await sysAccept(server.task, listener), new Uint8Array(4000))];
`,
    result: [0, 1000],
  },
  udp: {
    text: `${ipv4}import { installUdp } from '@stack/udp';
import { installUdpv4, udpProt } from '@stack/udp/ipv4';
installUdp(net);
installUdpv4(net);
export const result = [udpProt.name, net.ipv4.inetProtos[17] !== null];
`,
    result: ['UDP', true],
  },
  packet: {
    text: `${sockets}import { ETH_P_ALL } from '@stack/netdev';
import { SockAddrLl, installPacket } from '@stack/packet';
import { PF_PACKET, SOCK_DGRAM, sysRecvfrom, sysSendto, sysSocket } from '@stack/socket';
installPacket(net);
const fd = sysSocket(task, PF_PACKET, SOCK_DGRAM, ETH_P_ALL);
await sysSendto(task, fd, new Uint8Array(3), 0, new SockAddrLl(0x88b5, 1, new Uint8Array(6)));
const from = new SockAddrLl();
export const result = [await sysRecvfrom(task, fd, new Uint8Array(10), 0, from), from.sllProtocol];
`,
    result: [3, 0x88b5],
  },
  conntrack: {
    text: `${ipv4}import { conntrackShow, installConntrack, installIpTables, installNat, iptPolicy } from '@stack/conntrack';
installConntrack(net);
installNat(net);
installIpTables(net, [{ chain: 'input', protocol: 'tcp', dport: 22, verdict: 'accept' }]);
iptPolicy(net, 'input', 'drop');
export const result = conntrackShow(net);
`,
    result: [],
  },
  xfrm: {
    text: `${ipv4}import { installXfrm, ipXfrmStateAdd } from '@stack/xfrm';
installXfrm(net);
const tunnel = { src: '10.0.0.1', dst: '10.0.0.2', spi: 0x100 };
export const result = [ipXfrmStateAdd(net, tunnel), ipXfrmStateAdd(net, tunnel)];
`,
    result: [0, -17],
  },
  resolver: {
    text: `import { DnsMessage, DnsQuestion, T_A, nsBuild, nsParse } from '@stack/resolver';
const query = new DnsMessage(7, 0);
query.question.push(new DnsQuestion('server.sim.test', T_A));
const parsed = nsParse(nsBuild(query));
export const result = parsed instanceof DnsMessage && parsed.question;
`,
    result: [{ qname: 'server.sim.test', qtype: 1, qclass: 1 }],
  },
  dns: {
    text: `${sockets}import { createDnsServer } from '@stack/dns';
let message = '';
try {
  createDnsServer(task, { zones: { test: { www: { A: '192.0.2.1' } } } });
} catch (error) {
  message = String(error); // it is alone: there is no UDP
}
export const result = message.includes('EAFNOSUPPORT');
`,
    result: true,
  },
  dhcp: {
    text: `import { BOOTREQUEST, DHCPDISCOVER, DhcpMessage, OPT_MESSAGE_TYPE, dhcpBuild, dhcpParse, setU8 } from '@stack/dhcp';
const message = new DhcpMessage(BOOTREQUEST, 7, new Uint8Array(6));
setU8(message, OPT_MESSAGE_TYPE, DHCPDISCOVER);
const parsed = dhcpParse(dhcpBuild(message));
export const result = parsed instanceof DhcpMessage && [parsed.op, parsed.xid];
`,
    result: [1, 7],
  },
  pcap: {
    text: `${devices}import { capture, createPcapngWriter, stopCapture } from '@stack/pcap';
let size = 0;
const writer = createPcapngWriter((chunk) => void (size += chunk.length));
if (net.netdev.loopbackDev !== null) stopCapture(capture(net.netdev.loopbackDev, writer));
export const result = [writer.nrPackets, size > 28];
`,
    result: [0, true],
  },
  'pcap-filter': {
    text: `import { compileFilter } from '@stack/pcap-filter';
const filter = compileFilter('arp or ip proto 1');
const frame = new Uint8Array(60);
frame.set([0x08, 0x06], 12);
export const result = filter.match(frame, 0, frame.length, frame.length);
`,
    result: true,
  },
  host: {
    text: `import { createHost } from '@stack/host';
const host = createHost();
const listener = host.listen({ port: 7 });
const { writable } = await host.connect({ host: '127.0.0.1', port: 7 });
const written = writable.getWriter().write(new TextEncoder().encode('hello'));
const texts = [];
for await (const { readable } of listener) {
  const { value } = await readable.getReader().read();
  texts.push(new TextDecoder().decode(value));
  break;
}
await written;
await host.close();
export const result = texts;
`,
    result: ['hello'],
  },
  packetdrill: {
    text: `import { parseScript, runScript } from '@stack/packetdrill';
const script = parseScript(\`
  0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
 +0 bind(3, ..., ...) = 0
 +0 listen(3, 1) = 0
 +0 < S 0:0(0) win 1000 <mss 1000>
 +0 > S. 0:0(0) ack 1 <mss 1460>
\`);
const { failure, log } = await runScript(script);
export const result = [failure, log.length];
`,
    result: [null, 2],
  },
};
