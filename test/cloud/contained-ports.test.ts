/**
 * Every function of every port fails in every way, one at a time, while users, connectors and the issuer go on: each of them gets an answer, nobody's rejection is left
 * over, `onError` is told, and when the function works again everything does.
 */
import { MemorySpentCodes } from '../../src/cloud/session/spent-codes.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  createCertificateAuthority,
  createCloud,
  createDirectory,
  createMemoryRegistry,
  KeyRing,
  MemoryOfferQueue,
  MemorySessionGrants,
  MemoryRevocations,
  type Cloud,
  type CloudPorts,
  type PortFailure,
  type UserRequestHead,
} from '../../src/cloud/index.ts'
import { nodeContentCodings } from '../../src/cloud/node/index.ts'
import { PROTOCOL_VERSION, type Offer } from '../../src/protocol/internal.ts'
import { tenantKey } from '../../src/cloud/directory/tenant-key.ts'
import { startIssuer, type Issuer } from '../issuer.ts'
import { recordedAudit } from '../recorded-audit.ts'
import type { OfferLink } from '../../src/cloud/offers/offer-link.ts'
import { HOST, MemoryUser } from './edge/edge-world.ts'
import {
  adminToken,
  crypto,
  memoryAuthorityStore,
  newKeys,
  registration,
  requestFor,
} from './trust.ts'

type Functions = {
  readonly [P in keyof CloudPorts]-?: NonNullable<CloudPorts[P]> extends (
    ...args: never[]
  ) => unknown
    ? 'itself'
    : Readonly<Record<keyof NonNullable<CloudPorts[P]>, boolean>>
}

/** Total, or it does not compile. `false`: nothing of what is driven here calls it. */
const FUNCTIONS: Functions = {
  // Where applications are told by assertions only.
  assertionSigner: { sign: false, publicKeys: false },
  audit: { write: true },
  directory: {
    ...{ tenant: true, tenantOfIssuer: true, group: true, application: true },
    ...{ applicationsOn: true, tenants: true, applications: true, inForceSince: false },
  },
  registry: {
    ...{ register: true, renew: true, used: true, connector: true, certificate: true },
    ...{ setStanding: true, setGroup: false, certificates: false, list: false, onChange: true },
    // Where connectors come by tickets only.
    ...{ addTicket: false, ticket: false, tickets: false, removeTickets: false },
    ...{ expireTickets: false, expireConnectors: false, rename: false, forget: false },
  },
  // Where it is rolled only.
  authority: { issue: true, certificate: false, roll: false },
  instances: 'itself',
  // Between instances only, and `join` before anything is served.
  queue: { publish: false, tell: false, announce: true, observe: false, join: false },
  // Those in memory are never stale.
  revocations: { version: true, isStale: false, revoke: true, isRevoked: true, subscribe: false },
  // Where sessions outlive the ID token only.
  spentCodes: { spend: false },
  grants: { read: false, write: false, endAt: false, remove: false, removeLabelled: false },
  // Where bodies are translated only.
  contentCodings: { names: false, open: false, close: false },
  observer: {
    ...{ submitted: true, queued: true, offered: true, claimed: false },
    ...{ head: false, body: false, ended: false },
  },
  pages: { words: true, html: true, problemTypes: false },
  locate: 'itself',
  risk: { assess: true },
  clocks: { now: true, wallClock: true },
  crypto: { subtle: false, getRandomValues: true },
}
const NAMES = Object.entries(FUNCTIONS).flatMap(([port, functions]) =>
  functions === 'itself'
    ? [port]
    : Object.entries(functions).flatMap(([name, isDriven]) =>
        isDriven ? [`${port}.${name}`] : [],
      ),
)

const bomb: object = new Proxy(Object.create(null) as object, {
  get: () => {
    throw new Error('of theirs')
  },
})
const WAYS: Readonly<Record<string, () => unknown>> = {
  'throws an error': () => {
    throw new Error('of theirs')
  },
  'throws nothing': () => {
    throw undefined
  },
  rejects: () => Promise.reject(new Error('of theirs')),
  'gives what throws when it is looked at': () => bomb,
  'never answers': () => new Promise(() => undefined),
}

