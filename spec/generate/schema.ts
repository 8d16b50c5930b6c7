import { toJsonSchema } from '@valibot/to-json-schema'
import { CloudServerConfiguration } from '../../examples/cloud-server-configuration.ts'

/** The JSON Schema of cloud-server's configuration file: for editors, which complete and check while one types. */
export function cloudServerSchema(): object {
  const schema = toJsonSchema(CloudServerConfiguration, { typeMode: 'input' })
  return { ...schema, title: 'app-proxy cloud-server configuration' }
}
