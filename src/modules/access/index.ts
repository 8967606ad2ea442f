export { createAuthenticate, type ApiKey, type Authenticate, type Operator } from './authenticate.ts';
