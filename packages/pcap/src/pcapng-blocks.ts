// The numbers of pcapng that its writer and its reader share. Read first: draft-ietf-opsawg-pcapng §3.5, §4, §11.1.

export const BLOCK_SHB = 0x0a0d0d0a;
export const BLOCK_IDB = 1;
export const BLOCK_ISB = 5;
export const BLOCK_EPB = 6;
export const BYTE_ORDER_MAGIC = 0x1a2b3c4d;

export const OPT_COMMENT = 1;
export const OPT_IF_NAME = 2;
export const OPT_IF_DESCRIPTION = 3;
export const OPT_IF_TSRESOL = 9;
export const OPT_IF_FILTER = 11;
export const OPT_EPB_FLAGS = 2;
export const OPT_EPB_DROPCOUNT = 4;
export const OPT_ISB_IFRECV = 4;
export const OPT_ISB_IFDROP = 5;
