/**
 * All examples of `examples/embed` in one process, before one cloud: it is copied into a packed project, as they are. One line of JSON on stdout
 * says where each listens; a line on stdin ends it.
 */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { MessageChannel } from 'node:worker_threads'
import { createAdaptorServer } from '@hono/node-server'
import { getConnInfo } from '@hono/node-server/conninfo'
import express, { type NextFunction, type Request, type Response } from 'express'
import { WebSocket, WebSocketServer } from 'ws'
import * as app from 'app-proxy/cloud'
import * as node from 'app-proxy/cloud/node'
import { collectorAudit } from '../../examples/embed/audit.ts'
import { connect } from '../../examples/embed/connector.ts'
import {
  openDatabaseDirectory,
  type Row,
  type Table,
} from '../../examples/embed/database-directory.ts'
import * as onExpress from '../../examples/embed/express.ts'
import * as onFastify from '../../examples/embed/fastify.ts'
import * as onFetch from '../../examples/embed/fetch.ts'
import * as onHono from '../../examples/embed/hono.ts'
import * as onNode from '../../examples/embed/node-http.ts'
import * as onOwnLogin from '../../examples/embed/own-login.ts'
import { pages } from '../../examples/embed/page.ts'
import {
  acceptLink,
  dialLink,
  overMessagePort,
  overWebSocket,
} from '../../examples/embed/transport.ts'

const state = await mkdtemp(join(tmpdir(), 'app-proxy-embeds-'))

// ── a private application ────────────────────────────────────────────────────────────────────────

const application = createServer((request, response) => {
  const digest = createHash('sha256')
  request.on('data', (bytes: Buffer) => digest.update(bytes))
  request.on('end', () => {
    const { method, url, headers } = request
    const from = headers['x-forwarded-for']
    const { 'x-site-user': user, cookie } = headers
    const sha256 = digest.digest('hex')
    const told = { method, url, from, user, cookie, sha256, trailers: request.rawTrailers }
    response.setHeader('Set-Cookie', ['a=1', 'b=2'])
    response.end(JSON.stringify(told))
  })
})
new WebSocketServer({ server: application }).on('connection', (socket, { headers }) =>
  socket.on('message', (said, isBinary) => {
    const isAsked = String(said) === 'who am I'
    socket.send(isAsked ? `${headers['x-site-user']}` : said, { binary: isBinary })
  }),
)
const internalUrl = `http://127.0.0.1:${await listen(application)}/`

// ── the cloud: directory, audit and pages are the examples' ──────────────────────────────────────

const published = (id: string, groupId: string): [Table, Row] => {
  const externalUrl = `http://${id}.localhost/`
  const preAuthentication = 'passthrough'
  return ['applications', { id, ...{ groupId, internalUrl, externalUrl, preAuthentication } }]
}
const group = (id: string): [Table, Row] => ['groups', { id, ...{ tenantId: 'contoso' } }]
const tenant = {
  ...{ id: 'contoso', issuer: 'https://id.example', registrars: { audience: 'urn:our-cloud' } },
  ...{ enrolmentTickets: true, defaultGroupId: 'default' },
}
const database = openDatabaseDirectory(join(state, 'directory'), [
  ['tenants', tenant],
  ...['default', 'ports', 'sockets', 'empty'].map(group),
  published('wiki', 'default'),
  published('ports', 'ports'),
  published('sockets', 'sockets'),
  published('down', 'empty'),
])

const collected: string[] = []
const collector = createServer((request, response) => {
  request.on('data', (bytes: Buffer) => collected.push(String(bytes)))
  request.on('end', () => response.end())
})
const audit = collectorAudit(`http://127.0.0.1:${await listen(collector)}/`)

