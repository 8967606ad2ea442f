import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createTestContext } from '../../src/connector-kit/conformance/test-context.ts';
import type { Json } from '../../src/connector-kit/index.ts';
import { databaseConnector } from '../../src/connectors/database/index.ts';

/** One step of an erasure in a process of its own, to be killed: `erase-child.ts <configuration file> <cursor file> <user id>`. */
const [configFile = '', cursorFile = '', value = ''] = process.argv.slice(2);
const connection = databaseConnector.connect(databaseConnector.config.parse(JSON.parse(readFileSync(configFile, 'utf8'))));
const cursor = JSON.parse(readFileSync(cursorFile, 'utf8')) as Json;
const test = createTestContext({ egress: ['https://nowhere.example'], identifier: { kind: 'user_id', value }, seenHere: true });

const step = test.step({ cursor, attempt: 1 });
const result = await connection.erase({
  ...step,
  save: async (next) => {
    writeFileSync(`${cursorFile}.new`, JSON.stringify(next));
    renameSync(`${cursorFile}.new`, cursorFile);
    process.stdout.write('saved\n');
  },
});
writeFileSync(`${cursorFile}.result`, JSON.stringify(result));
