/** Registers one connector after the other, and says each that was answered, until it is killed. */
import { writeSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import {
  DeploymentKeys,
  openNatsConnection,
  openNatsRegistry,
} from '../../../src/cloud/nats/index.ts'
import { orderOf } from './registration-order.ts'

const [servers, prefix] = process.argv.slice(2) as [string, string]
const deploymentKeys = new DeploymentKeys(Buffer.from(await text(process.stdin), 'base64url'))
const connection = await openNatsConnection({ servers })
const registry = await openNatsRegistry({ connection, deploymentKeys })
while (!connection.isFresh) await new Promise((later) => setTimeout(later, 10))
for (let i = 0; ; i++) {
  const { connector } = await registry.register(orderOf(`${prefix}-${i}`))
  writeSync(1, `${connector.id}\n`)
}
