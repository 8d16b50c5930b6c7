/**
 * A whole connector on Node: registers once, keeps itself configured, serves offers of every listed
 * cloud instance.
 *
 * @module
 */
import {
  BACKEND_TLS,
  IDLE_LIMITS,
  CONNECTION_TIME_LIMITS,
  DEFAULT_OFFERS,
  requestNumberOf,
  SIGN_ON_PREFIX,
  type Binding,
  type ConnectorConfiguration,
  type Offer,
  type TimeLimits,
} from '../../protocol/internal.ts'
import type { Containment } from '../../runtime/containment.ts'
import { observed } from '../../runtime/exchange-observer.ts'
import { ApplicationCache } from '../application-cache.ts'
import type { Backend } from '../backend.ts'
import { containedBackend } from '../contained-backend.ts'
import type { ConfigurationKeeper } from '../configuration-keeper.ts'
import { LocalTlsBackend } from '../local-tls.ts'
import { LinkDialer, type CloudConnection, type DialEvents } from '../link-dialer.ts'
import { chosenInstances, DEFAULT_INSTANCES } from '../instance-choice.ts'
import { SlotShares, type OfferSlots } from '../offer-slots.ts'
import { OriginLines, type ClaimConnection } from '../origin-lines.ts'
import type { ConnectorEnvironment, ConnectorIdentity, ControlChannel } from '../ports.ts'
import type { SignOn } from '../sign-on/sign-on.ts'
import { SignOnBackend, signOnsByKind } from '../sign-on/sign-on-backend.ts'
import { Worker } from '../worker.ts'
import { CloudConnections } from './cloud-connections.ts'
import type { ConnectorOptions, RunningConnector } from './connector-options.ts'
import type { ConnectorEvent } from './connector-events.ts'
import type { ConnectorMistakes } from './connector-mistakes.ts'
import { connectorStats, type ConnectorStats } from './connector-stats.ts'
import { LinkRefused } from './link-refused.ts'
import { MultiplexedLink } from './multiplexed-link.ts'
import { NodeBackend } from './node-backend.ts'
import type { Dial } from './own-dial.ts'
import { PlainLink } from './plain-link.ts'
import { tlsOptions } from './tls-options.ts'

/** How long the cloud may take to read a goodbye. Milliseconds. */
const GOODBYE_MS = 2_000

/** What a connector is made of, once it is registered. */
export interface ConnectorParts {
  readonly environment: ConnectorEnvironment
  readonly limits: TimeLimits
  readonly channel: ControlChannel
  /** Ends the channel, and lets another process have the state directory. */
  readonly close: () => Promise<void>
  readonly keeper: ConfigurationKeeper
  readonly tell: (event: ConnectorEvent) => void
  readonly mistakes: ConnectorMistakes
  readonly containment: Containment
  readonly dial: Dial | undefined
}

export class NodeConnector implements RunningConnector {
  readonly #options: ConnectorOptions
  readonly #parts: ConnectorParts
  readonly #applications: ApplicationCache
  readonly #backend: Backend
  readonly #worker: Worker
  readonly #links = new Map<string, { url: string; dialer: LinkDialer }>()
  /** Those to instances that are no more dialled, until they carry nothing. */
  readonly #leaving = new Set<LinkDialer>()
  readonly #shares: SlotShares
  readonly #origins: OriginLines
  /** Names this run to the cloud: its links are told from those of an earlier one. */
  readonly #run: string
  readonly #signOns: ReadonlyMap<string, SignOn>
  #connections = new CloudConnections()
  #stopped: Promise<void> | undefined

