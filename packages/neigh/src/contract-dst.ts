// A route whose family wants nothing: what packets of the contracts are sent by.
import type { DstOps } from '@stack/skbuff';

function nothing(): void {}

export const contractDstOps: DstOps = {
  family: 0,
  check: (dst) => dst,
  negativeAdvice: nothing,
  linkFailure: nothing,
  updatePmtu: nothing,
  redirect: nothing,
  mtu: () => 1500,
  defaultAdvmss: () => 1460,
  destroy: nothing,
};
