/**
 * The link binding, connector side: one request with `Upgrade: app-proxy/1`, then frames both ways.
 *
 * @see spec/PROTOCOL.md, "The link binding"
 * @module
 */
import type { ClientRequest, IncomingMessage } from 'node:http'
import { request as httpsRequest, type Agent } from 'node:https'
import type { Socket } from 'node:net'
import {
  LINK_FEATURES,
  type Exchange,
  type LinkEnd,
  type Offer,
  type Random,
  type TimeLimits,
} from '../../protocol/internal.ts'
import { LINK_PATH, LINK_UPGRADE, LinkTransport } from '../../runtime/node/link-transport.ts'
import type { ClaimLine, LineTerms, Origins } from '../claim-line.ts'
import { CloudLink } from '../cloud-link.ts'
import type { OfferSlots } from '../offer-slots.ts'
import type { Clocks } from '../../runtime/clocks.ts'
import type { ClaimedJob, Worker } from '../worker.ts'
import { LinkRefused } from './link-refused.ts'

export interface MultiplexedLinkOptions {
  /** The cloud instance's id and base URL. */
  readonly instance: string
  readonly url: string
  readonly agent: Agent
  readonly worker: Worker
  readonly clocks: Clocks
  readonly limits: TimeLimits
  /** This run of the connector, and this link of it. */
  readonly run: string
  /** Features that it names beside those of its binding. Default: none. */
  readonly abilities?: readonly string[] | undefined
  readonly epoch: number
  /** 1: a link for claims alone. Default 0. */
  readonly index?: number | undefined
  readonly slots: OfferSlots
  /** Where offers of other instances are claimed. Default: they are declined. */
  readonly origins?: Origins | undefined
  readonly events: MultiplexedLinkEvents
  /** What grease is made of. Default: the link sends none. */
  readonly random?: Random | undefined
}

/** None is told from inside the constructor. */
export interface MultiplexedLinkEvents {
  up(): void
  /** The answer was no switch of protocols: whoever gave it does not speak this binding. */
  unsupported(cause: unknown): void
  /** It could not be made, or it ended. */
  ended(cause: unknown): void
  /** The cloud has another configuration. */
  hint(version: string): void
  /** The cloud drains: another link should take over. */
  draining(): void
}

/** One link to one cloud instance. */
export class MultiplexedLink implements ClaimLine {
  readonly #options: MultiplexedLinkOptions
  readonly #call: ClientRequest
  #link: CloudLink | undefined
  #isOver = false
  #isGone = (): void => undefined
  readonly gone = new Promise<void>((resolve) => (this.#isGone = resolve))

  constructor(options: MultiplexedLinkOptions) {
    this.#options = options
    this.#call = httpsRequest(`${options.url}${LINK_PATH}`, {
      agent: options.agent,
      headers: { connection: 'Upgrade', upgrade: LINK_UPGRADE },
    })
    this.#call.on('upgrade', (response, socket, head) => this.#upgraded(response, socket, head))
    this.#call.on('response', (response) => this.#refused(response))
    this.#call.on('error', (error) => this.#end(() => options.events.ended(error)))
    this.#call.on('close', () => {
      if (this.#link === undefined) this.#isGone()
    })
    this.#call.end()
  }

  /** Takes no more offers; what is under way goes on. */
  drain(): void {
    if (this.#link === undefined) this.close()
    else this.#link.link.drain()
  }

  /** Ends it, at once; nothing more is told. */
  close(): void {
    this.#isOver = true
    if (this.#link !== undefined) return this.#link.link.close()
    this.#call.destroy()
    // Nothing was said, whatever it still waits for.
    this.#isGone()
  }

  get open(): number {
    return this.#link?.open ?? 0
  }

  claim(offer: Offer, job: ClaimedJob, terms: LineTerms): Exchange | undefined {
    return this.#link?.claim(offer, job, terms)
  }

  #upgraded(response: IncomingMessage, socket: Socket, head: Uint8Array): void {
    if (this.#isOver || response.headers.upgrade !== LINK_UPGRADE) {
      socket.destroy()
      const cause = new Error(`the cloud switched to ${response.headers.upgrade}`)
      return this.#end(() => this.#options.events.ended(cause))
    }
    const { worker, clocks, limits, instance, origins, slots, events } = this.#options
    const { run, index = 0, epoch, abilities = [] } = this.#options
    const features = [...LINK_FEATURES, ...abilities]
    socket.setNoDelay(true)
    socket.once('close', () => this.#isGone())
    const transport = new LinkTransport(socket, () => clocks.now())
    const link = new CloudLink({
      worker,
      clocks,
      limits,
      instance,
      origins,
      slots,
      random: this.#options.random,
      hello: { run, index, epoch, features },
      events: {
        wake: () => transport.wake(),
        up: () => events.up(),
        hint: (version) => events.hint(version),
        draining: () => events.draining(),
        closed: (end) => {
          transport.closed(end)
          this.#end(() => events.ended(endError(end)))
        },
      },
    })
    this.#link = link
    transport.drive(link.link, head)
  }

  /**
   * A cloud that is there and says no, or not now, is not asked by another binding; anything else
   * is an answer of somebody who does not know this one.
   */
  #refused(response: IncomingMessage): void {
    const { statusCode = 0 } = response
    const cause = new LinkRefused(statusCode, 'the upgrade')
    this.#call.destroy()
    const { events } = this.#options
    const isRefusal =
      [401, 403, 429].includes(statusCode) || (statusCode >= 500 && statusCode !== 501)
    this.#end(() => (isRefusal ? events.ended(cause) : events.unsupported(cause)))
  }

  #end(tell: () => void): void {
    if (this.#isOver) return
    this.#isOver = true
    tell()
  }
}

function endError({ reason, cause }: LinkEnd): Error {
  return new Error(`the link ended: ${reason}`, { cause })
}
