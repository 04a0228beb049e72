// What somebody may have meant who wrote a word that is none.

import { PROTOCOL_WORDS } from './qualifiers.ts';

const OTHERS: readonly string[] = [
  'host', 'net', 'port', 'portrange', 'proto', 'src', 'dst', 'and', 'or', 'not', 'len', 'less', 'greater', 'broadcast', 'multicast', 'vlan',
  'mpls', 'pppoes', 'pppoed', 'geneve', 'mask', 'inbound', 'outbound',
];

/** The keyword that is one slip away from `word`: a letter too many, missing, wrong, or two exchanged; null if there is none. */
export function nearestWord(word: string): string | null {
  if (word.length < 3) return null;
  const lower = word.toLowerCase();
  return [...OTHERS, ...PROTOCOL_WORDS.keys()].find((known) => known.length > 2 && oneSlip(known, lower)) ?? null;
}

function oneSlip(known: string, word: string): boolean {
  if (known === word) return true;
  let front = 0;
  while (front < known.length && known[front] === word[front]) front++;
  const rest = known.slice(front);
  const written = word.slice(front);
  return rest.slice(1) === written.slice(1) || rest.slice(1) === written || rest === written.slice(1)
    || (rest.slice(2) === written.slice(2) && rest[0] === written[1] && rest[1] === written[0]);
}
