import { type Cloud, ConnectorLink, type Claimer } from '../../src/cloud/index.ts'
import { CloudLink, OfferSlots, Worker, type Backend } from '../../src/connector/index.ts'
import {
  LINK_FEATURES,
  MAX_DATA_BYTES,
  PROTOCOL_VERSION,
  type TimeLimits,
} from '../../src/protocol/internal.ts'

/** A connector in the same process, joined to the cloud by a multiplexed link whose bytes pass in memory. */
export class MemoryConnector {
  readonly #cloudEnd: ConnectorLink
  readonly #connectorEnd: CloudLink
  readonly #now: () => number
  readonly #timer: NodeJS.Timeout
  #scheduled = false
  isUp = false
  isClosed = false

  constructor(
    cloud: Cloud,
    claimer: Claimer,
    options: {
      backend: Backend
      limits: TimeLimits
      offers?: number
      features?: readonly string[]
    },
  ) {
    const { clocks } = cloud
    this.#now = () => clocks.now()
    const events = { wake: () => this.#wake(), closed: () => (this.isClosed = true) }
    this.#cloudEnd = new ConnectorLink(cloud.origin, claimer, events)
    const worker = new Worker({
      clocks,
      backend: options.backend,
      applications: {
        // The control call, without its transport.
        async details(applicationId) {
          const caller = await cloud.registry.connector(claimer.connectorId)
          const reply = cloud.configuration.application(
            { connector: caller!, certificate: undefined as never, authorityKeyId: '' },
            { v: PROTOCOL_VERSION, type: 'application', applicationId },
          )
          return reply.type === 'application' ? reply.application : undefined
        },
      },
    })
    this.#connectorEnd = new CloudLink({
      worker,
      clocks,
      limits: options.limits,
      instance: cloud.origin.instance,
      slots: new OfferSlots(options.offers ?? 200),
      hello: {
        versions: [PROTOCOL_VERSION],
        run: 'memory',
        index: 0,
        epoch: 1,
        maxDataBytes: MAX_DATA_BYTES,
        features: [...LINK_FEATURES, ...(options.features ?? [])],
      },
      events: {
        ...events,
        up: () => (this.isUp = true),
        hint: () => undefined,
        draining: () => undefined,
      },
    })
    this.#timer = setInterval(() => {
      this.#cloudEnd.link.tick(this.#now())
      this.#connectorEnd.link.tick(this.#now())
    }, 20)
    this.#wake()
  }

  drain(): void {
    this.#connectorEnd.link.drain()
  }

  /** The transport breaks: both ends lose the link, and what is under way. */
  cut(): void {
    clearInterval(this.#timer)
    this.#cloudEnd.link.lost()
    this.#connectorEnd.link.lost()
  }

  /** Everything said in one turn travels in the next. */
  #wake(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      const up = this.#connectorEnd.link.takeOutput(256 * 1024)
      const down = this.#cloudEnd.link.takeOutput(256 * 1024)
      for (const bytes of up) this.#cloudEnd.link.receive(bytes, this.#now())
      for (const bytes of down) this.#connectorEnd.link.receive(bytes, this.#now())
      if (this.#cloudEnd.link.hasMore || this.#connectorEnd.link.hasMore) this.#wake()
    })
  }
}
