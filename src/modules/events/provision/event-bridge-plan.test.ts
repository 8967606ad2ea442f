import { describe, expect, it } from 'vitest';
import { eventsSchema, type EventsConfig } from '../../../platform/config/events.ts';
import { cloudFormationTemplate } from './cloudformation.ts';
import { eventBridgePlan, placeOf } from './event-bridge-plan.ts';
import type { Resources } from './resources.ts';
import { terraformConfiguration } from './terraform.ts';

type Tree = Record<string, unknown>;

/** The rules of the flow from Stripe to the profile service, with parts changed. */
function configOf(over: { destination?: Tree; rule?: Tree; target?: Tree; eventbridge?: Tree; more?: Tree } = {}): EventsConfig {
  return eventsSchema.parse({
    source: 'compliance.service',
    eventbridge: { region: 'eu-central-1', account: '123456789012', bus: 'privacy', runs_rules: true, ...over.eventbridge },
    destinations: {
      profiles: { kind: 'http', endpoint: 'https://profiles.example/v1/*/anonymise', auth: { kind: 'bearer', token: '${env:TOKEN}' }, ...over.destination },
      'a-1': { kind: 'http', endpoint: 'https://a.example/', auth: { kind: 'basic', username: 'a', password: '${file:/run/secrets/a}' } },
      a1: { kind: 'http', endpoint: 'https://b.example/', auth: { kind: 'oauth', token_url: 'https://b.example/token', client_id: 'b', client_secret: '${env:B}', scope: 'erase' }, headers: { 'X-A': '${not a reference}' } },
    },
    rules: {
      redacted: {
        EventPattern: { 'detail-type': ['gdpr.deletion.complete'] },
        targets: [{ id: 'profiles', destination: 'profiles', InputPathsMap: { cid: '$.detail.customer_id' }, InputTemplate: '{"profile_id":"<cid>","costs":"${money} %{if}"}', PathParameterValues: ['$.detail.customer_id'], ...over.target }],
        ...over.rule,
      },
      others: { EventPattern: { source: ['compliance.service'] }, targets: [{ id: 'one', destination: 'a-1' }, { id: 'two', destination: 'a1' }] },
    },
    ...over.more,
  });
}

const planOf = (config: EventsConfig): Resources => eventBridgePlan(config, placeOf(config));
const refusal = (over: Parameters<typeof configOf>[0]): unknown => {
  try {
    planOf(configOf(over));
  } catch (error) {
    return error;
  }
  return undefined;
};

