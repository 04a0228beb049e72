// RFC 9293 §3.10: every event in every state has its script, or a word on why the one cannot meet the other.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { root } from './support/workspace.ts';

interface Row {
  readonly event: string;
  readonly section: string;
  /** By state: the name of a script, or of several; else why there is none. */
  readonly cells: Readonly<Record<string, string | readonly string[]>>;
}

interface Table {
  readonly states: readonly string[];
  readonly rows: readonly Row[];
  /** Scripts of what is in no cell: of more than one state, or of a state that only Linux has. */
  readonly beyond: readonly string[];
}

const directory = join(root, 'tests', 'packetdrill', 'states');
const table = JSON.parse(readFileSync(join(directory, 'cells.json'), 'utf8')) as Table;
const scripts = readdirSync(directory).filter((name) => name.endsWith('.pkt')).map((name) => name.slice(0, -'.pkt'.length));

/** The scripts of a cell; none if it is a reason. */
function scriptsOf(cell: string | readonly string[]): readonly string[] {
  if (typeof cell !== 'string') return cell;
  return cell.startsWith('rfc') ? [cell] : [];
}

test('RFC 9293 §3.3.2: the table has the eleven states', () => {
  expect(table.states).toEqual([
    'CLOSED', 'LISTEN', 'SYN-SENT', 'SYN-RECEIVED', 'ESTABLISHED', 'FIN-WAIT-1', 'FIN-WAIT-2', 'CLOSE-WAIT', 'CLOSING', 'LAST-ACK', 'TIME-WAIT',
  ]);
});

test.each(table.rows)('RFC 9293 §$section, $event: a cell for each state', ({ cells }) => {
  expect(Object.keys(cells)).toEqual(table.states);
  for (const [state, cell] of Object.entries(cells)) {
    const names = scriptsOf(cell);
    if (names.length === 0) expect(cell, `${state}: a reason`).toMatch(/^[a-z].*[a-z ]{10}/);
    for (const name of names) expect(scripts, state).toContain(name);
  }
});

/** What of a script's name the row and the column do not say; the row's section may be less exact than the name's. */
function shortName(name: string, state: string): string {
  return name.replace(/^rfc9293-[\d.]+-/, '').replace(`${state.toLowerCase()}-`, '');
}

function link(name: string, text: string): string {
  return `[${text}](../tests/packetdrill/states/${name}.pkt)`;
}

function row({ event, section, cells }: Row, reasons: string[]): string {
  const columns = table.states.map((state) => {
    const cell = cells[state] ?? '';
    const names = scriptsOf(cell);
    if (names.length > 0) return names.map((name) => link(name, shortName(name, state))).join(', ');
    if (!reasons.includes(String(cell))) reasons.push(String(cell));
    return `– ${reasons.indexOf(String(cell)) + 1}`;
  });
  return `| ${[`${event} (§${section})`, ...columns].join(' | ')} |`;
}

/** docs/states.md: `npx vitest run --project house tests/packetdrill-states.test.ts -u` writes it. */
function document(): string {
  const reasons: string[] = [];
  const rows = table.rows.map((one) => row(one, reasons));
  return `# Every event in every state

RFC 9293 §3.10 says what TCP does on each event in each state. For each there is a script in [tests/packetdrill/states](../tests/packetdrill/states)
that shows what this TCP does, in virtual time to the microsecond; [the same scripts](../tests/real/packetdrill.test.ts) hold on Linux, unless they say in
a comment why not. Where the event cannot meet the state, a number leads to the reason below. \`npm run packetdrill -- -v FILE\` runs a script and shows its packets.

| event | ${table.states.join(' | ')} |
|---|${table.states.map(() => '---|').join('')}
${rows.join('\n')}

${reasons.map((reason, i) => `${i + 1}. ${reason}`).join('\n')}

Beyond the table, of more than one state or of what only Linux has: ${table.beyond.map((name) => link(name, name)).join(', ')}.
`;
}

test('docs/states.md shows the table', async () => {
  await expect(document()).toMatchFileSnapshot(join(root, 'docs', 'states.md'));
});

test('no script is in no cell', () => {
  const named = [...table.rows.flatMap(({ cells }) => Object.values(cells).flatMap(scriptsOf)), ...table.beyond];
  expect(scripts.filter((name) => !named.includes(name))).toEqual([]);
  expect(table.beyond.filter((name) => !scripts.includes(name))).toEqual([]);
});
