/*
 * A block of commands into its lines: comments are gone, `\` joins lines, and a line that only goes on with assignments belongs to
 * the command above.
 */

export interface CommandLine {
  /** The last part of the command's path. */
  readonly name: string;
  readonly words: readonly string[];
  readonly line: string;
}

/** The commands of a block, but for those that put sysctls back: nothing lives longer than its script. */
export function commandLines(text: string): CommandLine[] {
  const lines = text.replace(/\\\n/g, ' ').split('\n').map((line) => line.replace(/(^|\s)#.*/, '').trim()).filter((line) => line !== '');
  const joined: string[] = [];
  for (const line of lines) {
    if (joined.length > 0 && /^(\/proc\/sys\/|net\.)\S+=/.test(line)) joined[joined.length - 1] += ` ${line}`;
    else joined.push(line);
  }
  const commands = joined.map((line) => {
    const [path = '', ...words] = line.split(/\s+/);
    return { name: path.slice(path.lastIndexOf('/') + 1), words, line };
  });
  return commands.filter(({ name }) => !name.startsWith('sysctl_restore_'));
}
