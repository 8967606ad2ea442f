export { registerIntakeRoutes, type IntakeRoutesDeps } from './routes.ts';
export { createAcceptRequest, type Accepted, type AcceptRequest, type AcceptRequestDeps, type IncomingMessage } from './accept-request.ts';
export { createVerifySubject, type VerifySubject, type VerifySubjectDeps } from './verify-subject.ts';
export { createSources, type Source } from './sources.ts';
export { createReplaySweep, replaySweep } from './jobs.ts';
export { readBody, type BodyOptions, type ParsedBody } from './domain/bodies.ts';
export { acceptedAnswerSchema, type AcceptedAnswer } from './answers.ts';
