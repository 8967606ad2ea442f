export { checkAtStart, checkConnections, createConnections, ownSettings, type Admission, type ConfiguredConnection, type Connections, type ConnectionStatus } from './connections.ts';
export { registerConnectionRoutes } from './routes.ts';
