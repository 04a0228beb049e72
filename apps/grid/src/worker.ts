/*
 * A process of the pool: runs a cell at a time.
 */
import { runCell, type Cell, type Span } from './cell.ts';

process.on('message', (message: { cell: Cell; span: Span }) => {
  const before = process.cpuUsage();
  const answer = (outcome: object): void => {
    const { user, system } = process.cpuUsage(before);
    process.send?.({ ...message, cpu: (user + system) / 1e6, ...outcome });
  };
  runCell(message.cell, message.span).then((figures) => answer({ figures }), (error: unknown) => {
    answer({ reason: error instanceof Error ? error.message : String(error) });
  });
});
// Who started it is gone.
process.on('disconnect', () => process.exit());
