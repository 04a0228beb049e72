/*
 * Colours for a terminal: the time and the octets step back, resets stand out, openings and closings of connections are marked.
 */
const DIM = '\u001b[2m';
const RED = '\u001b[31m';
const GREEN = '\u001b[32m';
const YELLOW = '\u001b[33m';
const CYAN = '\u001b[36m';
const END = '\u001b[0m';

/** What is looked for in a line, the first that is found counts. */
const marks: readonly (readonly [RegExp, string])[] = [
  [/Flags \[[^\]]*R[^\]]*\]/, RED],
  [/unreachable|time exceeded|parameter problem|bad cksum|incorrect|\[\|[\w-]+\]/, RED],
  [/Flags \[[^\]]*[SF][^\]]*\]/, GREEN],
  [/\b(?:ICMP6?|igmp)\b/, YELLOW],
  [/\bARP, \w+/, CYAN],
];

const TIME = /^(?:\d{4}-\d\d-\d\d )?[ -]?[\d:]+\.\d+ /;

/** The line with colours; octets below it dimmed. */
export function colourLine(text: string): string {
  const [first = '', ...rest] = text.split('\n');
  const time = TIME.exec(first)?.[0] ?? '';
  let line = first.slice(time.length);
  const mark = marks.find(([pattern]) => pattern.test(line));
  if (mark !== undefined) line = line.replace(mark[0], (found) => `${mark[1]}${found}${END}`);
  const below = rest.map((row) => (row.startsWith('\t0x') ? `${DIM}${row}${END}` : row));
  return [`${time === '' ? '' : `${DIM}${time}${END}`}${line}`, ...below].join('\n');
}
