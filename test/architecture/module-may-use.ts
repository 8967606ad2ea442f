/** Which module may use which; what is absent is forbidden. ARCHITECTURE.md shows the same, and a test holds it to this. */
export const moduleMayUse: Readonly<Record<string, readonly string[]>> = {
  audit: ['access'],
  access: [],
  identity: ['access'],
  connections: ['access'],
  notifications: ['identity'],
  requests: ['access', 'identity'],
  restrictions: ['access'],
  events: ['access', 'identity'],
  exports: ['access', 'identity'],
  intake: ['access', 'identity', 'requests'],
  orchestration: ['access', 'identity', 'connections', 'notifications', 'requests'],
};

/** Which top folder of src may use which; what is absent is forbidden. */
export const folderMayUse: Readonly<Record<string, readonly string[]>> = {
  contract: [],
  verify: [],
  platform: ['contract'],
  'connector-kit': ['contract', 'platform'],
  connectors: ['connector-kit', 'contract'],
  modules: ['connector-kit', 'contract', 'platform', 'verify'],
  cli: ['contract', 'verify', 'sandbox', 'platform'],
  sandbox: [],
};
