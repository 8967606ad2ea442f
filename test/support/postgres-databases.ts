import pg from 'pg';

/** What a new database holds: nothing, or the tables of one set of migrations, cloned from a template. */
export type DatabaseContent = 'empty' | 'main' | 'audit';

/** Where databases come from: the server that the whole run shares, or one of a test's own. */
export interface PostgresDatabases {
  /** The URL of a new database, as the login `quittance`, which has the rights that docs/guides/postgresql.md names and no more. */
  readonly createDatabase: (content?: DatabaseContent) => Promise<string>;
  /** The same database as the server's superuser. */
  readonly asSuperuser: (url: string) => string;
  readonly stop: () => Promise<void>;
}

/** The template database of a content. */
export const templateOf = (content: DatabaseContent): string => (content === 'empty' ? 'template1' : `quittance_template_${content}`);

const superuserUrl = (port: number, name: string): string => `postgres://postgres:postgres@127.0.0.1:${port}/${name}`;

/** Does something in one database as the server's superuser. */
export async function asAdmin<Result>(port: number, name: string, work: (client: pg.Client) => Promise<Result>): Promise<Result> {
  const client = new pg.Client({ connectionString: superuserUrl(port, name) });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

let created = 0;

/** Databases on a server that runs at `port`; stopping them leaves the server and what is on it. A clone takes 20 to 60 ms. */
export function databasesAt(port: number): PostgresDatabases {
  return {
    createDatabase: async (content = 'empty') => {
      created += 1;
      // The server is shared by several processes, each of which counts for itself.
      const name = `quittance_${process.pid}_${created}`;
      await asAdmin(port, 'postgres', async (admin) => {
        await admin.query(`CREATE DATABASE ${name} TEMPLATE ${templateOf(content)}`);
        // What is granted on a database is not copied with it.
        await admin.query(`GRANT CREATE ON DATABASE ${name} TO quittance`);
      });
      if (content === 'empty') await asAdmin(port, name, async (inside) => inside.query('GRANT CREATE ON SCHEMA public TO quittance'));
      return `postgres://quittance:quittance@127.0.0.1:${port}/${name}`;
    },
    asSuperuser: (url) => url.replace('quittance:quittance@', 'postgres:postgres@'),
    stop: async () => undefined,
  };
}

/** Makes the database `content` the template that others are cloned from. Nobody may be connected to it any more. */
export async function keepAsTemplate(port: number, content: 'main' | 'audit', url: string): Promise<void> {
  const name = new URL(url).pathname.slice(1);
  await asAdmin(port, 'postgres', async (admin) => {
    await admin.query(`ALTER DATABASE ${name} RENAME TO ${templateOf(content)}`);
    // Somebody connected to a template would keep it from being cloned.
    await admin.query(`ALTER DATABASE ${templateOf(content)} IS_TEMPLATE true ALLOW_CONNECTIONS false`);
  });
}