/** What fails now, how, and whether it was asked. */
let failing: { readonly name: string; readonly fail: () => unknown; isAsked: boolean } | undefined
const told: PortFailure[] = []
const unhandled: unknown[] = []
const noted = (error: unknown) => unhandled.push(error)
const offered = new Set<string>()
let targets = 0
let issuer: Issuer
let cloud: Cloud
let cookie: string
let another: OfferLink | undefined
const revocations = new MemoryRevocations()

/** The port, which fails where `failing` says so. */
function frail<P extends object>(name: string, port: P): P {
  const fails = (member: string) => failing?.name === member
  const failed = () => {
    failing!.isAsked = true
    return failing!.fail()
  }
  const asked =
    (member: string, call: (...args: unknown[]) => unknown, of?: unknown) =>
    (...args: unknown[]) =>
      fails(member) ? failed() : Reflect.apply(call, of, args)
  if (typeof port === 'function') return asked(name, port as never) as P
  return new Proxy(port, {
    get(target, key) {
      const member = `${name}.${String(key)}`
      const value: unknown = Reflect.get(target, key)
      if (typeof value === 'function') return asked(member, value as never, target)
      return fails(member) ? failed() : value
    },
  })
}

beforeAll(async () => {
  process.on('unhandledRejection', noted)
  issuer = await startIssuer()
  issuer.override('/.well-known/openid-configuration', {
    body: JSON.stringify({
      issuer: issuer.url,
      authorization_endpoint: `${issuer.url}/authorize`,
      token_endpoint: `${issuer.url}/token`,
      jwks_uri: `${issuer.url}/jwks`,
      id_token_signing_alg_values_supported: ['ES256'],
    }),
  })
  const clocks = { now: () => performance.now(), wallClock: () => Date.now() }
  const directory = createDirectory({
    tenants: [
      { id: 'contoso', issuer: issuer.url, registrars: { audience: 'https://connectors.example' } },
    ],
    groups: [{ id: 'default', tenantId: 'contoso' }],
    applications: [
      {
        ...{ id: 'open', groupId: 'default', externalUrl: 'https://open.example/' },
        ...{ internalUrl: 'http://10.0.0.1/', preAuthentication: 'passthrough' },
      },
      {
        ...{ id: 'secure', groupId: 'default', externalUrl: `https://${HOST}/` },
        ...{ internalUrl: 'http://10.0.0.1/', preAuthentication: 'oidc', client: { id: 'secure' } },
      },
    ],
  })
  const authority = await createCertificateAuthority({
    crypto,
    clocks,
    store: memoryAuthorityStore(),
  })
  const ports: Required<CloudPorts> = {
    assertionSigner: { sign: () => Promise.resolve('a.b.c'), publicKeys: () => ({ keys: [] }) },
    audit: recordedAudit(),
    registry: createMemoryRegistry(),
    instances: () => ({ 'cloud-1': 'https://127.0.0.1:1' }),
    pages: { words: () => ({}), html: () => ({ html: 'page', contentSecurityPolicy: '' }) },
    locate: () => ({ country: 'DE' }),
    risk: { assess: () => ({ level: 'none', reasons: [] }) },
    grants: new MemorySessionGrants(),
    spentCodes: new MemorySpentCodes(),
    observer: {
      ...{ submitted: () => undefined, queued: () => undefined, offered: () => undefined },
      ...{ claimed: () => undefined, head: () => undefined, body: () => undefined },
      ended: () => undefined,
    },
    queue: new MemoryOfferQueue(),
    contentCodings: nodeContentCodings(),
    ...{ directory, authority, clocks, crypto, revocations },
  }
  const contained = Object.fromEntries(
    Object.entries(ports).map(([name, port]) => [name, frail(name, port as object)]),
  ) as unknown as CloudPorts
  cloud = createCloud({
    ...contained,
    keyRing: await KeyRing.open(),
    auditRequests: true,
    limits: { controlCallMs: 500 },
    onError: (failure) => told.push(failure),
  })
  cloud.origin.attach(tenantKey('contoso', 'default'), {
    ...{ connectorId: 'c', features: ['upgrade'], offers: 1e6, grants: 1e6 },
    offer: (offer: Offer) => void offered.add(offer.target),
  })
  const { setCookie } = await cloud.sessions.start(directory.application('secure')!, HOST, {
    ...{ subject: 'alice', issuer: issuer.url },
    ...{ authenticatedAt: Date.now(), expiresAt: Date.now() + 3_600_000 },
  } as never)
  cookie = setCookie.split(';')[0]!
})
afterAll(() => {
  process.off('unhandledRejection', noted)
  return issuer.close()
})

