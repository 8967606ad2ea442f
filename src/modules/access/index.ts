export { createAuthenticate, type ApiKey, type Authenticate, type Operator } from './authenticate.ts';
export { guardRoutes } from './guard-routes.ts';
