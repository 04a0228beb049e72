import { library } from '../../tsup.base.js';

export default library(['src/index.ts', 'src/ipv4.ts', 'src/channel.ts', 'src/contract.ts']);
