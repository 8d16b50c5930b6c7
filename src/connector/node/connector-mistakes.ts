/**
 * What a connector meets that a person has to put right, told by {@link ToldMistakes}: on the way
 * to the cloud, on its links, and on the way to applications.
 *
 * @module
 */
import {
  PeerViolation,
  Refused,
  type ApplicationDetails,
  type ApplicationReply,
  type ApplicationRequest,
  type ConfigurationReply,
  type ConfigurationRequest,
  type RegistrationReply,
  type RegistrationRequest,
} from '../../protocol/internal.ts'
import type { Clocks } from '../../runtime/clocks.ts'
import type { ControlCall, ControlChannel, IdentifiedCall } from '../ports.ts'
import { refusalReason } from '../refusal-reasons.ts'
import { applicationMistake } from './application-mistakes.ts'
import { cloudMistake, isAboutTime, timeMistake, type WayToCloud } from './cloud-mistakes.ts'
import { codeOf } from './failure-codes.ts'
import { LinkRefused } from './link-refused.ts'
import type { Dial } from './own-dial.ts'
import { ToldMistakes, type MistakeEvent, type MistakePlace } from './told-mistakes.ts'

const CLOUD = { to: 'cloud' } as const

export class ConnectorMistakes {
  readonly #url: string
  readonly #clocks: Clocks
  readonly #told: ToldMistakes
  /** Errors that a mistake was told of. */
  readonly #explained = new WeakSet<object>()
  /** Where times do not agree, and by which code: clocks are compared once. */
  readonly #untimely = new Map<string, string>()

  readonly #dial: Dial | undefined

  /**
   * @param url the connector's own setting
   * @param dial how the cloud is reached. Default: by TCP
   */
  constructor(url: string, clocks: Clocks, tell: (event: MistakeEvent) => void, dial?: Dial) {
    this.#url = url
    this.#dial = dial
    this.#clocks = clocks
    this.#told = new ToldMistakes(tell)
  }

  /** Whether a mistake was told that explains this error. */
  explains(error: unknown): boolean {
    return typeof error === 'object' && error !== null && this.#explained.has(error)
  }

  /** Whether a mistake was told that explains why a link to an instance is not up. */
  explainsLink(instance: string, cause: unknown): boolean {
    return this.#told.has(cause instanceof LinkRefused ? CLOUD : { to: 'instance', instance })
  }

  /** What ended the start, in the words of the mistake that it is. */
  worded(error: unknown): unknown {
    if (!(error instanceof Refused || error instanceof PeerViolation)) return error
    const way = { url: this.#url, setting: 'url', isRegistered: false } as const
    const mistake = cloudMistake(error, way)
    if (mistake === undefined) return error
    if (error instanceof PeerViolation)
      return new PeerViolation(error.reason, mistake.message, { cause: error })
    const { reason, retryAfterMs } = error
    return new Refused(reason, mistake.message, { cause: error, retryAfterMs })
  }

  cloudFailed(error: unknown, isRegistered: boolean): void {
    this.#wayFailed(CLOUD, error, { url: this.#url, setting: 'url', isRegistered })
  }

  cloudAnswered(): void {
    this.#mended(CLOUD)
  }

  /** A cloud that refuses the link was reached: nothing is wrong with the way to it. */
  linkFailed(instance: string, url: string, error: unknown): void {
    if (error instanceof LinkRefused) return this.#mended({ to: 'instance', instance })
    const way = { url, setting: 'instances', isRegistered: true } as const
    this.#wayFailed({ to: 'instance', instance }, error, way)
  }

  linkUp(instance: string): void {
    this.#mended({ to: 'instance', instance })
  }

  exchangeFailed(application: ApplicationDetails | undefined, error: unknown): void {
    if (application === undefined || error === undefined) return
    const mistake = applicationMistake(error, application)
    if (mistake !== undefined)
      this.#told.met({ to: 'application', applicationId: application.id }, mistake)
  }

  /** Once per exchange that went well, so it costs nothing while all is well. */
  served(applicationId: string): void {
    if (!this.#told.isEmpty) this.#told.mended({ to: 'application', applicationId })
  }

  #wayFailed(place: MistakePlace, error: unknown, way: WayToCloud): void {
    if (isAboutTime(error)) return this.#compareTimes(place, error, way)
    const mistake = cloudMistake(error, way)
    if (mistake === undefined) return
    this.#explained.add(error as object)
    this.#untimely.delete(JSON.stringify(place))
    this.#told.met(place, mistake)
  }

  #compareTimes(place: MistakePlace, error: unknown, way: WayToCloud): void {
    this.#explained.add(error as object)
    const [key, code] = [JSON.stringify(place), codeOf(error)]
    if (this.#untimely.get(key) === code) return
    this.#untimely.set(key, code)
    void timeMistake(way, this.#clocks.wallClock(), this.#dial).then((mistake) => {
      if (this.#untimely.get(key) === code) this.#told.met(place, mistake)
    })
  }

  #mended(place: MistakePlace): void {
    if (this.#untimely.size > 0) this.#untimely.delete(JSON.stringify(place))
    this.#told.mended(place)
  }
}

/** A control channel whose failures and answers are told to {@link ConnectorMistakes}. */
export class ExplainedChannel implements ControlChannel {
  readonly #channel: ControlChannel
  readonly #mistakes: ConnectorMistakes

  constructor(channel: ControlChannel, mistakes: ConnectorMistakes) {
    this.#channel = channel
    this.#mistakes = mistakes
  }

  async register(request: RegistrationRequest, call: ControlCall): Promise<RegistrationReply> {
    const reply = await this.#explained(this.#channel.register(request, call), false)
    if (reply.type === 'refused')
      this.#mistakes.cloudFailed(new Refused(refusalReason(reply.reason) ?? 'unavailable'), false)
    return reply
  }

  configuration(request: ConfigurationRequest, call: IdentifiedCall): Promise<ConfigurationReply> {
    return this.#explained(this.#channel.configuration(request, call), true)
  }

  application(request: ApplicationRequest, call: IdentifiedCall): Promise<ApplicationReply> {
    return this.#explained(this.#channel.application(request, call), true)
  }

  async #explained<R>(call: Promise<R>, isRegistered: boolean): Promise<R> {
    try {
      const reply = await call
      this.#mistakes.cloudAnswered()
      return reply
    } catch (error) {
      this.#mistakes.cloudFailed(error, isRegistered)
      throw error
    }
  }
}