const NAVIGATION = ['Sec-Fetch-Mode', 'navigate', 'Accept', 'text/html']

/** Waits for an answer of ours, or for the offer; then the user leaves. */
async function ask(head: Partial<UserRequestHead>, body?: string): Promise<MemoryUser> {
  const target = head.target ?? `/${++targets}`
  const user = new MemoryUser({ ...head, target })
  cloud.edge.handle(user)
  if (body !== undefined) {
    user.events.data(new TextEncoder().encode(body))
    user.events.ended(undefined)
  }
  await settled(() => offered.has(target) || /respond|abort/.test(user.verbs.join()))
  user.events?.gone(false)
  return user
}

async function settled(is: () => boolean): Promise<void> {
  for (const end = Date.now() + 10_000; !is();) {
    if (Date.now() > end) throw new Error('no answer')
    await new Promise((later) => setTimeout(later, 1))
  }
}

async function signIn(): Promise<string> {
  const begun = await ask({ authority: HOST, headers: NAVIGATION })
  if (begun.status !== 302) return `begun ${begun.status}`
  const location = new URL(valueOf(begun, 'Location')!)
  const nonce = location.searchParams.get('nonce')!
  const state = location.searchParams.get('state')!
  const who = { sub: 'alice', aud: 'secure', tid: 'contoso', nonce }
  const id_token = await issuer.sign(who, { typ: 'JWT' })
  issuer.override('/token', {
    body: JSON.stringify({ access_token: 'a', token_type: 'Bearer', id_token }),
    status: 200,
  })
  const attempt = valueOf(begun, 'Set-Cookie')!.split(';')[0]!
  const { status } = await ask({
    authority: HOST,
    target: `/.app-proxy/sign-in/callback?code=c&state=${encodeURIComponent(state)}`,
    headers: [...NAVIGATION, 'Cookie', attempt],
  })
  return `called back ${status}`
}

const valueOf = ({ headers }: MemoryUser, name: string) =>
  headers[headers.findIndex((one, i) => i % 2 === 0 && one === name) + 1]

async function logOut(): Promise<string> {
  const token = await issuer.sign(
    {
      ...{ aud: 'secure', sub: 'nobody', jti: globalThis.crypto.randomUUID() },
      events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
    },
    { typ: 'logout+jwt' },
  )
  const body = `logout_token=${token}`
  const type = ['Content-Type', 'application/x-www-form-urlencoded', 'Content-Length']
  const { status } = await ask(
    {
      ...{ method: 'POST', authority: HOST, target: '/.app-proxy/back-channel-logout' },
      headers: [...type, String(body.length)],
    },
    body,
  )
  return `told ${status}`
}

const outcome = (action: () => Promise<string>) =>
  action().catch((error: Error) => `rejected ${error.name}`)

/** A connector registers, and makes its calls. */
async function connect(): Promise<Record<string, string>> {
  let certificate: Uint8Array | undefined
  const identify = () => cloud.certificates.identify(certificate, Date.now())
  const v = PROTOCOL_VERSION
  return {
    registration: await outcome(async () => {
      const request = await requestFor(await newKeys())
      const reply = await cloud.registration.register(
        registration(await adminToken(issuer), request),
      )
      if (reply.type !== 'registered') return `refused ${reply.reason} ${reply.retryAfterMs}`
      certificate = reply.certificate
      return reply.type
    }),
    pull: await outcome(async () => {
      const request = await requestFor(await newKeys())
      const message = { v, type: 'configuration', request } as const
      return (await cloud.configuration.configuration(await identify(), message)).type
    }),
    application: await outcome(async () => {
      const message = { v, type: 'application', applicationId: 'open' } as const
      return cloud.configuration.application(await identify(), message).type
    }),
    standing: await outcome(async () => {
      const end = cloud.registry.onChange(() => undefined)
      const { connector } = await identify()
      await cloud.registry.setStanding(connector.id, 'revoked', Date.now())
      end()
      return 'revoked'
    }),
  }
}

