import {
  readDirectory,
  KeyRing,
  type RequestLimits,
  type UserEvents,
  type UserExchange,
  type UserRequestHead,
  tenantKey,
} from '../../../src/cloud/index.ts'
import { Origin } from '../../../src/cloud/offers/origin.ts'
import { Sessions } from '../../../src/cloud/session/session.ts'
import { type EdgeOptions, Edge } from '../../../src/cloud/edge/edge.ts'
import type { PreAuthentication } from '../../../src/cloud/sign-in/sign-in.ts'
import { Issuers } from '../../../src/cloud/issuer/issuers.ts'
import { SessionRenewals, type AskAgain } from '../../../src/cloud/session/session-renewals.ts'
import type { SignInIdentity } from '../../../src/protocol/machines/sign-in.ts'
import {
  TIME_LIMITS,
  type Exchange,
  type ExchangeWire,
  type HeaderList,
  type Offer,
  type ResponseHead,
  type TimeLimits,
} from '../../../src/protocol/internal.ts'
import { recordedAudit } from '../../recorded-audit.ts'
import { directoryOf } from '../directory/directory-of.ts'

export const HOST = 'secure.example'
const CLAIMER = { tenantId: 'contoso', connectorId: 'c', groupId: 'default' }

/** A user whose connection is this object: what it was told, in order. */
export class MemoryUser implements UserExchange {
  readonly head: UserRequestHead
  readonly said: (readonly [string, ...unknown[]])[] = []
  events!: UserEvents
  takes = true

  constructor(head: Partial<UserRequestHead>) {
    this.head = {
      method: 'GET',
      target: '/',
      authority: 'open.example',
      headers: [],
      secure: true,
      httpVersion: '1.1',
      remoteAddress: '192.0.2.7',
      upgrade: undefined,
      ...head,
    }
  }

  listen(events: UserEvents): void {
    this.events = events
  }
  startBody = () => void this.said.push(['startBody'])
  pauseBody = () => void this.said.push(['pauseBody'])
  resumeBody = () => void this.said.push(['resumeBody'])
  inform = (head: ResponseHead) => void this.said.push(['inform', head.status, head.headers])
  respond = (head: ResponseHead, close: boolean) =>
    void this.said.push(['respond', head.status, head.headers, close])
  upgrade = (head: ResponseHead) => void this.said.push(['upgrade', head.headers])
  write = (bytes: Uint8Array) => {
    this.said.push(['write', new TextDecoder().decode(bytes)])
    return this.takes
  }
  end = (trailers?: HeaderList) =>
    void this.said.push(trailers === undefined ? ['end'] : ['end', trailers])
  abort = () => void this.said.push(['abort'])

  get verbs(): string[] {
    return this.said.map(([verb]) => verb)
  }
  one(verb: string): readonly unknown[] | undefined {
    return this.said.find(([said]) => said === verb)?.slice(1)
  }
  get status(): number | undefined {
    return this.one('respond')?.[0] as number | undefined
  }
  get headers(): HeaderList {
    return this.one('respond')?.[1] as HeaderList
  }
  get close(): boolean {
    return this.one('respond')?.[2] as boolean
  }
  /** The stable code of an answer of ours. */
  get code(): string {
    return (JSON.parse(this.one('write')![0] as string) as { code: string }).code
  }
}

/** The connector's end of one exchange: what the wire was told. */
export interface Claimed {
  readonly exchange: Exchange
  readonly sent: (readonly [string, ...unknown[]])[]
}

/** What an edge's world has besides: of its applications, their tenant, the signed-in user, the edge itself. */
export interface WorldOptions {
  readonly open?: object
  readonly secure?: object
  readonly tenant?: object
  /** Default `https://sts.example`. */
  readonly issuer?: string
  readonly user?: object
  /** What its connector has named. Default: `upgrade`. */
  readonly features?: readonly string[]
  readonly edge?: Partial<EdgeOptions>
  /** What the issuer says to a refresh token; the user's session has one then. */
  readonly askAgain?: AskAgain
  /** What comes of beginning a sign-in; default: a redirect. */
  readonly begun?: object
}

