/**
 * A backend whose requests carry who the user is, in the way that their application is configured
 * for.
 *
 * @see docs/single-sign-on.md
 * @module
 */
import {
  ApiMisuse,
  CONNECTION_TIME_LIMITS,
  FoldedNames,
  headersFault,
  Machine,
  ResetCode,
  SignOnFailed,
  type HeaderList,
  type ResponseHead,
} from '../../protocol/internal.ts'
import type { Clocks } from '../../runtime/clocks.ts'
import type { Scheduler } from '../../runtime/scheduler.ts'
import type { Backend, BackendCall, BackendEvents, BackendRequest } from '../backend.ts'
import {
  ForwardingBackend,
  ForwardingBackendCall,
  type BackendEvent,
} from '../forwarding-backend.ts'
import type { Preparation, SignOn } from './sign-on.ts'
import { SIGNING, type SigningEvent, type SigningState } from './signing.ts'

/** Options of {@link SignOnBackend}. */
export interface SignOnBackendOptions {
  /** Calls the applications. */
  readonly backend: Backend
  /** Each kind once. */
  readonly kinds: ReadonlyMap<string, SignOn>
  /** What deadlines are told in. */
  readonly clocks: Pick<Clocks, 'now'>
  /** Ends a preparation that takes too long. */
  readonly scheduler: Scheduler
  /** How long a preparation may take, in milliseconds. Default 10 000. */
  readonly signOnMs?: number | undefined
}

/** Prepares what needs it; what needs nothing passes as if it was not there. */
export class SignOnBackend extends ForwardingBackend {
  readonly #options: SignOnBackendOptions

  constructor(options: SignOnBackendOptions) {
    super(options.backend)
    this.#options = options
  }