  constructor(options: ConnectorOptions, parts: ConnectorParts) {
    const { environment, limits, channel, keeper, tell, mistakes, containment } = parts
    this.#options = options
    this.#parts = parts
    this.#run = randomName(environment)
    const { observer, signOn = [] } = options
    this.#signOns = signOnsByKind(signOn)
    this.#shares = new SlotShares(options.offers ?? DEFAULT_OFFERS, options.streams)
    this.#origins = new OriginLines({
      environment,
      dial: (instance, epoch, events) => this.#dialForClaims(instance, epoch, events),
    })
    const { clocks, scheduler } = environment
    this.#backend = new SignOnBackend({
      backend: applicationBackend(options, containment),
      kinds: this.#signOns,
      ...{ clocks, scheduler },
    })
    this.#applications = new ApplicationCache({
      channel,
      environment,
      identity: () => keeper.identity,
      limits: { ...limits, unknownForMs: CONNECTION_TIME_LIMITS.unknownForMs },
    })
    this.#worker = new Worker({
      observe: observed(observer, containment, environment.clocks, keeper),
      applications: this.#applications,
      backend: this.#backend,
      clocks: environment.clocks,
      scheduler: environment.scheduler,
      failed: ({ id }: Offer, outcome, cause, application) => {
        mistakes.exchangeFailed(application, cause)
        tell({ type: 'exchange-failed', request: requestNumberOf(id), id, outcome, cause })
      },
      served: ({ applicationId }) => mistakes.served(applicationId),
    })
  }

  get identity(): ConnectorIdentity {
    return this.#parts.keeper.identity
  }

  get configuration(): ConnectorConfiguration {
    return this.#parts.keeper.configuration!
  }

  get isReady(): boolean {
    return this.#links.size > 0 && [...this.#links.values()].every(({ dialer }) => dialer.isUp)
  }

  async start(): Promise<void> {
    const { keeper } = this.#parts
    keeper.subscribe((event) => {
      if (event.type === 'configured') {
        const { applications } = event.configuration
        this.#reconcile(event.configuration)
        if (applications !== undefined) void this.#applications.expect(applications)
      }
      if (event.type === 'renewed' || event.type === 'reverted') this.#renewAgent()
    })
    await this.#changeAgent()
    await keeper.start()
  }

  stats(): ConnectorStats {
    const { keeper, environment } = this.#parts
    return connectorStats({
      ...{ keeper, worker: this.#worker, links: this.#links },
      slotsOf: (instance) => this.#shares.of(instance),
      now: environment.clocks.wallClock(),
    })
  }

  refresh(): void {
    this.#parts.keeper.hint()
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<void> {
    const { environment, limits, keeper, close } = this.#parts
    keeper.close()
    this.#origins.close()
    for (const { dialer } of this.#links.values()) dialer.drain()
    const end = environment.clocks.now() + limits.drainMs
    while (this.#worker.busy > 0 && environment.clocks.now() < end) {
      await new Promise<void>((later) =>
        environment.scheduler.at(environment.clocks.now() + 20, later),
      )
    }
    const dialers = [...[...this.#links.values()].map(({ dialer }) => dialer), ...this.#leaving]
    const gone = Promise.all(dialers.map((dialer) => dialer.gone))
    for (const dialer of dialers) dialer.close()
    this.#origins.end()
    // Whoever ends the process now would take the goodbye with it, and be told of as lost.
    const late = new Promise<void>((over) =>
      environment.scheduler.at(environment.clocks.now() + GOODBYE_MS, over),
    )
    await Promise.race([gone, late])
    this.#applications.close()
    await Promise.all([this.#backend.close(), close()])
    this.#connections.destroy()
  }

  /** One link to each chosen instance; none to any other. */
  #reconcile({ instances }: ConnectorConfiguration): void {
    const listed = Object.keys(instances)
    const { instances: most = DEFAULT_INSTANCES } = this.#options
    const chosen = chosenInstances(this.identity.connectorId, listed, most)
    for (const [instance, link] of this.#links) {
      if (instances[instance] === link.url && chosen.includes(instance)) continue
      if (instances[instance] !== link.url) {
        link.dialer.close()
        this.#origins.forget(instance)
      } else this.#leave(link.dialer)
      this.#links.delete(instance)
    }
    this.#origins.list(listed)
    const isChanged = this.#shares.deal(chosen)
    for (const instance of isChanged) this.#links.get(instance)?.dialer.redial()
    for (const instance of chosen) {
      const url = instances[instance]!
      if (this.#links.has(instance)) continue
      const dialer = this.#dialer(instance, url.replace(/\/$/, ''))
      this.#links.set(instance, { url, dialer })
      dialer.dial()
    }
  }

  /** Listed, and no more its to dial: what its link carries goes on. */
  #leave(dialer: LinkDialer): void {
    this.#leaving.add(dialer)
    dialer.drain()
    void dialer.gone.then(() => this.#leaving.delete(dialer))
  }

  #dialer(instance: string, url: string): LinkDialer {
    const { environment, limits, tell, mistakes } = this.#parts
    const { binding = 'link' } = this.#options
    const slots = this.#shares.of(instance)
    return new LinkDialer({
      environment,
      limits,
      preferred: binding,
      changed: (to, cause) => {
        if (to.state === 'up') mistakes.linkUp(instance)
        else if (cause !== undefined) mistakes.linkFailed(instance, url, cause)
        // A cloud made anew may not know it: told now, rather than when the next pull is due.
        if (cause instanceof LinkRefused && cause.isOfConnector) this.refresh()
        tell({
          type: 'link',
          instance,
          state: to.state,
          ...('binding' in to && { binding: to.binding }),
          cause,
          ...(mistakes.explainsLink(instance, cause) && { isExplained: true }),
        })
      },
      connect: (way, epoch, events) => this.#link(way, { instance, url, epoch, slots }, events),
    })
  }

  #link(
    binding: Binding,
    to: { instance: string; url: string; epoch: number; slots: OfferSlots },
    events: DialEvents,
  ): CloudConnection {
    const { keeper } = this.#parts
    const common = { ...to, ...this.#common(), origins: this.#origins }
    const told = {
      up: () => {
        this.#origins.up(to.instance, link)
        events.connected()
      },
      ended: (cause: unknown) => {
        this.#origins.down(to.instance, link)
        events.ended(cause)
      },
      unsupported: (cause: unknown) => events.unsupported(cause),
      draining: () => {
        this.#origins.down(to.instance, link)
        events.draining()
      },
      hint: (version: string) => keeper.hint(version),
    }
    const link: ClaimConnection =
      binding === 'plain'
        ? new PlainLink({ ...common, connections: () => this.#connections, events: told })
        : new MultiplexedLink({ ...common, agent: this.#connections.agent, events: told })
    return link
  }

  /** A link that takes no offers, to an instance that no other link to is up. */
  #dialForClaims(
    instance: string,
    epoch: number,
    events: { connected: () => void; ended: () => void },
  ): ClaimConnection {
    const url = this.configuration.instances[instance]!.replace(/\/$/, '')
    const { connected, ended } = events
    const nothing = (): void => undefined
    return new MultiplexedLink({
      ...{
        instance,
        url,
        epoch,
        index: 1,
        slots: this.#shares.forClaims,
        agent: this.#connections.agent,
      },
      ...this.#common(),
      events: { up: connected, ended, unsupported: ended, hint: nothing, draining: ended },
    })
  }

  #common() {
    const { environment, limits } = this.#parts
    const { clocks, scheduler } = environment
    const random = this.#options.grease === false ? undefined : environment.random
    const kinds = [...this.#signOns.values()].flatMap(({ kind, features = [] }) => [
      `${SIGN_ON_PREFIX}${kind}`,
      ...features,
    ])
    const own = this.#options.applicationTls ? [BACKEND_TLS] : []
    const abilities = [...kinds, ...own, IDLE_LIMITS, ...(this.#backend.features ?? [])]
    return { worker: this.#worker, clocks, scheduler, limits, random, run: this.#run, abilities }
  }

  #renewAgent(): void {
    this.#changeAgent().catch((error: unknown) =>
      this.#parts.containment.tellInternal('connector', error),
    )
  }

  /**
   * New calls are made with the identity in force; those under way end on the connections they
   * have.
   */
  async #changeAgent(): Promise<void> {
    const tls = await tlsOptions(this.#parts.keeper.identity, this.#options)
    const old = this.#connections
    this.#connections = new CloudConnections(tls, this.#parts.dial)
    old.retire()
    for (const { dialer } of this.#links.values()) dialer.redial()
  }
}

/** What calls applications, once their users are signed on. */
function applicationBackend(
  { backend, applicationTls }: ConnectorOptions,
  containment: Containment,
): Backend {
  const called = backend ? containedBackend(backend, containment) : new NodeBackend()
  if (applicationTls === undefined) return called
  return new LocalTlsBackend(called, containment.demand('applicationTls', applicationTls))
}

function randomName({ crypto }: ConnectorEnvironment): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(9))).toString('base64url')
}