const store = (name: string) => ({ store: node.authorityFile(join(state, `${name}.pem`)) })
const servers = await app.createServerAuthority(store('servers'))
const cloud = app.createCloud({
  directory: database.directory,
  registry: app.createMemoryRegistry(),
  authority: await app.createCertificateAuthority(store('connectors')),
  keyRing: await app.KeyRing.open(),
  audit: audit.sink,
  pages,
  onError: (failure) => console.error(failure),
  instances: () => ({ 'cloud-1': connectorUrl }),
  // How long a request may wait for a connector that is not there.
  limits: { queueWaitMs: 1_000 },
})
const { key, certificate: cert, ca } = await servers.issue()
const connectors = node.createConnectorListener(cloud, { key, cert })
const connectorUrl = `https://127.0.0.1:${await listen(connectors.server)}`

// ── connectors: one as it comes, one over a message channel, one over a WebSocket ────────────────

const stateDirectory = join(state, 'connector')
await mkdir(stateDirectory, { mode: 0o700 })
const by = { operator: 'me' }
const order = { tenantId: 'contoso', by, standing: 'active' } as const
const { ticket } = await cloud.createEnrolmentTicket(order)
await writeFile(join(stateDirectory, 'ca.pem'), ca)
await writeFile(join(stateDirectory, 'ticket'), ticket)
const connector = await connect(connectorUrl, stateDirectory)

const claimer = (id: string) => ({ tenantId: 'contoso', connectorId: `by-${id}`, groupId: id })
const { port1, port2 } = new MessageChannel()
acceptLink(cloud, claimer('ports'), overMessagePort(port1))
dialLink(overMessagePort(port2), internalUrl)

const gateway = new WebSocketServer({ port: 0, host: '127.0.0.1' })
await once(gateway, 'listening')
gateway.on('connection', (socket) => acceptLink(cloud, claimer('sockets'), overWebSocket(socket)))
const socket = new WebSocket(`ws://127.0.0.1:${(gateway.address() as AddressInfo).port}`)
await once(socket, 'open')
dialLink(overWebSocket(socket), internalUrl)

// A row that comes later.
await database.put(...published('late', 'default'))
database.refresh()

// ── sites ────────────────────────────────────────────────────────────────────────────────────────

const fastify = onFastify.createSite(cloud)
await fastify.ready()
const hono = createAdaptorServer({ fetch: onHono.createSite(cloud, getConnInfo).fetch }) as Server
hono.on('upgrade', node.userUpgradeHandler(cloud.edge))
const site = onFetch.createSite(cloud)
const plain = createAdaptorServer({
  fetch: (request, { incoming }) => site(request, incoming.socket.remoteAddress),
}) as Server

const wrong = express()
wrong.use(express.json(), node.userHandler(cloud.edge))
wrong.use((error: Error, _request: Request, response: Response, _next: NextFunction) => {
  response.status(500).send(`${error.name}: ${error.message}`)
})

const listening = {
  'node-http': await listen(onNode.createSite(cloud)),
  express: await listen(onExpress.createSite(cloud)),
  'express-wrong': await listen(createServer(wrong)),
  fastify: await listen(fastify.server),
  hono: await listen(hono),
  fetch: await listen(plain),
  'own-login': await listen(onOwnLogin.createSite(cloud, userOf)),
  audit: await listen(
    createServer((_request, response) => {
      void audit.flush().then(() => response.end(collected.join('')))
    }),
  ),
}
const linked = () => cloud.stats().groups.filter(({ links }) => links > 0)
while (!connector.isReady || linked().length < 3) await sleep(10)
console.log(JSON.stringify(listening))

await once(process.stdin, 'data')
await connector.stop()
await rm(state, { recursive: true, force: true })
process.exit()

async function userOf({ headers }: IncomingMessage): Promise<string | undefined> {
  const [, name] = /\bsite_session=(\w+)/.exec(headers.cookie ?? '') ?? []
  if (name === 'broken') throw new Error('the store of sessions is not there')
  // A store of sessions is asked.
  await sleep(1)
  return name
}

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}
