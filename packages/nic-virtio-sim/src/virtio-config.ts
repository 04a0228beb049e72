// Virtio: device status, feature bits and the registers of the MMIO transport.
//
// The two halves of the device share these numbers and nothing else but memory. A 64-bit feature word is handled as two
// 32-bit halves (a select register chooses one), so bits 32 and up have names of their own with HI.
// Read first: OASIS Virtual I/O Device (VIRTIO) 1.2 §2.1 (status), §2.2 (features), §4.2.2 (registers), §6 (reserved bits).

export const VIRTIO_CONFIG_S_ACKNOWLEDGE = 1;
export const VIRTIO_CONFIG_S_DRIVER = 2;
export const VIRTIO_CONFIG_S_DRIVER_OK = 4;
export const VIRTIO_CONFIG_S_FEATURES_OK = 8;
export const VIRTIO_CONFIG_S_NEEDS_RESET = 0x40;
export const VIRTIO_CONFIG_S_FAILED = 0x80;

/** Feature bit 29: used_event and avail_event say when the other side wants to hear. */
export const VIRTIO_RING_F_EVENT_IDX = 1 << 29;
/** Feature bit 32, as a bit of the upper half: the device follows this specification, not its predecessor. */
export const VIRTIO_F_VERSION_1_HI = 1 << 0;

/** Device id of a network card. */
export const VIRTIO_ID_NET = 1;
/** 'virt' in little-endian. */
export const VIRTIO_MMIO_MAGIC = 0x74726976;
/** VendorID of this simulation. */
export const VIRTIO_MMIO_VENDOR = 0x4b435453;

// Registers, byte offsets (§4.2.2).
export const VIRTIO_MMIO_MAGIC_VALUE = 0x000;
export const VIRTIO_MMIO_VERSION = 0x004;
export const VIRTIO_MMIO_DEVICE_ID = 0x008;
export const VIRTIO_MMIO_VENDOR_ID = 0x00c;
export const VIRTIO_MMIO_DEVICE_FEATURES = 0x010;
export const VIRTIO_MMIO_DEVICE_FEATURES_SEL = 0x014;
export const VIRTIO_MMIO_DRIVER_FEATURES = 0x020;
export const VIRTIO_MMIO_DRIVER_FEATURES_SEL = 0x024;
export const VIRTIO_MMIO_QUEUE_SEL = 0x030;
export const VIRTIO_MMIO_QUEUE_NUM_MAX = 0x034;
export const VIRTIO_MMIO_QUEUE_NUM = 0x038;
export const VIRTIO_MMIO_QUEUE_READY = 0x044;
export const VIRTIO_MMIO_QUEUE_NOTIFY = 0x050;
export const VIRTIO_MMIO_INTERRUPT_STATUS = 0x060;
export const VIRTIO_MMIO_INTERRUPT_ACK = 0x064;
export const VIRTIO_MMIO_STATUS = 0x070;
export const VIRTIO_MMIO_QUEUE_DESC_LOW = 0x080;
export const VIRTIO_MMIO_QUEUE_DESC_HIGH = 0x084;
export const VIRTIO_MMIO_QUEUE_AVAIL_LOW = 0x090;
export const VIRTIO_MMIO_QUEUE_AVAIL_HIGH = 0x094;
export const VIRTIO_MMIO_QUEUE_USED_LOW = 0x0a0;
export const VIRTIO_MMIO_QUEUE_USED_HIGH = 0x0a4;
export const VIRTIO_MMIO_CONFIG_GENERATION = 0x0fc;
export const VIRTIO_MMIO_CONFIG = 0x100;

/** InterruptStatus: the device has used buffers. */
export const VIRTIO_MMIO_INT_VRING = 1;
/** InterruptStatus: the configuration has changed. */
export const VIRTIO_MMIO_INT_CONFIG = 2;

// Feature bits of a network device (§5.1.3), all in the lower half.
export const VIRTIO_NET_F_CSUM = 1 << 0;
export const VIRTIO_NET_F_GUEST_CSUM = 1 << 1;
export const VIRTIO_NET_F_MTU = 1 << 3;
export const VIRTIO_NET_F_MAC = 1 << 5;
export const VIRTIO_NET_F_GUEST_TSO4 = 1 << 7;
export const VIRTIO_NET_F_GUEST_ECN = 1 << 9;
export const VIRTIO_NET_F_HOST_TSO4 = 1 << 11;
export const VIRTIO_NET_F_HOST_ECN = 1 << 13;
export const VIRTIO_NET_F_MRG_RXBUF = 1 << 15;
export const VIRTIO_NET_F_STATUS = 1 << 16;

// struct virtio_net_config (§5.1.4), offsets from VIRTIO_MMIO_CONFIG.
export const VIRTIO_NET_CONFIG_MAC = 0;
export const VIRTIO_NET_CONFIG_STATUS = 6;
export const VIRTIO_NET_CONFIG_MTU = 10;
export const VIRTIO_NET_CONFIG_SIZE = 12;
/** Configuration field status: the link is up. */
export const VIRTIO_NET_S_LINK_UP = 1;

/** Number of the receive queue. */
export const VIRTIO_NET_RXQ = 0;
/** Number of the transmit queue. */
export const VIRTIO_NET_TXQ = 1;