describe('the plan for EventBridge', () => {
  it('is the same for the same configuration, and has what one rule needs', () => {
    const config = configOf({ more: { rules: { redacted: configOf().rules['redacted'] } } });
    expect(planOf(config)).toEqual(planOf(configOf({ more: { rules: { redacted: configOf().rules['redacted'] } } })));
    expect(planOf(config)).toMatchInlineSnapshot(`
      {
        "connections": [
          {
            "auth": {
              "header": "Authorization",
              "secret": {
                "at": "/events/destinations/profiles/auth/token",
                "before": "Bearer ",
                "reference": "\${env:TOKEN}",
              },
              "type": "API_KEY",
            },
            "description": "Managed by Quittance, prefix quittance.",
            "name": "quittance-profiles",
          },
        ],
        "destinations": [
          {
            "connection": "quittance-profiles",
            "description": "Managed by Quittance, prefix quittance.",
            "endpoint": "https://profiles.example/v1/*/anonymise",
            "method": "POST",
            "name": "quittance-profiles",
            "ratePerSecond": 300,
          },
        ],
        "notes": [],
        "place": {
          "account": "123456789012",
          "bus": "privacy",
          "partition": "aws",
          "prefix": "quittance",
          "region": "eu-central-1",
        },
        "publisher": {
          "Statement": [
            {
              "Action": "events:PutEvents",
              "Condition": {
                "StringEquals": {
                  "events:source": "compliance.service",
                },
              },
              "Effect": "Allow",
              "Resource": "arn:aws:events:eu-central-1:123456789012:event-bus/privacy",
              "Sid": "PutEvents",
            },
          ],
          "Version": "2012-10-17",
        },
        "queue": {
          "arn": "arn:aws:sqs:eu-central-1:123456789012:quittance-dead-letters",
          "name": "quittance-dead-letters",
          "policy": {
            "Statement": [
              {
                "Action": "sqs:SendMessage",
                "Condition": {
                  "ArnEquals": {
                    "aws:SourceArn": [
                      "arn:aws:events:eu-central-1:123456789012:rule/privacy/quittance-redacted",
                    ],
                  },
                },
                "Effect": "Allow",
                "Principal": {
                  "Service": "events.amazonaws.com",
                },
                "Resource": "arn:aws:sqs:eu-central-1:123456789012:quittance-dead-letters",
                "Sid": "DeadLetters",
              },
            ],
            "Version": "2012-10-17",
          },
          "retentionSeconds": 1209600,
        },
        "role": {
          "arn": "arn:aws:iam::123456789012:role/quittance-eu-central-1-events",
          "name": "quittance-eu-central-1-events",
          "policy": {
            "Statement": [
              {
                "Action": "events:InvokeApiDestination",
                "Effect": "Allow",
                "Resource": [
                  "arn:aws:events:eu-central-1:123456789012:api-destination/quittance-profiles/*",
                ],
              },
            ],
            "Version": "2012-10-17",
          },
          "policyName": "call-api-destinations",
          "trust": {
            "Statement": [
              {
                "Action": "sts:AssumeRole",
                "Condition": {
                  "ArnLike": {
                    "aws:SourceArn": "arn:aws:events:eu-central-1:123456789012:rule/privacy/quittance-*",
                  },
                  "StringEquals": {
                    "aws:SourceAccount": "123456789012",
                  },
                },
                "Effect": "Allow",
                "Principal": {
                  "Service": "events.amazonaws.com",
                },
              },
            ],
            "Version": "2012-10-17",
          },
        },
        "rules": [
          {
            "arn": "arn:aws:events:eu-central-1:123456789012:rule/privacy/quittance-redacted",
            "description": "",
            "name": "quittance-redacted",
            "pattern": "{"detail-type":["gdpr.deletion.complete"]}",
            "state": "ENABLED",
            "targets": [
              {
                "ageSeconds": 86400,
                "destination": "quittance-profiles",
                "headers": {},
                "id": "profiles",
                "pathParameters": [
                  "$.detail.customer_id",
                ],
                "retries": 185,
                "transformer": {
                  "InputPathsMap": {
                    "cid": "$.detail.customer_id",
                  },
                  "InputTemplate": "{"profile_id":"<cid>","costs":"\${money} %{if}"}",
                },
              },
            ],
          },
        ],
      }
    `);
  });

  it('needs nothing where no rule has an API destination', () => {
    expect(planOf(configOf({ more: { rules: {} } }))).toMatchObject({ connections: [], destinations: [], rules: [] });
    expect(planOf(configOf({ more: { rules: {} } })).queue).toBeUndefined();
  });

  it('refuses what EventBridge would not take, and names the place', () => {
    expect(refusal({})).toBeUndefined();
    expect(refusal({ destination: { endpoint: 'http://profiles.example/*' } })).toMatchObject({ code: 'CONFIG_INVALID', field: '/events/destinations/profiles/endpoint' });
    expect(refusal({ destination: { endpoint: 'https://profiles.example/{id}/*' } })).toMatchObject({ code: 'CONFIG_INVALID', field: '/events/destinations/profiles/endpoint' });
    expect(refusal({ destination: { auth: { kind: 'oauth', token_url: 'http://b.example/token', client_id: 'b', client_secret: '${env:B}' } } })).toMatchObject({ field: '/events/destinations/profiles/auth/token_url' });
    expect(refusal({ rule: { EventPattern: { source: ['x'.repeat(4100)] } } })).toMatchObject({ code: 'CONFIG_INVALID' });
    expect(refusal({ target: { PathParameterValues: [] } })).toMatchObject({ code: 'CONFIG_INVALID' });
    expect(refusal({ more: { rules: { ['r'.repeat(60)]: configOf().rules['redacted'] } } })).toMatchObject({ code: 'CONFIG_INVALID', detail: expect.stringContaining('at most 64') as string });
    expect(() => placeOf(eventsSchema.parse({}))).toThrow('/events/eventbridge');
  });

  it('says what will be otherwise at EventBridge', () => {
    const redacted = { ...configOf().rules['redacted'], EventPattern: { 'detail-type': ['erasure.completed'] }, identifiers: ['stripe_customer'] };
    const destination = { timeout_seconds: 10, age_hours: 48, allow_private_network: true, headers: { Range: 'x', 'X-Ok': 'y' }, attempts: 1 };
    const plan = planOf(configOf({ destination, more: { rules: { redacted } } }));
    expect(plan.notes.map(({ at }) => at)).toEqual([
      '/events/rules/redacted/identifiers',
      '/events/destinations/profiles/timeout_seconds',
      '/events/destinations/profiles/age_hours',
      '/events/destinations/profiles/allow_private_network',
      '/events/destinations/profiles/headers/Range',
    ]);
    expect(plan.rules[0]?.targets[0]).toMatchObject({ retries: 0, ageSeconds: 86_400, headers: { 'X-Ok': 'y' } });
    expect(planOf(configOf({ target: { InputTemplate: '"customer <cid>"' } })).notes).toEqual([{ at: '/events/rules/redacted/targets/0/InputTemplate', message: expect.stringContaining('<cid> stands in a text') as string }]);
    expect(planOf(configOf({ eventbridge: { runs_rules: false } })).notes.map(({ at }) => at)).toEqual(['/events/eventbridge/runs_rules']);
  });

  it('knows the partitions of Amazon', () => {
    expect(planOf(configOf({ eventbridge: { region: 'cn-north-1' } })).rules[0]?.arn).toMatch(/^arn:aws-cn:events:cn-north-1:/u);
    expect(planOf(configOf({ eventbridge: { region: 'us-gov-west-1', bus: 'default' } })).rules[0]?.arn).toBe('arn:aws-us-gov:events:us-gov-west-1:123456789012:rule/quittance-redacted');
  });
});

