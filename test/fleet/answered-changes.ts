/**
 * Changes that a cloud was asked for, what it answered, and whether it still knows. A change whose answer never came may be there or not, and is asked for again.
 */
import type { ConnectorView, TicketView } from '../../src/cloud/admin/admin-views.ts'
import { generateConnectorKey, identityOf } from '../../src/connector/certificate-request.ts'
import type { ConnectorIdentity } from '../../src/connector/index.ts'
import type { CloudCalls, Shown } from './cloud-calls.ts'
import type { Random } from './random.ts'

/** What is asked for. */
export const CHANGES = [
  ...(['registration', 'enrolment', 'renewal', 'sign-out', 'session end'] as const),
  ...(['ticket', 'standing', 'revocation'] as const),
]
export type Change = (typeof CHANGES)[number]

type Standing = ConnectorView['standing']

interface Connector {
  identity: ConnectorIdentity
  readonly shown: Shown
  /** What it may be: two where nothing was answered. */
  standings: readonly Standing[]
  /** The key of the certificate that it asked for, where nothing was answered. */
  renewing?: CryptoKeyPair | undefined
}

interface Session {
  readonly id: string
  readonly cookie: string
  /** Undefined: that was asked for, and nothing was answered. */
  isEnded: boolean | undefined
}

interface Ticket {
  readonly id: string
  readonly secret: string
  /** As {@link Session.isEnded}. */
  isUsed: boolean | undefined
}

/** A registration that was not answered. */
interface Unanswered {
  readonly keys: CryptoKeyPair
  readonly name: string
  readonly shown: Shown
  readonly ticket: Ticket | undefined
}

export interface AnsweredChangesOptions {
  readonly random: Random
  /** A registrar's token, another one each time. */
  token(): Promise<string>
  /** Somebody who is signed in. */
  session(): Promise<{ readonly id: string; readonly cookie: string }>
}

/** Open tickets at once; a tenant may have 20. */
const MOST_TICKETS = 8
const SESSION_PATH = '/.app-proxy/session'
const SIGN_OUT_PATH = '/.app-proxy/sign-out'
const VERBS = { approve: 'active', drain: 'draining', disable: 'disabled' } as const

export class AnsweredChanges {
  readonly answered = Object.fromEntries(CHANGES.map((change) => [change, 0])) as Record<
    Change,
    number
  >
  /** What was answered and is not there, in words: must stay empty. */
  readonly lost: string[] = []
  readonly #options: AnsweredChangesOptions
  /** By connector id. */
  readonly #connectors = new Map<string, Connector>()
  readonly #sessions: Session[] = []
  readonly #tickets: Ticket[] = []
  readonly #registrations = new Set<Unanswered>()
  /** Changed since it was looked at last. */
  readonly #touched = new Set<Connector | Session>()
  /** Somebody changes it just now. */
  readonly #busy = new Set<Connector | Ticket>()
  #names = 0

  constructor(options: AnsweredChangesOptions) {
    this.#options = options
  }

  /** Asks for one change, by chance. @throws what the call throws: nothing was answered then */
  async ask(cloud: CloudCalls): Promise<void> {
    const change = await this.#ask(cloud, this.#one(CHANGES)!)
    this.answered[change] += 1
  }

  /** Asks again for what was not answered, then looks for what was: what is new, or all of it. */
  async check(cloud: CloudCalls, isAll: boolean): Promise<void> {
    for (const { keys, name, shown, ticket } of this.#registrations) {
      await this.#expect(`${name} registers again`, () => this.#register(cloud, keys, name, shown))
      if (ticket !== undefined) ticket.isUsed = true
    }
    this.#registrations.clear()
    await this.#checkConnectors(cloud, isAll)
    for (const session of this.#chosen(this.#sessions, isAll))
      await this.#checkSession(cloud, session)
    await this.#checkTickets(cloud)
    this.#touched.clear()
  }

  async #ask(cloud: CloudCalls, change: Change): Promise<Change> {
    switch (change) {
      case 'registration':
        await this.#registered(cloud, { token: await this.#options.token() })
        return change
      case 'enrolment':
        return this.#enrolled(cloud)
      case 'ticket':
        return this.#ticketMade(cloud)
      case 'sign-out':
      case 'session end':
        await this.#ended(cloud, change)
        return change
      default:
        return this.#changed(cloud, change)
    }
  }

