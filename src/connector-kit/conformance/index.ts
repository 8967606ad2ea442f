export { Death, eraseToEnd, type ErasureRun, type EraseToEndOptions, type FinalResult } from './erase-to-end.ts';
export { createMemoryWorklist } from './memory-worklist.ts';
export { runConformance, type ConformancePerson, type ConformanceSubject, type VendorUnderTest } from './suite.ts';
export { createTestContext, type TestContext, type TestContextOptions } from './test-context.ts';
