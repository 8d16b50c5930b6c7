/** Applications of one host each under `corp.test`, an issuer under `idp.test` that knows its user, and pages of both sites that hold frames. */
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'
import {
  createCertificateAuthority,
  createCloud,
  createDirectory,
  createMemoryRegistry,
  KeyRing,
  type UserExchange,
} from '../../src/cloud/index.ts'
import { Edge } from '../../src/cloud/edge/edge.ts'
import { PreAuthentication } from '../../src/cloud/sign-in/sign-in.ts'
import { createUserListener } from '../../src/cloud/node/index.ts'
import { NodeBackend } from '../../src/connector/node/index.ts'
import { TIME_LIMITS } from '../../src/protocol/internal.ts'
import { memoryAuthorityStore } from '../cloud/trust.ts'
import { HostileIssuer } from '../hostile-issuer/issuer.ts'
import { MemoryConnector } from '../integration/memory-connector.ts'
import { registered, until } from '../integration/tunnel.ts'
import { recordedAudit } from '../recorded-audit.ts'
import type { Sites } from './sites.ts'

/** What an application shows; its page says where its user landed. */
export const SERVED =
  '<!doctype html><p id="served">served</p><script>document.title=location.pathname+location.search.length+location.hash</script>'

/** `pages`: the port of the pages that hold frames. `applications` by their label before `corp.test`. */
export async function framedWorld(
  sites: Sites,
  applications: (origin: (host: string) => string) => Readonly<Record<string, object>>,
) {
  const issuer = await HostileIssuer.start()
  const front = await sites.serve((request, response) => void forward(issuer, request, response))
  issuer.publicUrl = `https://login.idp.test:${front.port}`
  const holder = await sites.serve((request, response) => {
    const [count = '1', url = ''] = new URL(request.url!, 'https://x').search.slice(1).split(',')
    const frame = `<iframe src="${decodeURIComponent(url)}"></iframe>`
    response.setHeader('Content-Type', 'text/html')
    response.end(`<!doctype html>${frame.repeat(Number(count))}`)
  })
  const backend = createServer((_, response) => {
    response.setHeader('Content-Type', 'text/html')
    response.end(SERVED)
  })
  const backendPort = await sites.listen(backend)

  // The applications' addresses need the port.
  const later: { edge?: Edge } = {}
  const handle = (user: UserExchange) => later.edge!.handle(user)
  const port = await sites.listen(createUserListener({ handle }, { tls: sites.tls }))
  const origin = (host: string) =>
    `https://${host}:${host.startsWith('portal') || host.startsWith('wiki') ? holder.port : port}`
  const directory = createDirectory({
    tenants: [
      { id: 'contoso', issuer: issuer.publicUrl, registrars: { audience: 'urn:registration' } },
    ],
    groups: [{ id: 'default', tenantId: 'contoso' }],
    applications: Object.entries(applications(origin)).map(([id, more]) => ({
      ...{ id, name: `The ${id} application`, groupId: 'default' },
      externalUrl: `${origin(`${id}.corp.test`)}/`,
      internalUrl: `http://127.0.0.1:${backendPort}/`,
      preAuthentication: 'oidc' as const,
      client: { id: issuer.clientId, secret: issuer.clientSecret },
      ...more,
    })),
  })
  const audit = recordedAudit()
  const clocks = { now: () => performance.now(), wallClock: () => Date.now() }
  const keyRing = await KeyRing.open()
  const registry = createMemoryRegistry()
  const authority = await createCertificateAuthority({
    ...{ crypto, clocks, store: memoryAuthorityStore() },
  })
  const cloud = createCloud({
    ...{ directory, registry, authority, keyRing, audit, instances: () => ({}) },
  })
  const preAuthentication = new PreAuthentication({
    ...{ directory, keyRing, clocks, audit, sessions: cloud.sessions, fetch: sites.fetch },
  })
  later.edge = new Edge({
    ...{ directory, preAuthentication, clocks, crypto, audit },
    ...{ origin: cloud.origin, sessions: cloud.sessions },
  })
  const claimer = {
    ...{ tenantId: 'contoso', groupId: 'default', connectorId: await registered(registry) },
  }
  const nodeBackend = new NodeBackend()
  const connector = new MemoryConnector(cloud, claimer, {
    ...{ backend: nodeBackend, limits: TIME_LIMITS },
  })
  await until(() => connector.isUp)
  return {
    issuer,
    audit,
    origin,
    /** The address of a page of `host` that holds `count` frames of `url`. */
    holding: (host: string, url: string, count = 1) =>
      `${origin(host)}/?${count},${encodeURIComponent(url)}`,
    /** How often somebody was sent to the issuer since it was asked last. */
    sent(): number {
      const count = issuer.asked.get('/authorize') ?? 0
      issuer.asked.delete('/authorize')
      return count
    },
    async close() {
      connector.cut()
      await nodeBackend.close()
      await issuer.close()
    },
  }
}

/** To the issuer on its loopback port; an answer that is asked for as a form becomes one. */
async function forward(
  issuer: HostileIssuer,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const { authorization, 'content-type': type } = request.headers
  const answer = await fetch(issuer.url + request.url!, {
    method: request.method!,
    redirect: 'manual',
    headers: {
      ...(authorization !== undefined && { authorization }),
      ...(type !== undefined && { 'content-type': type }),
    },
    ...(chunks.length > 0 && { body: Buffer.concat(chunks) }),
  })
  const location = answer.headers.get('location')
  if (location !== null && request.url!.includes('response_mode=form_post')) {
    const { origin, pathname, searchParams } = new URL(location)
    const fields = [...searchParams].map(
      ([name, value]) => `<input type="hidden" name="${name}" value="${value}">`,
    )
    response.setHeader('Content-Type', 'text/html')
    const form = `<form method="post" action="${origin}${pathname}">${fields.join('')}</form>`
    return void response.end(`<!doctype html>${form}<script>document.forms[0].submit()</script>`)
  }
  if (location !== null) response.setHeader('Location', location)
  response.setHeader('Content-Type', answer.headers.get('content-type') ?? 'text/plain')
  response.writeHead(answer.status).end(Buffer.from(await answer.arrayBuffer()))
}