/** Another connector comes, or goes: room is announced only where others would act on it. */
function comeOrGo(): void {
  if (another !== undefined) {
    cloud.origin.detach(another)
    another = undefined
    return
  }
  another = {
    ...{ connectorId: 'd', features: [], offers: 1, grants: 1 },
    offer: (offer) => void offered.add(offer.target),
  }
  cloud.origin.attach(tenantKey('contoso', 'default'), another)
}

/** Everybody who comes to a cloud, at once; what became of them. */
async function everybody(): Promise<Record<string, string>> {
  // What was found good is not asked again before something is revoked.
  await revocations.revoke({ kind: 'session', id: 'of somebody', at: Date.now() })
  const reached = ({ status = 'offered' }: { status?: unknown }) => `${status}`
  comeOrGo()
  const [open, secure, unknown, signedIn, loggedOut, connector] = await Promise.all([
    outcome(async () => reached(await ask({}))),
    outcome(async () => reached(await ask({ authority: HOST, headers: ['Cookie', cookie] }))),
    outcome(async () => reached(await ask({ authority: 'no.example', headers: NAVIGATION }))),
    outcome(signIn),
    outcome(logOut),
    connect(),
  ])
  return { open, secure, unknown, signedIn, loggedOut, ...connector }
}

/** A machine that is busy may take longer than the limit that the tests set. */
const SOON = { timeout: 30_000 }
const WELL = {
  ...{ open: 'offered', secure: 'offered', unknown: '404', signedIn: 'called back 302' },
  ...{ loggedOut: 'told 200', registration: 'registered', pull: 'configuration' },
  ...{ application: 'application', standing: 'revoked' },
}

test('everything works', async () => {
  await expect.poll(everybody, SOON).toEqual(WELL)
})

test('without random numbers everybody is told so, as soon as those that were drawn are used up', async () => {
  told.length = 0
  const fail = () => {
    throw new Error('of theirs')
  }
  failing = { name: 'crypto.getRandomValues', fail, isAsked: false }
  const counts = new Map<unknown, number>()
  for (let i = 0; i < 300; i++) {
    const { status } = await ask({ authority: 'no.example', headers: NAVIGATION })
    counts.set(status, (counts.get(status) ?? 0) + 1)
  }
  expect([...counts.keys()]).toEqual([404, 500])
  // What could not be read as a request is numbered as well.
  expect(cloud.edge.unread!({ reason: 'user-malformed', address: '127.0.0.1' })).toBe(
    '0000-0000-0000-0000',
  )
  expect(told.map(({ port }) => port)).toContain('crypto.getRandomValues')
  failing = undefined
  await expect.poll(everybody, SOON).toEqual(WELL)
})

test.each(Object.entries(WAYS))(
  'a function that %s is contained',
  async (way, fail) => {
    for (const name of NAMES) {
      told.length = 0
      failing = { name, fail, isAsked: false }
      let became = await everybody()
      // Room is announced now and then; and on a busy machine a registration may outlast the limit,
      // so that nobody has a certificate to show: they come again.
      const isAsked = async (): Promise<boolean> => {
        if (!failing!.isAsked) became = await everybody()
        return failing!.isAsked
      }
      await expect.poll(isAsked, { ...SOON, message: `${name} is asked` }).toBe(true)
      failing = undefined
      // Everybody has an answer; where it is a rejection, it says who is at fault.
      for (const [who, what] of Object.entries(became))
        expect(what, `${name}: ${who}`).not.toMatch(/undefined|rejected (?!PortFailed|Refused)/)
      // Nobody waits for a sink, an observer or an announcement that takes its time.
      if (!(way === 'never answers' && /^audit|^observer|^queue.announce|withdraw/.test(name)))
        expect(new Set(told.map(({ port }) => port)), name).toContain(name)
      await new Promise((later) => setTimeout(later, 1))
      expect(unhandled, name).toEqual([])
    }
    await expect.poll(everybody, SOON).toEqual(WELL)
  },
  120_000,
)