/** Puts in place what CloudFormation would: pseudo parameters by their values, references by what they name. Fails where something names nothing. */
function resolved(value: unknown, names: ReadonlySet<string>, attributes: Readonly<Record<string, string>>): unknown {
  const pseudo: Readonly<Record<string, string>> = { 'AWS::Partition': 'aws', 'AWS::Region': 'eu-central-1', 'AWS::AccountId': '123456789012' };
  const found = (name: string): string => {
    const known = pseudo[name] ?? (names.has(name) ? `<${name}>` : undefined);
    if (known === undefined) throw new Error(`${name} is not in the template`);
    return known;
  };
  if (Array.isArray(value)) return value.map((each) => resolved(each, names, attributes));
  if (typeof value !== 'object' || value === null) return value;
  const [[key, inner] = []] = Object.entries(value);
  if (key === 'Ref') return found(inner as string);
  if (key === 'Fn::GetAtt') return attributes[(inner as string[])[0] ?? ''] ?? found((inner as string[])[0] ?? '');
  if (key === 'Fn::Sub') return (inner as string).replaceAll(/\$\{([^}]+)\}/gu, (_all, name: string) => found(name));
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, resolved(each, names, attributes)]));
}

describe('the CloudFormation template', () => {
  const template = cloudFormationTemplate(configOf()) as { Parameters: Tree; Resources: Record<string, { Type: string; Properties: Tree }> };

  it('has the structure of a template, and every reference names something in it', () => {
    expect(Object.keys(template).toSorted()).toEqual(['AWSTemplateFormatVersion', 'Description', 'Outputs', 'Parameters', 'Resources']);
    const names = new Set([...Object.keys(template.Parameters), ...Object.keys(template.Resources)]);
    for (const name of names) expect(name).toMatch(/^[A-Za-z0-9]{1,255}$/u);
    expect(names.size).toBe(Object.keys(template.Parameters).length + Object.keys(template.Resources).length);
    for (const resource of Object.values(template.Resources)) expect(Object.keys(resource)).toEqual(['Type', 'Properties']);
    expect(() => resolved(template, names, {})).not.toThrow();
    expect(() => resolved({ Ref: 'Nothing' }, names, {})).toThrow('Nothing');
  });

  it('says the same as the plan: policies, rules, three connections of names that look alike', () => {
    const plan = planOf(configOf());
    const names = new Set([...Object.keys(template.Parameters), ...Object.keys(template.Resources)]);
    const whole = resolved(template.Resources, names, { DeadLetters: plan.queue?.arn ?? '', Role: plan.role?.arn ?? '' }) as typeof template.Resources;
    expect(whole['DeadLettersPolicy']?.Properties['PolicyDocument']).toEqual(plan.queue?.policy);
    expect(whole['Role']?.Properties).toEqual({ AssumeRolePolicyDocument: plan.role?.trust, Policies: [{ PolicyName: plan.role?.policyName, PolicyDocument: plan.role?.policy }] });
    expect(whole['Publisher']?.Properties['PolicyDocument']).toEqual(plan.publisher);
    const of = (type: string): readonly Tree[] => Object.values(whole).filter((each) => each.Type === type).map(({ Properties }) => Properties);
    expect(of('AWS::Events::Connection').map(({ Name }) => Name)).toEqual(['quittance-profiles', 'quittance-a-1', 'quittance-a1']);
    expect(of('AWS::Events::Connection')[0]?.['AuthParameters']).toEqual({ ApiKeyAuthParameters: { ApiKeyName: 'Authorization', ApiKeyValue: 'Bearer <ProfilesToken>' } });
    expect(of('AWS::Events::Rule')[0]).toMatchObject({ Name: 'quittance-redacted', EventBusName: 'privacy', EventPattern: { 'detail-type': ['gdpr.deletion.complete'] }, State: 'ENABLED' });
    expect(of('AWS::Events::Rule')).toHaveProperty(['0', 'Targets', '0'], expect.objectContaining({ RoleArn: plan.role?.arn, DeadLetterConfig: { Arn: plan.queue?.arn }, InputTransformer: plan.rules[0]?.targets[0]?.transformer }));
  });

  it('has secrets as parameters that are not echoed', () => {
    expect(Object.keys(template.Parameters)).toEqual(['ProfilesToken', 'A1Password', 'A1ClientSecret']);
    expect(Object.values(template.Parameters)).toEqual(Object.values(template.Parameters).map(() => expect.objectContaining({ Type: 'String', NoEcho: true }) as unknown));
  });
});

