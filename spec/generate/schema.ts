import { fileURLToPath } from 'node:url'
import { toJsonSchema } from '@valibot/to-json-schema'
import {
  AccessPolicy,
  ApplicationPolicy,
  Conditions,
  StepUp,
} from '../../src/cloud/rules/access-policy.ts'
import { CorsConfiguration } from '../../src/cloud/directory/cors-configuration.ts'
import { CloudServerConfiguration } from '../../src/cli/cloud/configuration.ts'
import { describeSchema, type SchemaNode } from './descriptions.ts'

/** What appears more than once is written down once. */
const definitions = {
  ...{ AccessPolicy, ApplicationPolicy, Conditions, StepUp },
  Cors: CorsConfiguration,
}

/** Where the interfaces are whose comments describe it. */
const INTERFACES = [
  'src/cli/cloud/configuration.ts',
  'src/cli/cloud/certificate-files.ts',
  'src/cli/cloud/nats-configuration.ts',
  'src/cli/cloud/admin-configuration.ts',
  'src/cloud/directory/directory-input.ts',
  'src/cloud/directory/application-input.ts',
  'src/cloud/directory/publishing-input.ts',
  'src/cloud/directory/segment-input.ts',
  'src/cloud/directory/account-mapping-input.ts',
  'src/cloud/directory/translate-input.ts',
  'src/cloud/directory/issuer-input.ts',
  'src/cloud/rules/access-policy-input.ts',
  'src/protocol/wire/limits.ts',
].map((path) => fileURLToPath(new URL(`../../${path}`, import.meta.url)))

/** The JSON Schema of the configuration file of `app-proxy cloud`: for editors, which complete and check while one types. */
export function cloudServerSchema(): object {
  const schema = toJsonSchema(CloudServerConfiguration, {
    typeMode: 'input',
    definitions,
    // What JSON Schema has no words for.
    ignoreActions: ['check'],
  })
  describeSchema(schema as SchemaNode, 'CloudServerInput', INTERFACES)
  return { ...schema, title: 'app-proxy cloud configuration' }
}
