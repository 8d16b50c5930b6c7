import { toJsonSchema } from '@valibot/to-json-schema'
import {
  AccessPolicy,
  ApplicationPolicy,
  Conditions,
  StepUp,
} from '../../src/cloud/rules/access-policy.ts'
import { CloudServerConfiguration } from '../../examples/cloud-server-configuration.ts'

/** What appears more than once is written down once. */
const definitions = { AccessPolicy, ApplicationPolicy, Conditions, StepUp }

/** The JSON Schema of cloud-server's configuration file: for editors, which complete and check while one types. */
export function cloudServerSchema(): object {
  const schema = toJsonSchema(CloudServerConfiguration, { typeMode: 'input', definitions })
  return { ...schema, title: 'app-proxy cloud-server configuration' }
}
