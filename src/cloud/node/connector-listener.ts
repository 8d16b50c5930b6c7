/**
 * The connector listener: mutual TLS, apart from the users' in port, parser and routes.
 *
 * Every call but the registration is made by whoever its client certificate says, checked by our
 * own profile at each call: a connection stays open after its certificate's end. No TLS session is
 * ever resumed, for a resumed one skips the handshake's checks.
 *
 * @see spec/PROTOCOL.md, "The connector listener"
 * @module
 */
import { constants } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import {
  CONNECTION_TIME_LIMITS,
  decodeMessage,
  encodeMessage,
  Refused,
  SLOT_MS,
  type Binding,
} from '../../protocol/internal.ts'
import { toPem } from '../../runtime/node/pem.ts'
import { serverCredentials, type ServerCredentials } from '../../runtime/node/server-credentials.ts'
import type { Cloud } from '../cloud.ts'
import { sameList, trustedRoots } from '../authority/authority-roll.ts'
import { ConnectorFitness } from '../offers/connector-fitness.ts'
import { ConnectorLinks } from '../offers/connector-links.ts'
import { auditLinks } from '../offers/link-audit.ts'
import { PlainLinks } from '../offers/plain-links.ts'
import { isAssigned } from '../connectors/assignment.ts'
import { ConfigurationHints } from '../connectors/configuration-hints.ts'
import type { IdentifiedConnector } from '../connectors/connector-certificate.ts'
import type { Claimer } from '../offers/submission.ts'
import { asRefusal, readBody, sendMessage, sendRefusal, stopping } from './connector-replies.ts'
import { messageBounds, routesOf, type Call, type Route } from './connector-routes.ts'
import { AcceptedConnections } from '../../runtime/node/accepted-connections.ts'
import { active, Callers } from './callers.ts'
import { acceptLink, checkLinkCall, refuseUpgrade } from './multiplexed-links.ts'
import { PlainExchanges } from './plain-exchanges.ts'
import { answerOn } from '../../runtime/node/request-turns.ts'

/** Options of {@link createConnectorListener}. */
export interface ConnectorListenerOptions extends ServerCredentials {
  /**
   * What connectors may come by. Default both; they prefer `link`, and fall back to `plain` where
   * it is refused.
   */
  readonly bindings?: readonly Binding[]
  /**
   * Whether links carry, now and then, what means nothing, so that a connector that fails on what
   * it does not know is found in time. Default true.
   */
  readonly grease?: boolean
}

/** A server for connectors. */
export interface ConnectorListener {
  /** Nobody listens until you call its `listen`. */
  readonly server: Server
  /**
   * From now on no link, stream of offers or registration is accepted: 503. What there is goes on.
   */
  stopAccepting(): void
  /** Offers nothing more on any link, and accepts none; what is claimed goes on. */
  drain(): void
  /**
   * From now on new connections are shown this key and certificate.
   *
   * @throws ConfigurationInvalid when they cannot be read, or do not fit each other
   */
  replaceCertificate(credentials: ServerCredentials): void
  /** Ends everything, at once: handshakes, half requests and silent connections as well. */
  close(): Promise<void>
}

/**
 * How often it is looked whether connectors still are somebody's, whether their configuration is
 * another, and whether their authority is. Milliseconds.
 */
const LOOK_MS = 500
/** How often it is looked whether tickets or standings have run out. Milliseconds. */
const EXPIRE_MS = 10_000

/**
 * A server for connectors.
 *
 * @throws ConfigurationInvalid when `key` or `cert` cannot be read, or do not fit each other
 */
