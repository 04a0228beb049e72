/*
 * Birth and end of a task (kernel/fork.c, kernel/exit.c). When it ends, its sleeping calls return -EINTR, its descriptors are closed, no call works on it
 * afterwards (-EBADF). A socket with SO_LINGER does not hold a task that ends: it lingers in the background.
 */
import { EINTR, netAtExit, worldEnter, worldLeave } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { fdRemove, filpClose } from './fdtable.ts';
import { socketNoLinger } from './socket.ts';
import { endSleepers } from './sleep.ts';
import { Task } from './task.ts';

/** A new task in `net`, on which the socket layer is installed. `comm` names it in reports. */
export function createTask(net: Net, comm: string): Task {
  const ns = net.socket;
  // Registered when all layers are installed, so that tasks end before the layers that they use.
  if (ns.nextPid === 1) netAtExit(net, exitTasks);
  const task = new Task(net, ns.nextPid++, comm);
  ns.tasks.add(task);
  return task;
}

function exitTasks(net: Net): void {
  for (const task of net.socket.tasks) exitTask(task);
}

/** Ends the task. A second call does nothing. */
export function exitTask(task: Task): void {
  if (task.exiting) return;
  const { world } = task.net;
  worldEnter(world);
  task.exiting = true;
  endSleepers(task, -EINTR);
  for (let fd = 0; fd < task.fdArray.length; fd++) {
    const file = fdRemove(task, fd);
    if (file === null) continue;
    if (file.fCount === 1) socketNoLinger(file);
    filpClose(file);
  }
  task.fdArray = [];
  task.rlimitNofile = 0;
  task.net.socket.tasks.delete(task);
  worldLeave(world);
}
