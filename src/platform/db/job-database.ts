import type { Db } from 'pg-boss';

/** The interface through which pg-boss reaches a database. */
export type IDatabase = Db;
