import { library } from '../../tsup.base.js';

export default library(['src/index.ts', 'src/real-clock.ts', 'src/contract.ts']);