describe('the Terraform configuration', () => {
  const configuration = terraformConfiguration(configOf()) as { variable: Tree; resource: Record<string, Record<string, Tree>> };

  it('has references only to what is in it, and the texts of the configuration literally', () => {
    const text = JSON.stringify(configuration);
    const references = [...text.matchAll(/(?<!\$)\$\{([^}]+)\}/gu)].map(([, inner = '']) => inner);
    expect(references.length).toBeGreaterThan(10);
    for (const reference of references) {
      const [first = '', second = '', third = ''] = reference.split('.');
      if (first === 'var') expect(configuration.variable).toHaveProperty(second);
      else if (first === 'data') expect(configuration).toHaveProperty(['data', second, third]);
      else expect(configuration.resource).toHaveProperty([first, second]);
    }
    expect(text).toContain('$${money} %%{if}');
    expect(text).toContain('$${not a reference}');
  });

  it('has each thing once, and secrets as sensitive variables', () => {
    expect(Object.keys(configuration.variable)).toEqual(['profiles_token', 'a_1_password', 'a1_client_secret']);
    expect(Object.values(configuration.variable)).toEqual(Object.values(configuration.variable).map(() => expect.objectContaining({ type: 'string', sensitive: true }) as unknown));
    expect(Object.keys(configuration.resource['aws_cloudwatch_event_connection'] ?? {})).toHaveLength(3);
    expect(Object.keys(configuration.resource['aws_cloudwatch_event_target'] ?? {})).toHaveLength(3);
    expect(configuration.resource['aws_cloudwatch_event_connection']?.['quittance_profiles']?.['auth_parameters']).toEqual({ api_key: { key: 'Authorization', value: 'Bearer ${var.profiles_token}' } });
  });
});