/** An edge before an origin whose connector is the test. */
export async function edgeWorld(limits: Partial<TimeLimits> = {}, options: WorldOptions = {}) {
  const { issuer = 'https://sts.example' } = options
  const clock = { now: 0, wall: Date.now() }
  const clocks = { now: () => clock.now, wallClock: () => clock.wall }
  const configuration = (secure = options.secure) => ({
    tenants: [
      {
        ...{ id: 'contoso', issuer, registrars: { audience: 'x' } },
        ...options.tenant,
      },
    ],
    groups: [{ id: 'default', tenantId: 'contoso' }],
    applications: [
      {
        id: 'open',
        groupId: 'default',
        externalUrl: 'https://open.example/',
        internalUrl: 'http://10.0.0.1:8080/base/',
        preAuthentication: 'passthrough',
        ...options.open,
      },
      {
        id: 'secure',
        groupId: 'default',
        externalUrl: `https://${HOST}/`,
        internalUrl: 'http://10.0.0.1:8080/',
        preAuthentication: 'oidc',
        client: { id: 'secure' },
        identityHeaders: { 'X-User': 'subject', 'X-Groups': 'groups', 'X-Name': 'name' },
        allowedOrigins: ['https://friend.example:8443'],
        ...secure,
      },
    ],
  })
  const directory = directoryOf(configuration())
  const audit = recordedAudit()
  const keyRing = await KeyRing.open()
  const sessions = new Sessions({ audit, keyRing, wallClock: () => clock.wall })
  const { askAgain = () => Promise.reject(new Error('no issuer')) } = options
  const clocksOfRenewal = { now: () => performance.now(), wallClock: () => clock.wall }
  const renewals = new SessionRenewals({
    ...{ sessions, keyRing, clocks: clocksOfRenewal, audit, crypto, askAgain },
  })
  const origin = new Origin({
    instance: 'cloud-1',
    clocks,
    crypto,
    limits: { ...TIME_LIMITS, ...limits },
  })
  const redirects: string[] = []
  const stepUps: unknown[] = []
  const preAuthentication = {
    issuers: new Issuers({ clocks, stepMs: 2_000 }),
    renewals,
    begin: (...[, , target, , , how]: Parameters<PreAuthentication['begin']>) => {
      redirects.push(target)
      stepUps.push(how?.stepUp)
      return Promise.resolve(
        options.begun ?? {
          ...{ kind: 'redirect', location: 'https://sts.example/', setCookies: [] },
          keepsFragment: how?.keepsFragment,
        },
      )
    },
  } as unknown as PreAuthentication
  const edge = new Edge({
    ...{ directory, origin, sessions, preAuthentication, clocks, crypto, audit },
    ...options.edge,
  })
  const offers: Offer[] = []
  const link = {
    ...{ connectorId: 'c', features: options.features ?? ['upgrade'], offers: 1000, grants: 1000 },
    offer: (offer: Offer) => void offers.push(offer),
  }
  origin.attach(tenantKey('contoso', 'default'), link)
  const application = directory.application('secure')!
  const identity = {
    subject: 'alice',
    issuer,
    name: 'Ålice',
    groups: ['staff', 'admins'],
    issuerSession: 'sid-alice',
    authenticatedAt: clock.wall,
    expiresAt: clock.wall + 3_600_000,
    ...options.user,
  } as never as SignInIdentity
  const hasGrant = options.askAgain !== undefined
  const { setCookie, session } = await sessions.start(
    ...([application, HOST, identity, undefined, clock.wall, hasGrant] as const),
  )
  if (hasGrant) {
    const grant = { refreshToken: 'token-0', nonce: 'n', identity, renewedAt: clock.wall }
    await renewals.keep(application, session, grant)
  }
  const cookie = setCookie.split(';')[0]!
  await sessions.read(application, HOST, [cookie], clock.wall)
  return {
    clock,
    edge,
    origin,
    /** Its connector’s. */
    link,
    offers,
    sessions,
    renewals,
    application,
    redirects,
    stepUps,
    /** Puts other options of the application in force. */
    reconfigure: (secure: object) => directory.replace(readDirectory(configuration(secure))),
    directory,
    configuration,
    audit,
    cookie,
    session,
    ask(head: Partial<UserRequestHead>, bounds?: RequestLimits): MemoryUser {
      const user = new MemoryUser(head)
      edge.handle(user, bounds)
      return user
    },
    /** Takes the last offer. */
    claim(credit = 0): Claimed {
      const { id, attempt } = offers.at(-1)!
      const sent: [string, ...unknown[]][] = []
      const wire: ExchangeWire = {
        informational: () => undefined,
        respond: () => undefined,
        data: (bytes, end) => void sent.push(['data', new TextDecoder().decode(bytes), end]),
        trailers: (fields) => void sent.push(['trailers', fields]),
        credit: (bytes) => void sent.push(['credit', bytes]),
        stop: (code) => void sent.push(['stop', code]),
        reset: (code) => void sent.push(['reset', code]),
        closed: () => void sent.push(['closed']),
      }
      const carriage = { windowBytes: 65_536 }
      const { exchange } = origin.claim(CLAIMER, { id, attempt, credit }, wire, carriage)!
      return { exchange, sent }
    },
  }
}
export type EdgeWorld = Awaited<ReturnType<typeof edgeWorld>>

export const octets = (text: string) => new TextEncoder().encode(text)
