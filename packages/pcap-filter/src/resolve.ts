// Names that only the one who captures can know: of hosts, networks and link-layer addresses.

/** What names mean. A host may have several addresses, IPv4 and IPv6; a network is written as in `net`, `10.0.0.0/8`. */
export interface FilterNames {
  readonly hosts?: ReadonlyMap<string, readonly string[]>;
  readonly networks?: ReadonlyMap<string, string>;
  readonly ethers?: ReadonlyMap<string, string>;
}
