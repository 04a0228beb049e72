// Reads capture files, pcap and pcapng of either byte order, as far as it takes to have their packets: what is cut short or of
// another format ends the reading, not the test.

export interface CapturedPacket {
  /** LINKTYPE_*: 1 is Ethernet. */
  readonly linkType: number;
  readonly octets: Uint8Array;
}

const PCAP = [0xa1b2c3d4, 0xa1b23c4d];
const PCAPNG = 0x0a0d0d0a;
const BYTE_ORDER = 0x1a2b3c4d;

/** The packets of a file; none if it is no capture. */
export function readCapture(file: Uint8Array): CapturedPacket[] {
  if (file.length < 24) return [];
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  for (const little of [false, true]) if (PCAP.includes(view.getUint32(0, little))) return readPcap(file, view, little);
  return view.getUint32(0) === PCAPNG ? readPcapng(file, view) : [];
}

function readPcap(file: Uint8Array, view: DataView, little: boolean): CapturedPacket[] {
  const packets: CapturedPacket[] = [];
  const linkType = view.getUint32(20, little) & 0xffff;
  for (let at = 24; at + 16 <= file.length;) {
    const length = view.getUint32(at + 8, little);
    if (length > file.length - at - 16) break;
    packets.push({ linkType, octets: file.subarray(at + 16, at + 16 + length) });
    at += 16 + length;
  }
  return packets;
}

function readPcapng(file: Uint8Array, view: DataView): CapturedPacket[] {
  const packets: CapturedPacket[] = [];
  let little = false;
  let links: number[] = [];
  for (let at = 0; at + 12 <= file.length;) {
    const type = view.getUint32(at, little);
    if (type === PCAPNG) {
      little = view.getUint32(at + 8, true) === BYTE_ORDER;
      links = [];
    }
    const length = view.getUint32(at + 4, little);
    if (length < 12 || length > file.length - at) break;
    if (type === 1 && length >= 20) links.push(view.getUint16(at + 8, little));
    if (type === 6 && length >= 32) {
      const captured = Math.min(view.getUint32(at + 20, little), length - 32);
      packets.push({ linkType: links[view.getUint32(at + 8, little)] ?? -1, octets: file.subarray(at + 28, at + 28 + captured) });
    } else if (type === 3 && length >= 16) {
      packets.push({ linkType: links[0] ?? -1, octets: file.subarray(at + 12, at + length - 4) });
    }
    at += (length + 3) & ~3;
  }
  return packets;
}
