import type { EventsConfig } from '../../../platform/config/events.ts';
import { eventBridgePlan, placeOf } from './event-bridge-plan.ts';
import type { ConnectionAuth, Policy, RuleResource, SecretSlot, TargetResource } from './resources.ts';
import { createNames } from './template-names.ts';

type Json = Readonly<Record<string, unknown>>;

const account = '${data.aws_caller_identity.current.account_id}';
const snake = (text: string): string => text.replaceAll(/[^A-Za-z0-9_]+/gu, '_');
/** A text of the configuration as Terraform takes it literally. */
const literal = (text: string): string => text.replaceAll(/[$%]\{/gu, (sign) => `${sign[0]}${sign}`);
const literals = (map: Readonly<Record<string, string>>): Record<string, string> => Object.fromEntries(Object.entries(map).map(([key, value]) => [key, literal(value)]));
/** A policy as text, in which Terraform puts the account into the ARNs. */
const document = (policy: Policy): string => JSON.stringify(policy);

function authOf(auth: ConnectionAuth, secretOf: (slot: SecretSlot) => string): Json {
  switch (auth.type) {
    case 'BASIC':
      return { basic: { username: literal(auth.username), password: secretOf(auth.secret) } };
    case 'API_KEY':
      return { api_key: { key: literal(auth.header), value: secretOf(auth.secret) } };
    case 'OAUTH_CLIENT_CREDENTIALS':
      return {
        oauth: {
          authorization_endpoint: literal(auth.endpoint),
          http_method: auth.method,
          client_parameters: { client_id: literal(auth.clientId), client_secret: secretOf(auth.secret) },
          oauth_http_parameters: { body: Object.entries(auth.body).map(([key, value]) => ({ key, value: literal(value), is_value_secret: false })) },
        },
      };
    default:
      return auth satisfies never;
  }
}

function targetOf(target: TargetResource, rule: string, bus: string, nameOf: (key: string) => string): Json {
  const { transformer } = target;
  const hasHttp = target.pathParameters.length > 0 || Object.keys(target.headers).length > 0;
  return {
    rule: `\${aws_cloudwatch_event_rule.${rule}.name}`,
    event_bus_name: bus,
    target_id: target.id,
    arn: `\${aws_cloudwatch_event_api_destination.${nameOf(target.destination)}.arn}`,
    role_arn: '${aws_iam_role.events.arn}',
    ...(transformer === undefined ? {} : { input_transformer: { input_paths: literals(transformer.InputPathsMap), input_template: literal(transformer.InputTemplate) } }),
    ...(hasHttp ? { http_target: { path_parameter_values: target.pathParameters.map(literal), header_parameters: literals(target.headers) } } : {}),
    retry_policy: { maximum_retry_attempts: target.retries, maximum_event_age_in_seconds: target.ageSeconds },
    dead_letter_config: { arn: '${aws_sqs_queue.dead_letters.arn}' },
  };
}

function rulesOf(rules: readonly RuleResource[], bus: string, destinationNames: (key: string) => string): { readonly rules: Json; readonly targets: Json } {
  const ruleNames = createNames(snake);
  const targetNames = createNames(snake);
  const all: Record<string, unknown> = {};
  const targets: Record<string, unknown> = {};
  for (const rule of rules) {
    const name = ruleNames(rule.name);
    all[name] = { name: rule.name, event_bus_name: bus, event_pattern: literal(rule.pattern), state: rule.state, ...(rule.description === '' ? {} : { description: literal(rule.description) }) };
    for (const target of rule.targets) targets[targetNames(`${rule.name}_${target.id}`)] = targetOf(target, name, bus, destinationNames);
  }
  return { rules: all, targets };
}

/** Gives a Terraform configuration in its JSON form (`*.tf.json`) of what the rules need. Secrets are sensitive variables; no value is in it. Fails as `eventBridgePlan` does. */
export function terraformConfiguration(config: EventsConfig): Json {
  const plan = eventBridgePlan(config, { ...placeOf(config), account });
  const { queue, role } = plan;
  if (queue === undefined || role === undefined) return { terraform: { required_providers: { aws: { source: 'hashicorp/aws' } } } };
  const destinationNames = createNames(snake);
  const variables: Record<string, Json> = {};
  const variableOf = createNames(snake);
  const secretOf = (slot: SecretSlot): string => {
    const [, , , destination = '', , field = ''] = slot.at.split('/');
    const name = variableOf(`${destination}_${field}`);
    variables[name] = { type: 'string', sensitive: true, description: `What ${slot.reference.slice(2, -1)} is in the configuration of Quittance.` };
    return `${slot.before}\${var.${name}}`;
  };
  const connections = Object.fromEntries(
    plan.connections.map(({ name, description, auth }) => [destinationNames(name), { name, description, authorization_type: auth.type, auth_parameters: authOf(auth, secretOf) }]),
  );
  const destinations = Object.fromEntries(
    plan.destinations.map((each) => [
      destinationNames(each.name),
      {
        name: each.name,
        description: each.description,
        invocation_endpoint: literal(each.endpoint),
        http_method: each.method,
        invocation_rate_limit_per_second: each.ratePerSecond,
        connection_arn: `\${aws_cloudwatch_event_connection.${destinationNames(each.connection)}.arn}`,
      },
    ]),
  );
  const { rules, targets } = rulesOf(plan.rules, plan.place.bus, destinationNames);
  return {
    terraform: { required_providers: { aws: { source: 'hashicorp/aws' } } },
    variable: variables,
    data: { aws_caller_identity: { current: {} } },
    resource: {
      aws_sqs_queue: { dead_letters: { name: queue.name, message_retention_seconds: queue.retentionSeconds, sqs_managed_sse_enabled: true } },
      aws_sqs_queue_policy: { dead_letters: { queue_url: '${aws_sqs_queue.dead_letters.id}', policy: document(queue.policy) } },
      aws_iam_role: { events: { name: role.name, assume_role_policy: document(role.trust) } },
      aws_iam_role_policy: { events: { name: role.policyName, role: '${aws_iam_role.events.id}', policy: document(role.policy) } },
      aws_cloudwatch_event_connection: connections,
      aws_cloudwatch_event_api_destination: destinations,
      aws_cloudwatch_event_rule: rules,
      aws_cloudwatch_event_target: targets,
    },
    output: { publisher_policy: { value: document(plan.publisher) } },
  };
}
