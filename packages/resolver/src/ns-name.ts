/*
 * Domain names between text and labels. A label is a string of octets (char codes 0–255) of 1 to 63; a name has at most
 * 255 octets on the wire. Escapes are those of master files: `\.` and `\DDD` (RFC 1035 §5.1). Letters compare without case,
 * and keep the case that they came in (RFC 4343).
 */

/** Octets of a label, and of a name on the wire, at most (RFC 1035 §2.3.4). */
const NS_MAXLABEL = 63;
const NS_MAXCDNAME = 255;

/** Reads the escape at `at` (of the backslash): the octet and where it ends; null if it is none. */
function readEscape(text: string, at: number): { code: number; end: number } | null {
  const digits = text.slice(at + 1, at + 4);
  if (/^[0-9]/.test(digits)) return /^[0-9]{3}$/.test(digits) && Number(digits) <= 255 ? { code: Number(digits), end: at + 4 } : null;
  const code = text.charCodeAt(at + 1);
  return code <= 255 ? { code, end: at + 2 } : null;
}

/** The labels of a name, root last and left out; null if the text is no domain name. A last dot is allowed. */
export function nsNameLabels(text: string): string[] | null {
  if (text === '' || text === '.') return [];
  const labels: string[] = [];
  let label = '';
  let length = 1;
  for (let at = 0; at < text.length; ) {
    let code = text.charCodeAt(at);
    if (text[at] === '.') {
      labels.push(label);
      label = '';
      at++;
      continue;
    }
    if (text[at] === '\\') {
      const escape = readEscape(text, at);
      if (escape === null) return null;
      ({ code, end: at } = escape);
    } else {
      at++;
    }
    if (code > 255) return null;
    label += String.fromCharCode(code);
  }
  if (!text.endsWith('.') || label !== '') labels.push(label);
  for (const part of labels) {
    if (part.length === 0 || part.length > NS_MAXLABEL) return null;
    length += part.length + 1;
  }
  return length <= NS_MAXCDNAME ? labels : null;
}

/** One label as text. */
function labelText(label: string): string {
  if (/^[\w\-*]+$/.test(label)) return label;
  let text = '';
  for (let i = 0; i < label.length; i++) {
    const code = label.charCodeAt(i);
    if (code === 0x2e || code === 0x5c) text += `\\${label.charAt(i)}`;
    else if (code > 0x20 && code < 0x7f) text += label.charAt(i);
    else text += `\\${String(code).padStart(3, '0')}`;
  }
  return text;
}

/** The text of labels; '' for the root. */
export function nsNameText(labels: readonly string[]): string {
  return labels.map(labelText).join('.');
}

/** Letters A–Z made small, all else left alone. */
export function nsLower(name: string): string {
  return name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/** The one spelling of a name that all others are compared by: small letters, no last dot, each escape in one form. Null: no name. */
export function nsCanonical(text: string): string | null {
  const labels = nsNameLabels(text);
  return labels === null ? null : nsLower(nsNameText(labels));
}

/** Are two names, as ns-parse.ts gives them, the same? */
export function nsSameName(a: string, b: string): boolean {
  return a === b || nsLower(a) === nsLower(b);
}

/** The name under which an address is looked up: 10.0.0.1 has 1.0.0.10.in-addr.arpa (RFC 1035 §3.5). */
export function nsReverseName(addr: number): string {
  return `${addr & 255}.${(addr >>> 8) & 255}.${(addr >>> 16) & 255}.${addr >>> 24}.in-addr.arpa`;
}
