/*
 * What a packetdrill script says, as data. parse.ts makes it, run.ts runs it. Times are microseconds.
 */

/** When an event happens. */
export interface When {
  /** `absolute`: since the script began; `relative`: since the event before it was done; `any`: whenever it comes. */
  readonly kind: 'absolute' | 'relative' | 'any';
  readonly at: number;
  /** End of a range: of a packet that may come until then (`~`), of a call that blocks until then (`...`). */
  readonly until?: number;
}

/** An argument or a result of a call. */
export type Expr =
  | { readonly kind: 'any' }
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'array'; readonly items: readonly Expr[] }
  | { readonly kind: 'struct'; readonly fields: ReadonlyMap<string, Expr>; readonly items: readonly Expr[] };

export interface TcpOption {
  readonly kind: number;
  /** Numbers of the option in their order: mss, shift, timestamps, SACK edges. */
  readonly values: readonly number[];
  /** What is there but octets: a Fast Open cookie, an MD5 digest. */
  readonly bytes: Uint8Array;
}

/** What a script says of the IPv4 header in front: `[ect0]`, `(tos 0x28, ttl 64)`; null: any of the host's, 0 and 255 of the script's. */
export interface IpSpec {
  readonly ecn: 'any' | 'noecn' | 'ect0' | 'ect1' | 'ce';
  readonly tos: number | null;
  readonly ttl: number | null;
}

/** Where from and where to: null if the script does not say. */
export interface PortSpec {
  readonly ports: { readonly source: number; readonly destination: number } | null;
}

export interface TcpSpec extends IpSpec, PortSpec {
  readonly kind: 'tcp';
  readonly flags: number;
  readonly seq: number;
  readonly length: number;
  readonly ack: number | null;
  /** `ack *`: there is one, whatever it is. */
  readonly anyAck: boolean;
  readonly win: number | null;
  readonly urg: number | null;
  /** Null: `<...>`, whatever they are. */
  readonly options: readonly TcpOption[] | null;
}

export interface IcmpSpec extends IpSpec {
  readonly kind: 'icmp';
  readonly type: number;
  readonly code: number;
  readonly mtu: number;
  /** What it quotes: a TCP segment's sequence and length, a datagram's length (seq null); null: what the host sent last. */
  readonly quoted: { readonly seq: number | null; readonly length: number } | null;
}

export interface UdpSpec extends IpSpec, PortSpec {
  readonly kind: 'udp';
  readonly length: number;
}

export type PacketSpec = TcpSpec | IcmpSpec | UdpSpec;

export interface CallAction {
  readonly kind: 'call';
  readonly name: string;
  readonly args: readonly Expr[];
  readonly result: Expr;
  /** The errno's name behind a result of -1. */
  readonly errno: string | null;
}

export type Action =
  | { readonly kind: 'packet'; readonly inbound: boolean; readonly packet: PacketSpec }
  | CallAction
  | { readonly kind: 'command'; readonly text: string }
  | { readonly kind: 'code'; readonly text: string };

export interface Event {
  readonly when: When;
  readonly action: Action;
  /** Its line, from 1, and its text. */
  readonly line: number;
  readonly text: string;
}

export interface Script {
  /** `--name=value` at the top; the value of one without is 'true'. */
  readonly options: ReadonlyMap<string, string>;
  /** The commands before the first event and those behind the last, neither with a time. */
  readonly init: string | null;
  readonly cleanup: string | null;
  readonly events: readonly Event[];
}
