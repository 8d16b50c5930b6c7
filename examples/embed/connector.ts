/** A connector, on a machine beside the private applications. */
import { readFile } from 'node:fs/promises'
import { startConnector, type RunningConnector } from 'app-proxy/connector/node'

export async function connect(url: string, stateDirectory: string): Promise<RunningConnector> {
  return startConnector({
    ...{ url, stateDirectory },
    ca: await readFile(`${stateDirectory}/ca.pem`),
    // Read only as long as there is no certificate. `token` is for a registrar's token.
    ticket: () => readFile(`${stateDirectory}/ticket`, 'utf8'),
    onEvent: (event) => console.error(event),
  })
}
