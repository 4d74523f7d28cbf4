import { createRequire } from 'node:module';

/** The official OpenAPI data: which members a resource of Twilio has. */

interface Specification {
  components: { schemas: Record<string, { properties?: Record<string, unknown> }> };
}

const require = createRequire(import.meta.url);
const specifications = {
  video: require('@twilio/cli-core/src/services/twilio-api/twilio_video_v1.json') as Specification,
  api: require('@twilio/cli-core/src/services/twilio-api/twilio_api_v2010.json') as Specification,
};

/** Members the schema lists and the answer lacks. */
export function missingMembers(api: keyof typeof specifications, schema: string, body: object): string[] {
  const properties = specifications[api].components.schemas[schema]?.properties;
  if (properties === undefined) throw new Error(`${schema} is not in the specification`);
  return Object.keys(properties).filter((name) => !(name in body));
}
