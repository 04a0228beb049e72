// The link types that filters know: where in a frame the type of the payload is, and where the payload begins.
// Read first: draft-ietf-opsawg-pcaplinktype; the IEEE 802.3, 802.2, 802.11 and PPP headers.

export const LINKTYPE_NULL = 0;
export const LINKTYPE_ETHERNET = 1;
export const LINKTYPE_PPP = 9;
export const LINKTYPE_PPP_HDLC = 50;
export const LINKTYPE_RAW = 101;
export const LINKTYPE_C_HDLC = 104;
export const LINKTYPE_IEEE802_11 = 105;
export const LINKTYPE_FRELAY = 107;
export const LINKTYPE_LOOP = 108;
export const LINKTYPE_LINUX_SLL = 113;
export const LINKTYPE_IEEE802_11_RADIOTAP = 127;
export const LINKTYPE_IPNET = 226;
export const LINKTYPE_IPV4 = 228;
export const LINKTYPE_IPV6 = 229;
export const LINKTYPE_LINUX_SLL2 = 276;

/** Offsets in a frame: of the type (-1: there is none), of the payload, and in that of what follows an 802.2 header, with SNAP or without. */
export interface LinkLayer {
  readonly name: string;
  readonly linkType: number;
  readonly payload: number;
  readonly network: number;
  readonly afterLlc: number;
  /** The header does not begin where the frame does; the payload does not begin where it always does: each frame says. */
  readonly variableHeader: boolean;
  readonly variablePayload: boolean;
}

function layer(name: string, linkType: number, payload: number, afterLlc: number): LinkLayer {
  return { name, linkType, payload, network: 0, afterLlc, variableHeader: false, variablePayload: false };
}

/** 802.11: 802.2 with SNAP behind a header of variable length, and that perhaps behind another. */
function wireless(name: string, variableHeader: boolean): LinkLayer {
  return { name, linkType: -1, payload: 0, network: 8, afterLlc: 3, variableHeader, variablePayload: true };
}

const LAYERS: ReadonlyMap<number, LinkLayer> = new Map([
  [LINKTYPE_NULL, layer('NULL', 0, 4, 0)],
  [LINKTYPE_ETHERNET, layer('EN10MB', 12, 14, 3)],
  [LINKTYPE_PPP, layer('PPP', 2, 4, 0)],
  [LINKTYPE_PPP_HDLC, layer('PPP_SERIAL', 2, 4, 0)],
  [LINKTYPE_RAW, layer('RAW', -1, 0, 0)],
  [LINKTYPE_C_HDLC, layer('C_HDLC', 2, 4, 0)],
  [LINKTYPE_IEEE802_11, wireless('IEEE802_11', false)],
  [LINKTYPE_FRELAY, layer('FRELAY', 2, 0, 0)],
  [LINKTYPE_LOOP, layer('LOOP', 0, 4, 0)],
  [LINKTYPE_LINUX_SLL, layer('LINUX_SLL', 14, 16, 0)],
  [LINKTYPE_IEEE802_11_RADIOTAP, wireless('IEEE802_11_RADIO', true)],
  [LINKTYPE_IPNET, layer('IPNET', 1, 24, -1)],
  [LINKTYPE_IPV4, layer('IPV4', -1, 0, 0)],
  [LINKTYPE_IPV6, layer('IPV6', -1, 0, 0)],
  [LINKTYPE_LINUX_SLL2, layer('LINUX_SLL2', 0, 20, 0)],
]);

/** The layout of a link type; null if filters do not know it. */
export function linkLayer(linkType: number): LinkLayer | null {
  return LAYERS.get(linkType) ?? null;
}

/** A link type in an error: name and number. */
export function linkTypeName(linkType: number): string {
  const known = linkLayer(linkType);
  return known === null ? String(linkType) : known.name;
}
