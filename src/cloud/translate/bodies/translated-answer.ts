/**
 * Stands before the user of one exchange, and translates the body of its answer.
 *
 * @module
 */
import { type HeaderList, type ResponseHead } from '../../../protocol/internal.ts'
import { ForwardingUserExchange } from '../../request/forwarding-user-exchange.ts'
import type { RequestReader } from '../../request/edge-request.ts'
import type { UserExchange } from '../../request/user-exchange.ts'
import type { BodyTranslation } from './body-translation.ts'
import type { BodyTranslator } from './body-translator.ts'
import { CodedBody } from './coded-body.ts'
import {
  bodyPlan,
  isAboutTranslated,
  translatedHead,
  type BodyPlan,
  type TranslatedRequest,
} from './translated-head.ts'

/** The user, as the exchange sees them; and the exchange, as the user's connection does. */
export class TranslatedAnswer extends ForwardingUserExchange implements RequestReader {
  readonly #translation: BodyTranslation
  readonly #tellFailure: (error: unknown) => void
  #exchange: RequestReader | undefined
  /** Undefined: nobody may change its answer. */
  #request: TranslatedRequest | undefined
  /** Undefined: the body is none that is translated, or none has come yet. */
  #plan: BodyPlan | undefined
  #translator: BodyTranslator | undefined
  #coded: CodedBody | undefined
  #trailers: HeaderList | undefined
  #isBroken = false

  /** @param tellFailure is told of what a decoder, an encoder or the translator could not do */
  constructor(
    user: UserExchange,
    translation: BodyTranslation,
    tellFailure: (error: unknown) => void,
  ) {
    super(user)
    this.#translation = translation
    this.#tellFailure = tellFailure
  }

  /** What the application is asked instead. */
  asked(headers: HeaderList): HeaderList {
    this.#request = this.#translation.request(headers)
    return this.#request?.headers ?? headers
  }

  /** From now on this exchange is told what its user does. */
  handTo(exchange: RequestReader): this {
    this.#exchange = exchange
    return this
  }

  // ── what the user's connection says ───────────────────────────────────────────────────────

  userData(bytes: Uint8Array): void {
    this.#exchange!.userData(bytes)
  }

  userEnded(trailers: HeaderList | undefined): void {
    this.#exchange!.userEnded(trailers)
  }

  /** What is coded tells by itself when it takes more. */
  userDrained(): void {
    if (this.#coded === undefined) this.#exchange!.userDrained()
    else this.#coded.drained()
  }

  userGone(complete: boolean): void {
    this.#coded?.destroy()
    this.#exchange!.userGone(complete)
  }

  sessionEnded(): void {
    this.#exchange!.sessionEnded?.()
  }

  // ── what the exchange says ────────────────────────────────────────────────────────────────

  override respond(head: ResponseHead, close: boolean): void {
    const { status, headers } = head
    const { rules, tags } = this.#translation
    const request = this.#request
    if (request === undefined) return super.respond(head, close)
    this.#plan = bodyPlan(status, headers, request, rules)
    if (this.#plan === undefined && !isAboutTranslated(status, headers, request))
      return super.respond(head, close)
    super.respond({ status, headers: translatedHead(headers, tags) }, close)
  }

  override write(bytes: Uint8Array): boolean {
    if (this.#plan === undefined) return super.write(bytes)
    if (this.#isBroken) return true
    return this.#contained(() => this.#write(bytes, this.#plan!)) ?? true
  }

  override end(trailers?: HeaderList): void {
    if (this.#plan === undefined) return super.end(trailers)
    if (this.#isBroken) return
    this.#trailers = trailers && translatedHead(trailers, this.#translation.tags)
    this.#contained(() => {
      if (this.#coded !== undefined) return this.#coded.end()
      const rest = this.#translator?.end()
      if (rest !== undefined) super.write(rest)
      this.#finish()
    })
  }

  override abort(): void {
    this.#isBroken = true
    this.#coded?.destroy()
    super.abort()
  }

  // ── inside ────────────────────────────────────────────────────────────────────────────────

  #write(bytes: Uint8Array, plan: BodyPlan): boolean {
    if (this.#translator === undefined) {
      this.#translator = this.#translation.translator(plan)
      if (plan.coding !== 'identity') this.#coded = this.#codedBody(plan.coding, this.#translator)
    }
    if (this.#coded !== undefined) {
      this.#coded.write(bytes)
      return false
    }
    const translated = this.#translator.write(bytes)
    return translated === undefined || super.write(translated)
  }

  #codedBody(coding: string, translator: BodyTranslator): CodedBody {
    return new CodedBody(coding, this.#translation.options.codings!, translator, {
      write: (bytes) => super.write(bytes),
      ready: () => this.#exchange!.userDrained(),
      end: () => this.#finish(),
      failed: (error) => this.#fail(error),
    })
  }

  #finish(): void {
    if (this.#trailers === undefined || this.#trailers.length === 0) super.end()
    else super.end(this.#trailers)
  }

  #contained<R>(run: () => R): R | undefined {
    try {
      return run()
    } catch (error) {
      this.#fail(error)
      return undefined
    }
  }

  /** Half of a body was said, perhaps: nobody may take it for whole. */
  #fail(error: unknown): void {
    if (this.#isBroken) return
    this.#tellFailure(error)
    this.abort()
  }
}
