// `npm run build`: every package, declarations included.
import { build, install } from './bootstrap.mjs';

await install();
await build('all');
