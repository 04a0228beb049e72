// `npm run build`: every package, declarations included.
import { build, install } from './bootstrap.mjs';

install();
build('all');