  async #registered(cloud: CloudCalls, shown: Shown, ticket?: Ticket): Promise<void> {
    const keys = await generateConnectorKey(crypto, true)
    const asked = { keys, name: `connector-${(this.#names += 1)}`, shown, ticket }
    this.#registrations.add(asked)
    await this.#register(cloud, keys, asked.name, shown)
    this.#registrations.delete(asked)
  }

  async #register(cloud: CloudCalls, keys: CryptoKeyPair, name: string, shown: Shown) {
    const reply = await cloud.register(keys, name, shown)
    const identity = await identityOf({ ...reply, keys, cloudAuthorities: [] }, crypto)
    const connector: Connector = { identity, shown, standings: [reply.standing] }
    this.#connectors.set(reply.connectorId, connector)
    this.#touched.add(connector)
  }

  async #enrolled(cloud: CloudCalls): Promise<Change> {
    const ticket = this.#free(this.#tickets.filter(({ isUsed }) => isUsed === false))
    if (ticket === undefined) return this.#ticketMade(cloud)
    ticket.isUsed = undefined
    await this.#registered(cloud, { ticket: ticket.secret }, ticket)
    ticket.isUsed = true
    return 'enrolment'
  }

  async #ticketMade(cloud: CloudCalls): Promise<Change> {
    const open = this.#tickets.filter(({ isUsed }) => isUsed === false)
    if (open.length >= MOST_TICKETS) return this.#ask(cloud, 'registration')
    const order = { tenantId: 'contoso', standing: 'active' }
    const made = await cloud.operator<{ id: string; ticket: string }>('POST', '/v1/tickets', order)
    this.#tickets.push({ id: made.id, secret: made.ticket, isUsed: false })
    return 'ticket'
  }

  async #ended(cloud: CloudCalls, by: 'sign-out' | 'session end'): Promise<void> {
    // Somebody else stays signed in.
    for (const isEnded of [false, undefined])
      this.#sessions.push({ ...(await this.#options.session()), isEnded })
    const session = this.#sessions.at(-1)!
    this.#touched.add(session).add(this.#sessions.at(-2)!)
    const { id, cookie } = session
    if (by === 'session end') await cloud.operator('POST', '/v1/sessions/end', { sessionId: id })
    else if ((await cloud.user('POST', SIGN_OUT_PATH, cookie)) !== 204)
      throw new Error('a sign-out was refused')
    session.isEnded = true
  }

  /** A connector that is not revoked, and that nobody else changes. */
  async #changed(cloud: CloudCalls, change: 'renewal' | 'standing' | 'revocation') {
    const connector = this.#free(
      [...this.#connectors.values()].filter(
        ({ standings, renewing }) =>
          renewing === undefined && standings.length === 1 && standings[0] !== 'revoked',
      ),
    )
    if (connector === undefined) return this.#ask(cloud, 'registration')
    this.#busy.add(connector)
    this.#touched.add(connector)
    try {
      if (change === 'renewal') await this.#renew(cloud, connector)
      else await this.#stand(cloud, connector, change)
    } finally {
      this.#busy.delete(connector)
    }
    return change
  }

  async #renew(cloud: CloudCalls, connector: Connector): Promise<void> {
    const { identity } = connector
    const keys = (connector.renewing ??= await generateConnectorKey(crypto, true))
    const { certificate, serverTime } = await cloud.configuration(identity, keys)
    if (certificate === undefined) throw new Error('no certificate came')
    const { cloudAuthorities = identity.cloudAuthorities } = certificate
    const issued = { ...certificate, cloudAuthorities, serverTime }
    connector.identity = await identityOf({ ...identity, keys, ...issued }, crypto)
    connector.renewing = undefined
  }

  async #stand(cloud: CloudCalls, connector: Connector, change: 'standing' | 'revocation') {
    const { connectorId } = connector.identity
    // Nothing but an approval ends it that a connector is disabled.
    const verbs = Object.keys(VERBS) as (keyof typeof VERBS)[]
    const isDisabled = connector.standings[0] === 'disabled'
    const chosen = this.#one(isDisabled ? (['approve', 'disable'] as const) : verbs)!
    const [verb, to] =
      change === 'revocation'
        ? (['revoke', 'revoked'] as const)
        : ([chosen, VERBS[chosen]] as const)
    connector.standings = [...connector.standings, to]
    await cloud.operator('POST', `/v1/connectors/${connectorId}/${verb}`, {})
    connector.standings = [to]
  }

  async #checkConnectors(cloud: CloudCalls, isAll: boolean): Promise<void> {
    const { items } = await cloud.operator<{ items: ConnectorView[] }>('GET', '/v1/connectors')
    const listed = new Map(items.map((view) => [view.id, view]))
    // Whoever asked twice is there once.
    if (new Set(items.map(({ name }) => name)).size < items.length)
      this.lost.push('a name is twice')
    if (listed.size !== this.#connectors.size)
      this.lost.push(`${listed.size} connectors are there, of ${this.#connectors.size}`)
    for (const [id, connector] of this.#connectors) {
      const standing = listed.get(id)?.standing
      if (standing === undefined || !connector.standings.includes(standing))
        this.lost.push(`${id} is ${standing}, and was ${connector.standings.join(' or ')}`)
      // Whatever it became stays.
      else connector.standings = [standing]
    }
    for (const connector of this.#chosen([...this.#connectors.values()], isAll))
      await this.#checkConnector(cloud, connector)
    await this.#checkTokens(cloud)
  }

  async #checkConnector(cloud: CloudCalls, connector: Connector): Promise<void> {
    const { identity, standings, renewing } = connector
    const { connectorId } = identity
    if (standings[0] === 'revoked')
      return this.#refused(`${connectorId} is revoked`, 'certificate-revoked', () =>
        cloud.configuration(identity),
      )
    await this.#expect(`${connectorId} calls`, () => cloud.configuration(identity))
    if (renewing !== undefined)
      await this.#expect(`${connectorId} renews again`, () => this.#renew(cloud, connector))
  }

  /** A token, or a ticket, that was used is good for nobody else. */
  async #checkTokens(cloud: CloudCalls): Promise<void> {
    const used = this.#one(
      [...this.#touched].filter((one) => 'shown' in one && 'token' in one.shown),
    ) as Connector | undefined
    if (used === undefined) return
    const keys = await generateConnectorKey(crypto, true)
    await this.#refused('a token is shown again', 'token-replayed', () =>
      cloud.register(keys, 'thief', used.shown),
    )
  }

  async #checkSession(cloud: CloudCalls, session: Session): Promise<void> {
    const status = await cloud.user('GET', SESSION_PATH, session.cookie)
    // It stays what it became.
    session.isEnded ??= status === 401
    if (status !== (session.isEnded ? 401 : 200))
      this.lost.push(`session ${session.id}: ${status}, ended: ${session.isEnded}`)
  }

  async #checkTickets(cloud: CloudCalls): Promise<void> {
    const { items } = await cloud.operator<{ items: TicketView[] }>('GET', '/v1/tickets')
    const open = new Set(items.map(({ id }) => id))
    for (const { id, isUsed } of this.#tickets)
      if (open.has(id) === isUsed) this.lost.push(`ticket ${id}, used: ${isUsed}`)
  }

  async #expect(what: string, call: () => Promise<unknown>): Promise<void> {
    try {
      await call()
    } catch (error) {
      this.lost.push(`${what}: ${String(error)}`)
    }
  }

  async #refused(what: string, reason: string, call: () => Promise<unknown>): Promise<void> {
    const said = await call().then(
      () => 'it is served',
      (error: { reason?: string }) => error.reason ?? String(error),
    )
    if (said !== reason) this.lost.push(`${what}: ${said}`)
  }

  /** What changed, and two more; or all of it. */
  #chosen<T extends Connector | Session>(all: readonly T[], isAll: boolean): readonly T[] {
    if (isAll) return all
    const some = [this.#one(all), this.#one(all)].filter((one) => one !== undefined)
    return [...new Set([...all.filter((one) => this.#touched.has(one)), ...some])]
  }

  #free<T extends Connector | Ticket>(some: readonly T[]): T | undefined {
    return this.#one(some.filter((one) => !this.#busy.has(one)))
  }

  #one<T>(some: readonly T[]): T | undefined {
    return some[Math.floor(this.#options.random() * some.length)]
  }
}
