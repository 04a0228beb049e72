// Scripts against this machine's own Linux. A file of its own, which a process for each script imports again.
export { closeLinuxRunner, LinuxRunner, missingForLinux, runLinuxChild, runScriptOnLinux } from './linux/child.ts';
