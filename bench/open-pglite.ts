import { PGlite } from '@electric-sql/pglite';

/** Opens PGlite in the folder given, has one query answered, and ends: what any server on it takes at least. */
const pglite = await PGlite.create({ dataDir: process.argv[2] ?? '' });
await pglite.query('SELECT 1');
process.stdout.write('answered\n');
await pglite.close();
