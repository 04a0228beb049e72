// UTF-8 of comments and names. By hand: TextEncoder and TextDecoder are not part of the language, and this package asks
// nothing of where it runs. Read first: RFC 3629 §3.

/** The octets of `text`, at most `max`: it is cut between two characters. A lone surrogate becomes U+FFFD. */
export function utf8(text: string, max: number): Uint8Array {
  const bytes: number[] = [];
  for (const character of text) {
    const encoded = utf8Character(character.codePointAt(0) ?? 0);
    if (bytes.length + encoded.length > max) break;
    bytes.push(...encoded);
  }
  return Uint8Array.from(bytes);
}

function utf8Character(code: number): number[] {
  if (code < 0x80) return [code];
  if (code < 0x800) return [0xc0 | (code >> 6), 0x80 | (code & 0x3f)];
  if (code >= 0xd800 && code < 0xe000) return [0xef, 0xbf, 0xbd];
  if (code < 0x10000) return [0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f)];
  return [0xf0 | (code >> 18), 0x80 | ((code >> 12) & 0x3f), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f)];
}

/** The least code point that may have this many octets after the first. */
const LEAST: readonly number[] = [0, 0x80, 0x800, 0x10000];

/** The text of `length` octets at `at`, without what follows a zero octet. What is no UTF-8 becomes U+FFFD, an octet each. */
export function utf8Text(bytes: Uint8Array, at: number, length: number): string {
  let text = '';
  for (const end = at + length; at < end && bytes[at] !== 0;) {
    const first = bytes[at]!;
    const more = first < 0x80 ? 0 : first >= 0xc0 && first < 0xe0 ? 1 : first >= 0xe0 && first < 0xf0 ? 2 : first >= 0xf0 && first < 0xf8 ? 3 : -1;
    const code = more < 0 || at + more >= end ? -1 : codePoint(bytes, at, more);
    text += code < 0 ? '\ufffd' : String.fromCodePoint(code);
    at += code < 0 ? 1 : 1 + more;
  }
  return text;
}

/** The code point of 1 + `more` octets at `at`; negative if they are none. */
function codePoint(bytes: Uint8Array, at: number, more: number): number {
  let code = more === 0 ? bytes[at]! : bytes[at]! & (0x3f >> more);
  for (let i = 1; i <= more; i++) {
    const octet = bytes[at + i]!;
    if ((octet & 0xc0) !== 0x80) return -1;
    code = (code << 6) | (octet & 0x3f);
  }
  const wrong = code < LEAST[more]! || code > 0x10ffff || (code >= 0xd800 && code < 0xe000);
  return wrong ? -1 : code;
}
