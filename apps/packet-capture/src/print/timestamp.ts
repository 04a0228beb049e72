/*
 * The time before a line, in the five forms of tcpdump's -t.
 */

/** How often -t was given: 0 time of day, 1 none, 2 seconds since 1970, 3 since the line before, 4 with date, 5 since the first. */
export type TimeForm = 0 | 1 | 2 | 3 | 4 | 5;

/** The time of a capture's first packet, or of the packet before; none yet. */
export class TimeReference {
  micros: number;

  constructor() {
    this.micros = NaN;
  }
}

/** Microseconds from 1970 to the last instant of a Date. */
const MAX_DATE = 8.64e18;

const two = (value: number): string => String(value).padStart(2, '0');
const fraction = (micros: number): string => String(micros).padStart(6, '0');

function clock(hours: number, minutes: number, seconds: number, micros: number): string {
  return `${two(hours)}:${two(minutes)}:${two(seconds)}.${fraction(micros)}`;
}

function ofDay(micros: number): string {
  const date = new Date(Math.floor(micros / 1000));
  return clock(date.getHours(), date.getMinutes(), date.getSeconds(), ((micros % 1e6) + 1e6) % 1e6);
}

function day(micros: number): string {
  const date = new Date(Math.floor(micros / 1000));
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

function difference(micros: number): string {
  const seconds = Math.floor(Math.abs(micros) / 1e6);
  const text = clock(Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60, Math.abs(micros) % 1e6);
  return micros < 0 ? `-${text}` : ` ${text}`;
}

/** The time and the space after it; `nanos` since 1970, cut to microseconds. Local time is the process's (TZ). */
export function timestamp(form: TimeForm, nanos: bigint, reference: TimeReference): string {
  const micros = Number(nanos / 1000n);
  if (form === 1) return '';
  if (form === 2) return `${Math.floor(micros / 1e6)}.${fraction(micros % 1e6)} `;
  if (form === 3 || form === 5) {
    const since = Number.isNaN(reference.micros) ? 0 : micros - reference.micros;
    if (form === 3 || Number.isNaN(reference.micros)) reference.micros = micros;
    return `${difference(since)} `;
  }
  // Beyond the years that a Date has: only a damaged file says so.
  if (Math.abs(micros) > MAX_DATE) return '[Error converting time] ';
  return form === 4 ? `${day(micros)} ${ofDay(micros)} ` : `${ofDay(micros)} `;
}
