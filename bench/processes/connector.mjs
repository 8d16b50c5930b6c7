/** A connector of the built package. `binding` says how it is joined to the cloud. */
import { setTimeout as sleep } from 'node:timers/promises'
import { startConnector } from 'app-proxy/connector/node'
import { processOptions, say } from './process-options.mjs'

const { url, ca, stateDirectory, token, binding } = await processOptions()
const connector = await startConnector({
  url,
  ca,
  stateDirectory,
  binding,
  token: () => token,
  name: 'benchmark',
  grease: false,
  onEvent: (event) => {
    if (event.type === 'exchange-failed') console.error(`an exchange ended: ${event.outcome.kind}`)
    if (event.type === 'link') console.error(`link: ${event.state}`)
  },
})
while (!connector.isReady) await sleep(20)
say({ connectorId: connector.identity.connectorId })
