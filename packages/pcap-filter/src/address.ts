// Addresses as a filter writes them. Words of 32 bits are int32, in network order.

/** An IPv4 address or the front of one: its value, and the bits that were written. */
export interface DottedAddress {
  readonly value: number;
  readonly bits: number;
}

/** `10.1` is 10 and 1 in the lower 16 bits, of 16 bits; null if a number is over 255. */
export function parseDotted(text: string): DottedAddress | null {
  let value = 0;
  let bits = 0;
  for (const part of text.split('.')) {
    const octet = Number(part);
    if (!/^[0-9]+$/.test(part) || octet > 255 || bits === 32) return null;
    value = (value << 8) | octet;
    bits += 8;
  }
  return { value, bits };
}

/** The four words of an IPv6 address; null if `text` is none. */
export function parseIp6(text: string): number[] | null {
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const front = groups(halves[0] ?? '', halves.length === 1);
  const back = halves.length === 2 ? groups(halves[1] ?? '', true) : [];
  if (front === null || back === null) return null;
  const missing = 8 - front.length - back.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return null;
  const all = [...front, ...new Array<number>(missing).fill(0), ...back];
  return [0, 2, 4, 6].map((i) => (all[i]! << 16) | all[i + 1]!);
}

/** The 16-bit groups of one side of a `::`; the last may be an IPv4 address where `last` says so. */
function groups(text: string, last: boolean): number[] | null {
  if (text === '') return [];
  const found: number[] = [];
  const parts = text.split(':');
  for (const [i, part] of parts.entries()) {
    const address = last && i === parts.length - 1 && part.includes('.') ? parseDotted(part) : null;
    if (address !== null && address.bits === 32) found.push(address.value >>> 16, address.value & 0xffff);
    else if (/^[0-9A-Fa-f]{1,4}$/.test(part)) found.push(Number.parseInt(part, 16));
    else return null;
  }
  return found;
}

/** The octets of a link-layer address in any of its spellings; null if it has not six. */
export function parseEther(text: string): number[] | null {
  const octets = /^[0-9A-Fa-f]{12}$/.test(text) ? text.match(/../g) : /^[0-9A-Fa-f]{4}\./.test(text) ? text.replaceAll('.', '').match(/../g) : text.split(/[:.-]/);
  if (octets === null || octets.length !== 6) return null;
  return octets.map((octet) => Number.parseInt(octet, 16));
}

/** The octets of a word after another, first at the top. */
export function wordOf(octets: readonly number[], at: number): number {
  return (octets[at]! << 24) | (octets[at + 1]! << 16) | (octets[at + 2]! << 8) | octets[at + 3]!;
}
