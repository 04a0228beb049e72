// Limits that the device's half and the wire share.

/** Most pieces of one frame: 17 fragments, the offload header, the linear part, and room. */
export const VHOST_MAX_SEGS = 32;
