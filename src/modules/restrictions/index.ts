export { createRestrictions, type Restrictions, type RestrictionsDeps } from './restrictions.ts';
export { registerRestrictionRoutes } from './routes.ts';
