/** The states of a Net. */

/** It runs. */
export const NET_UP = 0;
/** It has panicked: its timers, softirqs and interrupts are off, its exit functions and works still run. */
export const NET_STOPPING = 1;
/** Nothing of it runs any more. */
export const NET_GONE = 2;