export function createConnectorListener(
  cloud: Cloud,
  options: ConnectorListenerOptions,
): ConnectorListener {
  const { bindings = ['link', 'plain'], grease = true } = options
  const links = new ConnectorLinks(
    cloud.origin,
    auditLinks(cloud.audit, cloud.origin, 'link'),
    grease ? Math.random : undefined,
  )
  const plainLinks = new PlainLinks(cloud.origin, auditLinks(cloud.audit, cloud.origin, 'plain'))
  const exchanges = new PlainExchanges(cloud.origin, () =>
    Buffer.from(cloud.crypto.getRandomValues(new Uint8Array(16))).toString('base64url'),
  )
  const routes = routesOf(
    cloud,
    bindings.includes('plain') ? { links: plainLinks, exchanges } : undefined,
  )
  const { expiresAt, ...given } = serverCredentials(options)
  let credentials = given
  const shown = { name: 'connector-listener', expiresAt }
  cloud.shownCertificates.add(shown)
  const server = createServer({
    ...credentials,
    ...secureContext(cloud),
    requestCert: true,
    // Refusals are said in words, after the handshake: 401 or 403 with a code.
    rejectUnauthorized: false,
    ALPNProtocols: ['http/1.1'],
    requestTimeout: 0,
    headersTimeout: cloud.origin.limits.requestHeadMs,
    connectionsCheckingInterval: 1_000,
    keepAliveTimeout: CONNECTION_TIME_LIMITS.connectorKeepAliveMs,
    handshakeTimeout: cloud.origin.limits.requestHeadMs,
  })
  new AcceptedConnections(CONNECTION_TIME_LIMITS.connectorKeepAliveMs).of(
    server,
    'secureConnection',
  )
  const callers = new Callers(cloud)
  let isAccepting = true
  const checkAccepting = (): void => {
    if (!isAccepting) throw stopping()
  }
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  server.on('secureConnection', (socket) => {
    if (socket.isSessionReused()) socket.destroy()
  })
  server.on('request', (request, response) => {
    request.on('error', nothing)
    response.on('error', nothing)
    const refuse = (error: unknown): void => sendRefusal(response, asRefusal(cloud, error))
    const call = { request, response, ...targetOf(request) }
    const caller = isFrequent(call) ? callers.recent(request.socket as TLSSocket) : undefined
    if (caller === undefined) {
      serve(cloud, routes, callers, call, checkAccepting).catch(refuse)
      return
    }
    try {
      dispatch(routes, call, caller, checkAccepting)?.catch(refuse)
    } catch (error) {
      refuse(error)
    }
  })
  server.on('upgrade', (request, stream, head) => {
    const socket = stream as TLSSocket
    socket.on('error', nothing)
    // Pipelined behind a call whose answer is under way: that answer would be written into the
    // link.
    if (answerOn(socket) !== undefined) return void socket.destroy()
    const upgrade = async (): Promise<void> => {
      // Before anything else, for known and unknown paths alike: who calls?
      const caller = await callers.identify(socket)
      checkLinkCall(request)
      if (!bindings.includes('link')) throw new Refused('not-found', 'no such binding here')
      const owner = { claimer: active(caller), serial: caller.certificate.serial }
      // Asked last: it may have come to an end while the caller was looked up.
      checkAccepting()
      callers.linked(socket)
      acceptLink(links, owner, socket, head, () => cloud.clocks.now())
    }
    upgrade().catch((error: unknown) => refuseUpgrade(request, socket, asRefusal(cloud, error)))
  })
  const cut = (connectorId: string): void => {
    links.cut(connectorId)
    plainLinks.cut(connectorId)
    exchanges.cut(connectorId)
  }
  server.on('tlsClientError', (_error, socket) => socket.destroy())
  const hints = new ConfigurationHints(cloud.configuration, [links, plainLinks])
  const fitness = new ConnectorFitness(cloud.directory, cloud.audit, cloud.clocks, [
    links,
    plainLinks,
  ])
  const hint = (tell: () => void): void => {
    try {
      tell()
    } catch {
      // It has been told that the directory or the instances fail. The pull finds what they say.
    }
  }
  const unsubscribe = cloud.registry.onChange((change) => {
    if (change.type === 'superseded') return links.superseded(change.certificate.serial)
    if (change.type !== 'changed') return
    if (change.links === 'keep') return hint(() => hints.changed(change.connector))
    const { id } = change.connector
    callers.changed()
    // Before its links end: the frame leaves in order.
    if (change.links === 'drain') hint(() => hints.changed(change.connector))
    if (change.links === 'drain') {
      links.drain(id)
      return plainLinks.drain(id)
    }
    cut(id)
  })
  // A directory may be any, and tells nobody what it lost.
  const look = (claimer: Claimer): void => {
    try {
      if (!isAssigned(cloud.directory, claimer)) cut(claimer.connectorId)
    } catch {
      // It has been told that the directory fails. For that alone nobody loses a link.
    }
  }
  // Tickets and standings that ran out while nobody looked, those of another process among them. A
  // registry that fails has been told of.
  const expire = (): void => {
    void cloud.registration.tickets.expire().catch(nothing)
    void cloud.terms.expire().catch(nothing)
  }
  expire()
  const stopExpiring = cloud.timer.every(EXPIRE_MS, expire)
  const stopTicking = cloud.timer.every(SLOT_MS, () => {
    const now = cloud.clocks.now()
    plainLinks.tick(now)
    exchanges.tick(now)
  })
  let trusted = trustedRoots(cloud.authority)
  // The authority may have been rolled, here or by another process.
  const lookAtAuthority = (): void => {
    const roots = trustedRoots(cloud.authority)
    if (sameList(roots, trusted)) return
    trusted = roots
    server.setSecureContext({ ...credentials, ...secureContext(cloud) })
    callers.changed()
    cloud.certificates.connections.keep(cloud.certificates.trustedIssuers())
  }
  const stopLooking = cloud.timer.every(LOOK_MS, () => {
    lookAtAuthority()
    for (const held of [links, plainLinks, exchanges])
      for (const claimer of [...held.claimers()]) look(claimer)
    hint(() => hints.look())
    hint(() => fitness.look())
    hint(() => cloud.alarms.look(cloud.origin.counted().failing))
  })
  return {
    server,
    stopAccepting() {
      isAccepting = false
    },
    drain() {
      isAccepting = false
      links.drain()
      plainLinks.drain()
    },
    replaceCertificate(fresh) {
      const { expiresAt: end, ...pem } = serverCredentials(fresh)
      credentials = pem
      server.setSecureContext({ ...credentials, ...secureContext(cloud) })
      shown.expiresAt = end
    },
    async close() {
      isAccepting = false
      cloud.shownCertificates.delete(shown)
      unsubscribe()
      stopLooking()
      stopTicking()
      stopExpiring()
      links.close()
      plainLinks.close()
      const closed = new Promise((ended) => server.close(ended))
      // Node's server knows neither handshakes under way nor what was handed over.
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

/** What every handshake goes by, whatever certificate is shown. */
function secureContext({ authority }: Cloud) {
  return {
    // Connectors that look at what is named here see each root that theirs may be of.
    ca: trustedRoots(authority).map((der) => toPem('CERTIFICATE', der)),
    minVersion: 'TLSv1.2',
    secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
  } as const
}

interface Target {
  readonly path: string
  readonly query: URLSearchParams
}

type Unserved = Pick<Call, 'request' | 'response'> & Target

async function serve(
  cloud: Cloud,
  routes: readonly Route[],
  callers: Callers,
  call: Unserved,
  checkAccepting: () => void,
): Promise<void> {
  const { request, response, path } = call
  const socket = request.socket as TLSSocket
  if (request.method === 'POST' && path === '/registration') {
    checkAccepting()
    const body = await readBody(request, messageBounds(cloud))
    checkAccepting()
    const remoteAddress = socket.remoteAddress
    const reply = await cloud.registration.register(
      decodeMessage('RegistrationRequest', body),
      remoteAddress === undefined ? {} : { remoteAddress },
    )
    // Whoever guesses is told by the status, as anybody without a certificate.
    if (reply.type === 'refused' && reply.reason === 'ticket-refused')
      throw new Refused('ticket-refused')
    return sendMessage(response, encodeMessage(reply))
  }
  // Before anything else, for known and unknown paths alike: who calls?
  const caller = await callers.identify(socket, request.headers['user-agent'])
  return dispatch(routes, call, caller, checkAccepting)
}

function dispatch(
  routes: readonly Route[],
  { request, response, path, query }: Unserved,
  caller: IdentifiedConnector,
  checkAccepting: () => void,
): void | Promise<void> {
  for (const route of routes) {
    const match = route.method === request.method ? route.path.exec(path) : null
    if (match === null) continue
    if (route.opens === true) checkAccepting()
    return route.serve({ request, response, query, parts: match.slice(1) }, caller)
  }
  throw new Refused('not-found', 'no such call')
}

/** What comes once or twice for each request of a user. */
function isFrequent({ path }: Target): boolean {
  return path.startsWith('/exchanges/')
}

/** Most targets are a path of ours; what is none reads as the root, where nothing is. */
function targetOf({ url = '/' }: IncomingMessage): Target {
  if (url.startsWith('/')) {
    const [path = '/', query = ''] = url.split('?', 2)
    return { path, query: new URLSearchParams(query) }
  }
  const base = 'https://connectors.invalid'
  const { pathname, searchParams } = new URL(URL.canParse(url, base) ? url : '/', base)
  return { path: pathname, query: searchParams }
}

function nothing(): void {
  // the response's close says it
}
