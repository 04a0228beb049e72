// A cpio archive in the `newc` format, as Linux unpacks its initramfs from one (Documentation/driver-api/early-userspace).

/** One entry of the archive. */
export interface CpioEntry {
  readonly name: string;
  /** st_mode: type and permissions. */
  readonly mode: number;
  readonly data?: Uint8Array | string;
  /** Of a device node: major and minor number. */
  readonly device?: readonly [number, number];
}

export const DIRECTORY = 0o40755;
export const EXECUTABLE = 0o100755;
export const FILE = 0o100644;
export const CHARACTER_DEVICE = 0o20600;

/** The archive of `entries`, directories before what is in them. */
export function cpio(entries: readonly CpioEntry[]): Uint8Array {
  return Buffer.concat([...entries, { name: 'TRAILER!!!', mode: 0 }].map((entry, i) => record(entry, i + 1)));
}

function record({ name, mode, data = '', device = [0, 0] }: CpioEntry, inode: number): Uint8Array {
  const body = Buffer.from(data);
  const [major, minor] = device;
  const fields = [inode, mode, 0, 0, 1, 0, body.length, 0, 0, major, minor, Buffer.byteLength(name) + 1, 0];
  const head = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}${name}\0`;
  return Buffer.concat([padded(Buffer.from(head)), padded(body)]);
}

function padded(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([bytes, new Uint8Array(-bytes.length & 3)]);
}
