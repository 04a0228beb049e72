import { createWorld, virtualClock, type World } from '@stack/kernel';
import { createSwitch, type Switch } from '@stack/nic-virtio-sim';
import { PF_INET, SOCK_DGRAM, sysSocket } from '@stack/socket';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { assertNothingOpen, createFrameNic, createHost, gethostbyname, messagePortWire, OpenError, virtioOn, type Connection, type Host } from './index.ts';

let world: World;
let lan: Switch;
let server: Host;
let client: Host;

beforeEach(() => {
  world = createWorld({ seed: 1, debug: true });
  lan = createSwitch(world);
  server = createHost({ world, name: 'server', nics: [{ device: virtioOn(lan), address: '10.0.0.1/24' }] });
  client = createHost({ world, name: 'client', hosts: { server: '10.0.0.1' }, nics: [{ device: virtioOn(lan), address: '10.0.0.2/24' }] });
});

afterEach(async () => {
  await client.close();
  await server.close();
  assertNothingOpen(world);
});

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

async function textOf(connection: Connection): Promise<string> {
  let text = '';
  for await (const chunk of connection.readable) text += new TextDecoder().decode(chunk);
  return text;
}

/** One connection from client to server: the client's end, the server's. */
async function pair(): Promise<[Connection, Connection]> {
  const listener = server.listen({ port: 7 });
  const connecting = client.connect({ host: 'server', port: 7 });
  for await (const connection of listener) return [await connecting, connection];
  throw new Error('the listener ended');
}

describe('connections as web streams', () => {
  test('say who is at each end', async () => {
    const [near, far] = await pair();
    expect([near.remoteAddress, near.remotePort, far.localAddress, far.localPort]).toEqual(['10.0.0.1', 7, '10.0.0.1', 7]);
    expect([far.remoteAddress, far.remotePort]).toEqual(['10.0.0.2', near.localPort]);
  });

  test('closing the writable side ends the other\'s readable, and the other direction stays open', async () => {
    const [near, far] = await pair();
    await near.writable.close();
    expect(await textOf(far)).toBe('');
    const writer = far.writable.getWriter();
    await writer.write(bytes('still here'));
    await writer.close();
    expect(await textOf(near)).toBe('still here');
  });

  test('aborting the writable side resets the connection', async () => {
    const [near, far] = await pair();
    await near.writable.abort();
    await expect(textOf(far)).rejects.toMatchObject({ code: 'ECONNRESET', syscall: 'read' });
  });

  test('a port where nobody listens rejects with ECONNREFUSED, address and port', async () => {
    await expect(client.connect({ host: 'server', port: 9 })).rejects.toMatchObject({
      code: 'ECONNREFUSED', syscall: 'connect', address: '10.0.0.1', port: 9,
    });
  });

  test('an address that nobody has rejects with EHOSTUNREACH, in virtual time', async () => {
    await expect(client.connect({ host: '10.0.0.99', port: 7 })).rejects.toMatchObject({ code: 'EHOSTUNREACH' });
    expect(world.now).toBeGreaterThan(1e9);
  });

  test('an unknown name rejects with ENOTFOUND and says where to add it', async () => {
    await expect(client.connect({ host: 'nowhere', port: 7 })).rejects.toThrow(/ENOTFOUND nowhere.*hosts/);
  });

  test('a second listener on a port throws EADDRINUSE', () => {
    const listener = server.listen({ port: 7 });
    expect(() => server.listen({ port: 7 })).toThrow(expect.objectContaining({ code: 'EADDRINUSE', port: 7 }));
    listener.close();
  });

  test('closing a listener that nobody has read frees its port', () => {
    server.listen({ port: 7 }).close();
    expect(server.listen({ port: 7 }).port).toBe(7);
  });
});

