import { readFileSync } from 'node:fs';
import { parseScript, runScript } from '@stack/packetdrill';
const own = process.argv.includes('-o');
const v = process.argv.includes('-v');
const defines = new Map(Object.entries({ TFO_COOKIE: '3021b9d889017eeb', CODE: 'host_unreachable', CMSG_LEVEL_IP: 'SOL_IP', CMSG_TYPE_RECVERR: 'IP_RECVERR' }));
const defaults = own ? {} : JSON.parse(readFileSync('/work/shared/packetdrill/sysctl-defaults.json','utf8'));
let bad = 0, n = 0;
for (const f of process.argv.slice(2).filter(a => !a.startsWith('-'))) {
  n++;
  try {
    const { failure, log } = await runScript(parseScript(readFileSync(f,'utf8'), f, defines), { tolerance: own ? 0 : 4000, defaults });
    if (failure) { bad++; console.log(`${f}:${failure.line}: ${failure.message}`); if (v || process.argv.includes('-l')) console.log(log.join('\n')); }
    else if (v) console.log(`ok ${f}\n${log.join('\n')}`);
  } catch (e) { bad++; console.log(f, e); }
}
console.log(`${n-bad}/${n}`);
