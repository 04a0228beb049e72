/*
 * Where live packets come from: hosts of the house with PF_PACKET sockets, on a simulated segment or on a TAP.
 */
import { createHost, type Host } from '@stack/host';
import { createWorld } from '@stack/kernel';
import { realClock } from '@stack/kernel/real-clock';
import { openTap } from '@stack/nic-tap';

export interface Source {
  /** In a sentence: `listening on client/eth0 (a simulated segment)`. */
  readonly what: string;
  readonly hosts: readonly Host[];
  /** The host whose devices `-i` names without a host, and the device if nothing is named. */
  readonly host: Host;
  readonly device: string;
  /** What happens there; resolves when nothing more will. Null: until the user has enough. */
  readonly run: (() => Promise<void>) | null;
  readonly close: () => Promise<void>;
}

/** The address beside this one in its subnet: the machine's. */
function neighbourOf(address: string): string {
  const [host = '', length = ''] = address.split('/');
  const parts = host.split('.').map(Number);
  const last = parts[3] ?? 0;
  parts[3] = last % 2 === 1 ? last + 1 : last - 1;
  return `${parts.join('.')}/${length}`;
}

/** A host on the machine's TAP `name`; the machine gets the address beside its own. Throws as opening a TAP does. */
export function tapSource(name: string, address: string): Source {
  const world = createWorld({ clock: realClock() });
  const machine = neighbourOf(address);
  const host = createHost({
    world, name: 'host', nics: [{ device: (net) => openTap(net, { name, peer: { address: machine } }), address }],
  });
  const plain = (text: string): string => text.split('/')[0] ?? '';
  return {
    what: `a host at ${plain(address)} on the TAP, this machine at ${plain(machine)}`,
    hosts: [host],
    host,
    device: name,
    run: null,
    close: () => host.close(),
  };
}
