// Scripts
export { parseScript } from './parse.ts';
export { ScriptError } from './scanner.ts';
export type { Action, Event, Expr, IcmpSpec, PacketSpec, Script, TcpOption, TcpSpec, UdpSpec, When } from './script.ts';

// Running them
export { suiteDefines } from './suite.ts';
export { runScript } from './house.ts';
export type { Failure, Result, RunOptions } from './run-state.ts';
