// Two hosts on a wire whose every traced call is recorded: what the tests of the path look at.
import { createWorld, traceNet, type TraceRecord, type World } from '@stack/kernel';
import { assertNothingOpen, createHost, plainOn, virtioOn, type Host } from '@stack/host';
import { inAton, SockAddrIn } from '@stack/inet-sock';
import { createSwitch } from '@stack/nic-virtio-sim';
import { PF_INET, SOCK_STREAM, sysAccept, sysBind, sysCall, sysListen, sysSocket } from '@stack/socket';

/** Which card the hosts have. */
export type Card = 'virtio' | 'plain';

export interface PathHouse {
  readonly world: World;
  readonly client: Host;
  readonly server: Host;
  /** What both hosts have passed, in order, since the last `take`. */
  take(): TraceRecord[];
  close(): Promise<void>;
}

/** Builds the hosts 10.0.0.1 (server) and 10.0.0.2 (client), traced. */
export function pathHouse(card: Card): PathHouse {
  const world = createWorld({ seed: 1, debug: true });
  const lan = createSwitch(world);
  const device = card === 'virtio' ? virtioOn(lan) : plainOn(lan);
  const hosts = { server: '10.0.0.1' };
  const server = createHost({ world, name: 'server', nics: [{ device, address: '10.0.0.1/24' }] });
  const client = createHost({ world, name: 'client', hosts, nics: [{ device, address: '10.0.0.2/24' }] });
  let records: TraceRecord[] = [];
  for (const host of [client, server]) traceNet(host.net, (record) => records.push(record));
  return {
    world,
    client,
    server,
    take: () => {
      const taken = records;
      records = [];
      return taken;
    },
    close: async () => {
      await client.close();
      await server.close();
      assertNothingOpen(world);
    },
  };
}

/** The functions of `records` on `host`, in order; of one packet if `id` is given. */
export function functionsOf(records: readonly TraceRecord[], host: string, id?: number): string[] {
  return records.filter((r) => r.host === host && (id === undefined || r.id === id)).map((r) => r.function);
}

/** A listening TCP socket on `host`, port 7. */
export function listenEcho(host: Host): number {
  const fd = sysCall(sysSocket(host.task, PF_INET, SOCK_STREAM, 0), 'socket');
  sysCall(sysBind(host.task, fd, new SockAddrIn(inAton('0.0.0.0'), 7)), 'bind');
  sysCall(sysListen(host.task, fd, 16), 'listen');
  return fd;
}

/** Accepts one connection. */
export async function acceptOne(host: Host, listener: number): Promise<number> {
  return sysCall(await sysAccept(host.task, listener), 'accept');
}
