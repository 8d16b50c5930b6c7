import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo, Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as app from 'app-proxy/cloud'
import * as node from 'app-proxy/cloud/node'
import { startConnector } from 'app-proxy/connector/node'

// A private application: it answers, and greets whoever opens a WebSocket.
const application = createServer((request, response) => response.end(`Here is ${request.url}\n`))
application.on('upgrade', ({ headers }, socket) => {
  const key = `${headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`
  const accept = createHash('sha1').update(key).digest('base64')
  const lines = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade']
  socket.write([...lines, `Sec-WebSocket-Accept: ${accept}`, '\r\n'].join('\r\n'))
  socket.write('\x81\x05hello', 'latin1')
})
const internalUrl = `http://127.0.0.1:${await listen(application)}/`

// What is published, to whom, and by which connectors it is served.
const tenant = { id: 'contoso', issuer: 'https://id.example', enrolmentTickets: true }
const wiki = { id: 'wiki', groupId: 'default', externalUrl: 'http://wiki.localhost/', internalUrl }
const directory = app.createDirectory({
  tenants: [{ ...tenant, registrars: { audience: 'urn:our-cloud' } }],
  groups: [{ id: 'default', tenantId: 'contoso' }],
  applications: [{ ...wiki, preAuthentication: 'passthrough' }],
})

// The cloud. All it must remember is in one directory: this one is new at each start.
const state = await mkdtemp(join(tmpdir(), 'app-proxy-'))
const authorityStore = (name: string) => ({ store: node.authorityFile(join(state, `${name}.pem`)) })
const servers = await app.createServerAuthority(authorityStore('servers'))
const cloud = app.createCloud({
  directory,
  registry: app.createMemoryRegistry(),
  authority: await app.createCertificateAuthority(authorityStore('connectors')),
  keyRing: await app.KeyRing.open(),
  audit: app.jsonLinesAudit(console.error),
  instances: () => ({ 'cloud-1': connectorUrl }),
})

// Connectors come by mutual TLS, on a port of their own.
const { key, certificate: cert, ca } = await servers.issue()
const connectors = node.createConnectorListener(cloud, { key, cert })
const connectorUrl = `https://127.0.0.1:${await listen(connectors.server)}`

// Users come to a server that may be there already, and serve other things as well.
const published = node.userHandler(cloud.edge)
const users = createServer((request, response) => {
  published(request, response, () => response.end('The site that was here before.\n'))
})
users.on('upgrade', node.userUpgradeHandler(cloud.edge))
const port = await listen(users)

// A connector. On a machine inside it would read the ticket, and `ca`, from files.
const by = { operator: 'me' }
const order = { tenantId: 'contoso', by, standing: 'active' } as const
const { ticket } = await cloud.createEnrolmentTicket(order)
const stateDirectory = join(state, 'connector')
await startConnector({
  ...{ url: connectorUrl, ca, stateDirectory, ticket: () => ticket },
  // It waits for a cloud that it cannot reach. What only a person can mend it says once.
  onEvent: (event) => event.type === 'mistake' && console.error(event.message),
})
console.log(`http://wiki.localhost:${port}/`)

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}
