import { createRequire } from 'node:module';
import { Ajv, type ValidateFunction } from 'ajv';

/** Answers against the official OpenAPI data: every listed member is there, and has its type and format. */

interface Schema {
  [keyword: string]: unknown;
  properties?: Record<string, Schema>;
}
interface Specification {
  components: { schemas: Record<string, Schema> };
}
export type Family = 'api' | 'video' | 'voice';

const require = createRequire(import.meta.url);
const specifications: Record<Family, Specification> = {
  video: require('@twilio/cli-core/src/services/twilio-api/twilio_video_v1.json') as Specification,
  voice: require('@twilio/cli-core/src/services/twilio-api/twilio_voice_v1.json') as Specification,
  api: require('@twilio/cli-core/src/services/twilio-api/twilio_api_v2010.json') as Specification,
};

const ajv = new Ajv({ strict: false, allErrors: true });
for (const [name, format] of Object.entries({
  // The dates as the contract writes them, which is narrower than the formats' names.
  'date-time': /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/,
  'date-time-rfc-2822': /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d \+0000$/,
  uri: /^(https?:\/\/|sip:)\S+$/,
  'http-method': /^(GET|POST)$/,
  'phone-number': /^\+\d{3,15}$/,
  currency: /^[A-Z]{3}$/,
}))
  ajv.addFormat(name, format);
for (const name of ['uri-map', 'phone-number-capabilities', 'int64', 'recording-rule']) ajv.addFormat(name, true);
for (const [family, specification] of Object.entries(specifications)) ajv.addSchema({ $id: family, components: withoutLooseNullable(specification.components) as object });

const validators = new Map<string, ValidateFunction>();

/** What is wrong with an answer, in words; nothing when it is as documented. */
export function problemsOf(family: Family, schema: string, body: object): string[] {
  const properties = specifications[family].components.schemas[schema]?.properties;
  if (!properties) throw new Error(`${schema} is not in the specification of ${family}`);
  const missing = Object.keys(properties).filter((name) => !(name in body));
  const extra = Object.keys(body).filter((name) => !(name in properties));
  const key = `${family}#/components/schemas/${schema}`;
  const validate = validators.get(key) ?? ajv.compile({ $ref: key });
  validators.set(key, validate);
  validate(body);
  return [
    ...missing.map((name) => `${name} is missing`),
    ...extra.map((name) => `${name} is not documented`),
    ...(validate.errors ?? []).map((error) => `${error.instancePath} ${error.message ?? ''} ${JSON.stringify(error.params)}`),
  ];
}

/** OpenAPI allows `nullable` beside no `type`; JSON schema has nothing to say there. */
function withoutLooseNullable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutLooseNullable);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([name]) => name !== 'nullable' || 'type' in value);
  return Object.fromEntries(entries.map(([name, member]) => [name, withoutLooseNullable(member)]));
}
