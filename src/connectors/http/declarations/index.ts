import { hubspot } from './hubspot.ts';
import { intercom } from './intercom.ts';
import { purge } from './purge.ts';
import type { ReadyDeclaration } from './ready-declaration.ts';
import { salesforce } from './salesforce.ts';
import { zendesk } from './zendesk.ts';

/** Every declaration that is ready made, by the name that a connection gives under `use`. */
export const readyDeclarations: readonly ReadyDeclaration[] = [
  hubspot as ReadyDeclaration,
  intercom as ReadyDeclaration,
  purge as ReadyDeclaration,
  salesforce as ReadyDeclaration,
  zendesk as ReadyDeclaration,
];
