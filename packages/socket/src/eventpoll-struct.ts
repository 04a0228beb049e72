/*
 * The structs of epoll (fs/eventpoll.c): an Eventpoll is one epoll instance, an Epitem one file that it watches.
 */
import { WaitQueueHead } from '@stack/kernel';
import type { WaitQueueEntry, World } from '@stack/kernel';
import type { File, PollTable } from './file.ts';

/** struct epoll_event: `events` are EPOLL… bits, `data` is the user's and comes back as it was given. */
export class EpollEvent {
  events: number;
  data: unknown;

  constructor(events = 0, data: unknown = null) {
    this.events = events;
    this.data = data;
  }
}

/** struct eventpoll. */
export class Eventpoll {
  world: World;
  /** Those who sleep in epoll_wait. */
  wq: WaitQueueHead;
  /** Those who poll the epoll file itself. */
  pollWait: WaitQueueHead;
  /** All items, linked by epNext. */
  items: Epitem | null;
  /** Items that have, or may have, events: linked by rdlNext, first come first. */
  rdlFirst: Epitem | null;
  rdlLast: Epitem | null;

  constructor(world: World) {
    this.world = world;
    this.wq = new WaitQueueHead();
    this.pollWait = new WaitQueueHead();
    this.items = null;
    this.rdlFirst = null;
    this.rdlLast = null;
  }
}

/** struct epitem. It is its own poll table while it registers with its file. */
export class Epitem implements PollTable {
  qproc: (pt: PollTable, file: File, wq: WaitQueueHead) => void;
  key: number;
  ep: Eventpoll;
  file: File;
  fd: number;
  /** What the user asked for; only mode bits are left when a one-shot item has fired. */
  events: number;
  data: unknown;
  /** Its entries on the file's wait queues. */
  waits: WaitQueueEntry[];
  rdlNext: Epitem | null;
  rdlPrev: Epitem | null;
  onReadyList: boolean;
  epNext: Epitem | null;
  epPrev: Epitem | null;
  /** Next item that watches the same file. */
  fllink: Epitem | null;

  constructor(ep: Eventpoll, file: File, fd: number, qproc: (pt: PollTable, file: File, wq: WaitQueueHead) => void) {
    this.qproc = qproc;
    this.key = 0;
    this.ep = ep;
    this.file = file;
    this.fd = fd;
    this.events = 0;
    this.data = null;
    this.waits = [];
    this.rdlNext = null;
    this.rdlPrev = null;
    this.onReadyList = false;
    this.epNext = null;
    this.epPrev = null;
    this.fllink = null;
  }
}
