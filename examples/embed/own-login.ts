/**
 * Published applications behind a login of one's own. They are `passthrough`: the cloud asks nobody who
 * they are, this gate does, before requests and before upgrades alike. An application is told the user's
 * name, and never sees the site's session.
 */
import { createServer, type IncomingMessage, type Server } from 'node:http'
import * as app from 'app-proxy/cloud'
import { userHandler, userUpgradeHandler, type UserEdge } from 'app-proxy/cloud/node'

/** `userOf` says who a request is from, as the site's login knows it; undefined: nobody. */
export function createSite(
  cloud: app.Cloud,
  userOf: (request: IncomingMessage) => Promise<string | undefined>,
): Server {
  const whoIs = (request: IncomingMessage) => userOf(request).catch(() => undefined)
  const edgeFor = (name: string): UserEdge => ({
    handle: (user, limits) => cloud.edge.handle(new NamedUser(user, name), limits),
  })
  const server = createServer(async (request, response) => {
    if (!cloud.edge.publishes(request.headers.host))
      return response.end('The site that was here before.\n')
    const name = await whoIs(request)
    if (response.destroyed) return
    if (name !== undefined) return userHandler(edgeFor(name))(request, response)
    response.writeHead(302, { location: 'https://site.example/login' }).end()
  })
  // No middleware sees these: without a gate here all is open to whoever sends `Upgrade`.
  server.on('upgrade', async (request, socket, rest) => {
    socket.on('error', () => undefined)
    const name = await whoIs(request)
    if (socket.destroyed) return
    if (name !== undefined) return userUpgradeHandler(edgeFor(name))(request, socket, rest)
    socket.end('HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
  })
  return server
}

/** The request as the application is to see it. */
class NamedUser extends app.ForwardingUserExchange {
  readonly #head: app.UserRequestHead

  constructor(user: app.UserExchange, name: string) {
    super(user)
    const headers = [...withoutOurs(user.head.headers), 'X-Site-User', name]
    this.#head = { ...user.head, headers }
  }

  override get head(): app.UserRequestHead {
    return this.#head
  }

  override ended(trailers: readonly string[] | undefined): void {
    super.ended(trailers && withoutOurs(trailers))
  }
}

/** Without what could pass for another user or for none, and without the site's session. */
function withoutOurs(headers: readonly string[]): string[] {
  const kept: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    const [name, value] = [headers[i]!, headers[i + 1]!]
    // What `Connection` names goes no further: ours must.
    if (/^connection$/i.test(name)) kept.push(name, without(value, ',', isIdentity))
    else if (/^cookie$/i.test(name)) kept.push(name, without(value, ';', isSession))
    else if (!isIdentity(name)) kept.push(name, value)
  }
  return kept
}

const isSession = (cookie: string) => /^\s*site_session=/.test(cookie)
// Applications read `X_Site_User` as the same name, and some `X.Site.User`.
const isIdentity = (name: string) => /^\s*x[-_.]site[-_.]user\s*$/i.test(name)

function without(list: string, separator: string, isOurs: (member: string) => boolean): string {
  const kept = list.split(separator).filter((member) => !isOurs(member))
  return kept.join(separator).trim()
}
