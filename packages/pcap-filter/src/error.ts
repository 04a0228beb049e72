// What is wrong with a filter's words, and where.

/** A filter that cannot be compiled. `message` has the text and, below, a caret under each letter of the wrong word. */
export class FilterError extends Error {
  /** What is wrong, without the text. */
  reason: string;
  /** The filter. */
  text: string;
  /** The wrong word: where it begins in `text`, and its letters; at the end of the text it has one. */
  position: number;
  length: number;

  constructor(reason: string, text: string, position: number, length: number) {
    // A tab stays a tab, so that the caret is below its letter on every terminal; a new line would not.
    const line = text.replace(/[\r\n]/g, ' ');
    super(`${reason}\n  ${line}\n  ${line.slice(0, position).replace(/[^\t]/g, ' ')}${'^'.repeat(Math.max(1, length))}`);
    this.name = 'FilterError';
    this.reason = reason;
    this.text = text;
    this.position = position;
    this.length = Math.max(1, length);
  }
}
