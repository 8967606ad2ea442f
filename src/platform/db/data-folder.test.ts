import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { lockDataFolder } from './data-folder.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'quittance-lock-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));
const lockFile = (): string => join(folder, 'process.lock');

describe('a data folder', () => {
  test('is given back and can be taken again', () => {
    lockDataFolder(folder)();
    lockDataFolder(folder)();
  });
  test('is refused while a process of this host that lives holds it', () => {
    writeFileSync(lockFile(), `${process.ppid} ${hostname()}\n`);
    expect(() => lockDataFolder(folder)).toThrow(/Another process uses this data folder/u);
  });
  test('is free at once when its holder on this host is dead', () => {
    writeFileSync(lockFile(), `999999999 ${hostname()}\n`);
    lockDataFolder(folder)();
  });
  test('is refused while another host shows signs of life, whatever the process id, and free without them', () => {
    writeFileSync(lockFile(), `${process.pid} another-container\n`);
    expect(() => lockDataFolder(folder)).toThrow(/Another process/u);
    utimesSync(lockFile(), 1000, 1000);
    lockDataFolder(folder)();
  });
  test('is refused while its lock is not written whole', () => {
    writeFileSync(lockFile(), '');
    expect(() => lockDataFolder(folder)).toThrow(/Another process/u);
  });
});
