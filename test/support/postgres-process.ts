import { migrate } from '../../src/platform/db/migrate.ts';
import { openPostgres } from '../../src/platform/db/postgres.ts';
import { startPostgres } from './postgres.ts';
import { keepAsTemplate } from './postgres-databases.ts';

// The PostgreSQL server of a test run, in a process of its own: started by global-setup.ts, which it tells its port, and ended with it.

const server = await startPostgres();
for (const set of ['main', 'audit'] as const) {
  const url = await server.createDatabase();
  const database = openPostgres(url, () => undefined);
  await migrate(database, set);
  await database.close();
  await keepAsTemplate(server.port, set, url);
}
process.once('disconnect', () => {
  server.stop().catch((error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
    process.exitCode = 1;
  });
});
process.send?.(server.port);
