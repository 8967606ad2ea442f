export type { ApplyDeps } from './apply.ts';
export { createAws, type Aws, type AwsSettings } from './aws.ts';
export { cloudFormationTemplate } from './cloudformation.ts';
export { compareResources, type Change, type Comparison, type FieldDifference, type ResourceKind } from './compare.ts';
export { eventBridgePlan, ownNames, placeOf } from './event-bridge-plan.ts';
export { applyEventBridge, planDestruction, planEventBridge, withSecrets, type EventBridgeDifference } from './event-bridge.ts';
export type { Observed, ObservedConnection, ObservedDestination, ObservedQueue, ObservedRole, ObservedRule } from './observed.ts';
export type { EventBridgePlace, Policy, ProvisionNote, Resources } from './resources.ts';
export { terraformConfiguration } from './terraform.ts';