  override call(request: BackendRequest, events: BackendEvents): BackendCall {
    const { signOn } = request.application
    if (signOn === undefined) return super.call(request, events)
    return new SignedCall(this.#options, request, events)
  }

  override async close(): Promise<void> {
    const kinds = [...this.#options.kinds.values()]
    await Promise.all([super.close(), ...kinds.map((kind) => kind.close?.())])
  }
}

/** One request: prepared, then called; once more, if it never had an answer and may be repeated. */
class SignedCall extends ForwardingBackendCall {
  readonly #options: SignOnBackendOptions
  readonly #request: BackendRequest
  readonly #machine = new Machine<SigningState, SigningEvent>(SIGNING, 'signing')
  /** When its answer comes too late. */
  readonly #answerBy: number
  /** Ends the preparation that is under way. */
  #endPreparing = nothing
  #preparation: Preparation = {}
  #reserved = new FoldedNames([])
  /** What of the body has come meanwhile: no more than the cloud's first credit. */
  #held: Uint8Array[] = []
  #heldEnd: { readonly trailers: HeaderList | undefined } | undefined
  #isPaused = false
  #isRepeated = false

  constructor(options: SignOnBackendOptions, request: BackendRequest, events: BackendEvents) {
    super(events)
    this.#options = options
    this.#request = request
    this.#answerBy = options.clocks.now() + request.answerMs
    this.#prepare()
  }

  // ── what the call is told ─────────────────────────────────────────────────────────────────

  override write(bytes: Uint8Array): boolean {
    if (this.#machine.state !== 'signing') return super.write(bytes)
    this.#held.push(bytes)
    return false
  }

  override end(trailers?: HeaderList): void {
    if (this.#machine.state === 'signing') this.#heldEnd = { trailers }
    else super.end(this.#unreserved(trailers))
  }

  override pause(): void {
    this.#isPaused = true
    super.pause()
  }

  override resume(): void {
    this.#isPaused = false
    super.resume()
  }

  override abort(): void {
    this.#machine.step('abort')
    this.#endPreparing()
    super.abort()
  }

  // ── what it tells ─────────────────────────────────────────────────────────────────────────

  override responded(head: ResponseHead): void {
    const seen = this.#answered(head)
    if (seen !== undefined) super.responded(seen)
  }

  override upgraded(head: ResponseHead): void {
    const seen = this.#answered(head)
    if (seen !== undefined) super.upgraded(seen)
  }

  override failed(code: ResetCode, cause: unknown): void {
    if (this.#mayBeRepeated) {
      this.#machine.step('again')
      this.#isRepeated = true
      return this.#prepare()
    }
    super.failed(code, cause)
    this.#machine.step('finished')
  }

  protected override hear<E extends BackendEvent>(
    event: E,
    ...args: Parameters<BackendEvents[E]>
  ): void {
    if (this.#machine.state !== 'over') super.hear(event, ...args)
  }

  // ── inside ────────────────────────────────────────────────────────────────────────────────

  #prepare(): void {
    const { kinds } = this.#options
    const { kind } = this.#request.application.signOn!
    const preparing = new AbortController()
    try {
      const signOn = kinds.get(kind)
      if (signOn === undefined)
        throw new SignOnFailed('misconfigured', 'this connector has no sign-on of that kind')
      const prepared = signOn.prepare(this.#request, preparing.signal)
      if (!(prepared instanceof Promise)) return this.#signed(prepared)
      this.#limit(preparing)
      prepared.then(
        (preparation) => this.#signed(preparation),
        (error: unknown) => this.#refused('refused', error),
      )
    } catch (error) {
      // Later: whoever calls must have the call first.
      queueMicrotask(() => this.#refused('refused', error))
    }
  }

  #limit(preparing: AbortController): void {
    const { clocks, scheduler, signOnMs = CONNECTION_TIME_LIMITS.signOnMs } = this.#options
    const deadline = Math.min(clocks.now() + signOnMs, this.#answerBy)
    const callOff = scheduler.at(deadline, () => this.#refused('late', new SignOnFailed('timeout')))
    this.#endPreparing = () => {
      callOff()
      preparing.abort()
    }
  }

  #signed(preparation: Preparation): void {
    const request = this.#request
    let signed: BackendRequest
    try {
      signed = this.#withWhatIsPrepared(preparation)
    } catch (error) {
      return void queueMicrotask(() => this.#refused('refused', error))
    }
    if (!this.#machine.step('signed')) return
    this.#endPreparing()
    this.#endPreparing = nothing
    try {
      this.start(this.#options.backend, signed)
    } catch (error) {
      // Later, as above: a request that no backend can make.
      return void queueMicrotask(() => this.#broken(error))
    }
    if (this.#isPaused) super.pause()
    const held = this.#held
    this.#held = []
    let isTaken = false
    for (const bytes of held) isTaken = super.write(bytes)
    if (this.#heldEnd !== undefined) super.end(this.#unreserved(this.#heldEnd.trailers))
    // They were told to wait.
    if (isTaken && request.body.kind !== 'none') this.drained()
  }

  #withWhatIsPrepared(preparation: Preparation): BackendRequest {
    const request = this.#request
    const { headers = [], isOnce = false } = preparation
    const { reserved = headers.filter((_, i) => i % 2 === 0) } = preparation
    if (headersFault(headers) !== undefined)
      throw new SignOnFailed('misconfigured', 'what was prepared is no list of header fields')
    this.#preparation = preparation
    this.#reserved = new FoldedNames(reserved)
    return {
      ...request,
      headers: [...without(this.#reserved, request.headers), ...headers],
      replayable: request.replayable && !isOnce,
      answerMs: Math.max(0, this.#answerBy - this.#options.clocks.now()),
    }
  }

  #broken(error: unknown): void {
    super.failed(ResetCode.INTERNAL, error)
    this.#machine.step('finished')
  }

  #refused(how: 'refused' | 'late', error: unknown): void {
    if (this.#machine.state !== 'signing') return
    this.#endPreparing()
    super.notSent(ResetCode.SIGN_ON, error)
    this.#machine.step(how)
  }

  /** The head as the user gets it; undefined: the application did not take what it was told. */
  #answered(head: ResponseHead): ResponseHead | undefined {
    if (this.#machine.state === 'over') return undefined
    try {
      const seen = this.#preparation.answered?.(head) ?? head
      this.#machine.step('head')
      return seen
    } catch (error) {
      super.tell('abort')
      super.failed(ResetCode.SIGN_ON, error)
      this.#machine.step('rejected')
      return undefined
    }
  }

  /** What is good for one request is not sent twice: it is made anew. */
  get #mayBeRepeated(): boolean {
    if (this.#machine.state !== 'calling' || this.#isRepeated) return false
    return this.#request.replayable && this.#preparation.isOnce === true
  }

  #unreserved(trailers: HeaderList | undefined): HeaderList | undefined {
    return trailers && without(this.#reserved, trailers)
  }
}

/** @throws ApiMisuse a kind is there twice */
export function signOnsByKind(signOns: readonly SignOn[]): ReadonlyMap<string, SignOn> {
  const kinds = new Map(signOns.map((signOn) => [signOn.kind, signOn]))
  if (kinds.size < signOns.length) throw new ApiMisuse('"signOn" has a kind twice')
  return kinds
}

function without(names: FoldedNames, list: HeaderList): HeaderList {
  return list.filter((_, i) => !names.has(list[i - (i % 2)]!))
}

function nothing(): void {
  // no preparation to end
}
