/*
 * The least value of a sliding window of time, from three samples (lib/win_minmax.c): the least, the least since, and the least
 * since that one; each is from a later part of the window, to take the place of the one before when that is too old.
 *
 * Order of calls: tcpUpdateRttMin → minmaxRunningMin. Read first: Kathleen Nichols' description in the kernel's documentation of BBR.
 */

/** struct minmax: values and the times they were taken. */
export class Minmax {
  v0: number;
  t0: number;
  v1: number;
  t1: number;
  v2: number;
  t2: number;

  constructor() {
    this.v0 = 0;
    this.t0 = 0;
    this.v1 = 0;
    this.t1 = 0;
    this.v2 = 0;
    this.t2 = 0;
  }
}

/** Starts over with one sample. */
export function minmaxReset(m: Minmax, now: number, value: number): void {
  m.v0 = value;
  m.v1 = value;
  m.v2 = value;
  m.t0 = now;
  m.t1 = now;
  m.t2 = now;
}

function minmaxShift(m: Minmax, now: number, value: number): void {
  m.v0 = m.v1;
  m.t0 = m.t1;
  m.v1 = m.v2;
  m.t1 = m.t2;
  m.v2 = value;
  m.t2 = now;
}

/** The best sample has aged: the second and third best move up; and each quarter and half of the window has its own. */
function minmaxSubwinUpdate(m: Minmax, win: number, now: number, value: number): void {
  const age = (now - m.t0) | 0;
  if (age > win) {
    minmaxShift(m, now, value);
    if (((now - m.t0) | 0) > win) minmaxShift(m, now, value);
  } else if (m.t1 === m.t0 && age > win >> 2) {
    m.v1 = value;
    m.t1 = now;
    m.v2 = value;
    m.t2 = now;
  } else if (m.t2 === m.t1 && age > win >> 1) {
    m.v2 = value;
    m.t2 = now;
  }
}

/** Takes a sample into the least of the last `win`. */
export function minmaxRunningMin(m: Minmax, win: number, now: number, value: number): void {
  if (value <= m.v0 || ((now - m.t2) | 0) > win) {
    minmaxReset(m, now, value);
    return;
  }
  if (value <= m.v1) {
    m.v1 = value;
    m.t1 = now;
    m.v2 = value;
    m.t2 = now;
  } else if (value <= m.v2) {
    m.v2 = value;
    m.t2 = now;
  }
  minmaxSubwinUpdate(m, win, now, value);
}
