export { createExports } from './create-exports.ts';
export { createExportStorage } from './storage/create-export-storage.ts';
export { exportMake, exportSweep } from './jobs.ts';
export { registerExportRoutes, type ExportRoutesDeps } from './routes.ts';
export type { Delivery } from './delivery.ts';
export type { Exports, ExportsDeps, PackageStatus, RequestFactsForPackage } from './exports.ts';
export type { NewPage, PagesFrom } from './pages.ts';
export type { ExportStorage } from './storage/export-storage.ts';