describe('a host', () => {
  test('knows names: its own table, localhost, dotted quads', () => {
    expect(gethostbyname(client, 'SERVER')).toMatchObject({ hAddr: 0x0a000001, hLength: 4 });
    expect(gethostbyname(client, 'localhost')).toMatchObject({ hAddr: 0x7f000001 });
    expect(gethostbyname(client, '192.0.2.1')).toMatchObject({ hAddr: 0xc0000201 | 0 });
    expect(gethostbyname(client, 'nowhere')).toBeNull();
  });

  test('takes sysctls by the kernel\'s names, and refuses what is none', () => {
    expect(client.sysctl('net.ipv4.tcp_sack', 0)).toBe(0);
    expect(() => client.sysctl('net.ipv4.tcp_sack', 'maybe')).toThrow(/EINVAL/);
    expect(() => client.sysctl('net.ipv4.no_such')).toThrow('no sysctl net.ipv4.no_such');
  });

  test('refuses a bad address before anything runs', () => {
    const device = virtioOn(lan);
    expect(() => client.addNic({ device, address: '10.0.0.256/24' })).toThrow(/EINVAL 10\.0\.0\.256\/24/);
    expect(() => createHost({ world, hosts: { server: 'ten' } })).toThrow(/hosts: server: "ten"/);
  });

  test('shows its addresses, routes and neighbours', async () => {
    const [near] = await pair();
    expect(client.show.addr().map((row) => row.ifname)).toEqual(['lo', 'eth0']);
    expect(client.show.route()).toMatchObject([{ dst: '10.0.0.0/24', dev: 'eth0', prefsrc: '10.0.0.2' }]);
    expect(client.show.neigh()).toMatchObject([{ dst: '10.0.0.1', dev: 'eth0' }]);
    expect(client.show.sockets()).toMatchObject([{ netid: 'tcp', state: 'ESTAB', peerAddress: '10.0.0.1', peerPort: 7, localPort: near.localPort }]);
    expect(client.show.counters()).toMatchObject({ TcpActiveOpens: 1, TcpCurrEstab: 1 });
  });

  test('left with a socket open: the error names it and its host', () => {
    sysSocket(client.task, PF_INET, SOCK_DGRAM, 0);
    expect(() => assertNothingOpen(world)).toThrow(OpenError);
    expect(() => assertNothingOpen(world)).toThrow(/^sock\S* client .*udp/im);
  });

  test('is idle when all packets have arrived: both ends have seen both FINs', async () => {
    const [near, far] = await pair();
    await Promise.all([textOf(near), textOf(far), near.writable.close(), far.writable.close()]);
    await client.idle();
    expect(client.show.sockets().map((row) => row.state)).not.toContain('ESTAB');
    expect([client, server].flatMap((host) => host.show.sockets()).filter((row) => row.recvQ + row.sendQ > 0)).toEqual([]);
  });

  test('closed with everything open, leaves nothing: no socket, packet, page, timer', async () => {
    await pair();
    await client.close();
    await server.close();
    assertNothingOpen(world);
    expect(world.nets).toEqual([]);
  });
});

describe('a NIC over web streams', () => {
  test('carries a connection between two ports of a MessageChannel', async () => {
    const clock = virtualClock();
    const apart = createWorld({ clock, debug: true });
    clock.hold();
    const cable = new MessageChannel();
    const make = (name: string, port: MessagePort, address: string): Host =>
      createHost({ world: apart, name, nics: [{ device: (net) => createFrameNic(net, messagePortWire(port)), address }] });
    const left = make('left', cable.port1, '10.1.0.1/24');
    const right = make('right', cable.port2, '10.1.0.2/24');
    const listener = left.listen({ port: 80 });
    const connecting = right.connect({ host: '10.1.0.1', port: 80 });
    for await (const connection of listener) {
      const writer = connection.writable.getWriter();
      await writer.write(bytes('over a port'));
      await writer.close();
      break;
    }
    expect(await textOf(await connecting)).toBe('over a port');
    await left.close();
    await right.close();
    assertNothingOpen(apart);
  });

  test('counts a frame that is too long, or too short, and drops it', async () => {
    const wire = new TransformStream<Uint8Array>();
    const dev = client.addNic({ device: (net) => createFrameNic(net, { readable: wire.readable, writable: new WritableStream() }) });
    const writer = wire.writable.getWriter();
    await writer.write(new Uint8Array(13));
    await writer.write(new Uint8Array(1600));
    await writer.close();
    expect([dev.stats.rxLengthErrors, dev.stats.rxPackets]).toEqual([2, 0]);
  });
});

test('routes and rules are added, shown and taken away as ip route and ip rule do; a wrong one throws and changes nothing', () => {
  const route = { dst: 'default', gateway: '10.0.0.254', table: 100 };
  client.addRoute(route);
  client.addRule({ from: '10.0.0.0/24', table: 100 });
  expect(client.show.route(100)).toEqual([{ dst: 'default', gateway: '10.0.0.254', dev: 'eth0', flags: [] }]);
  expect(client.show.rule()[1]).toEqual({ priority: 32765, src: '10.0.0.0', srclen: 24, table: '100' });
  expect(() => client.addRoute(route)).toThrow(expect.objectContaining({ code: 'EEXIST', syscall: 'ip route add', address: 'default' }));
  expect(() => client.addRule({ from: '10.0.0' })).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  client.delRule({ table: 100 });
  client.delRoute({ dst: 'default', table: 100 });
  expect([client.show.route(100), client.show.rule().length]).toEqual([[], 3]);
  expect(() => client.delRule({ table: 100 })).toThrow(expect.objectContaining({ code: 'ENOENT' }));
});
