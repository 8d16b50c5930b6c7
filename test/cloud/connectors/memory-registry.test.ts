import { createMemoryRegistry } from '../../../src/cloud/index.ts'
import { connectorRegistrySuite } from '../../suites/connector-registry.suite.ts'

connectorRegistrySuite(
  'memory',
  async () => ({ registry: createMemoryRegistry(), close: async () => undefined }),
  { survives: false },
)
