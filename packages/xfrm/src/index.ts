// Install
export { installXfrm } from './ip-xfrm.ts';
export { NetnsXfrm, XfrmPolicy, XfrmState } from './netns-xfrm.ts';

// What a user configures
export { ipXfrmPolicyAdd, ipXfrmPolicyDel, ipXfrmStateAdd } from './ip-xfrm.ts';
export type { IpXfrmPolicySpec, IpXfrmStateSpec } from './ip-xfrm.ts';

// The chain
export { XfrmDst } from './xfrm-policy.ts';
export { xfrm4Output } from './xfrm4-output.ts';
export { esp4Protocol } from './xfrm4-input.ts';
export { IPPROTO_ESP } from './esp.ts';
