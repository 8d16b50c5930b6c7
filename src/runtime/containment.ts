/**
 * The one place where what an embedder supplied is called. Nothing that it throws or rejects with
 * travels further than that call: not to another user, not to a timer, not to the process.
 *
 * A port's functions are wrapped once, when the parts are put together; four wrappers say what a
 * failure means:
 *
 * - `notify`, for what is only told: a failure is ignored: the flow goes on
 * - `lookUp`, for an answer that may be unknown: a failure is the answer `otherwise`
 * - `demand`, for an answer that is needed, at once: a failure is thrown as `PortFailed`
 * - `await`, for an answer that is needed, and may wait: a failure is a rejection with
 *   `PortFailed`; so is none
 *
 * Each failure is told to `onError` first. A promise where an answer is expected at once is a
 * failure too, and its rejection is taken care of.
 *
 * @module
 */
import { ApiMisuse, PortFailed } from '../protocol/wire/errors.ts'
import { inTime, timerOf, type Timer } from './scheduler.ts'

/** What a part of the embedder's did wrong. */
export interface PortFailure {
  /**
   * The function: `audit.write`, `directory.applicationsOn`, `onEvent`. Without a dot, and not
   * `onEvent`: a part of this library's own, where a fault of ours was caught.
   */
  readonly port: string
  /**
   * What it threw or rejected with, as it was. It need not be an `Error`, and may quote what the
   * function was given.
   */
  readonly error: unknown
  /**
   * `true`: whoever called went on without it. `false`: the one thing that it was called for
   * failed, such as a request or a registration. Nobody else is touched either way.
   */
  readonly contained: boolean
}

/**
 * Told of each failure, where it happens: it must be quick. Whatever it throws or rejects with is
 * ignored.
 */
export type OnError = (failure: PortFailure) => void

/** Options of {@link Containment.await}. */
export interface AwaitOptions {
  /** Errors that are answers, and pass as they are. Default: none. */
  readonly passes?: (error: unknown) => boolean
  /** An answer that has not come by then is a failure. Milliseconds; default: the containment's. */
  readonly withinMs?: number
}

/** Why a call is a failure although the function did not throw. */
const ASYNCHRONOUS = 'an answer was expected at once, and a promise was given'
const LATE = 'no answer in time'

/** Calls what an embedder supplied. */
export class Containment {
  readonly #onError: OnError | undefined
  readonly #withinMs: number
  readonly #timer: Timer
  #isTelling = false

  /**
   * @param onError default: nobody is told
   * @param withinMs an answer that is awaited and has not come by then is a failure; milliseconds,
   *   default 15 000
   * @param timer default: the runtime's
   * @internal
   */
  constructor(onError?: OnError, withinMs = 15_000, timer = timerOf()) {
    this.#onError = onError
    this.#timer = timer
    this.#withinMs = withinMs
  }

  /** Tells the embedder. Never throws. */
  tell(port: string, error: unknown, contained: boolean): void {
    // A failure of the telling itself is told to nobody.
    if (this.#onError === undefined || this.#isTelling) return
    this.#isTelling = true
    try {
      unrejected(this.#onError({ port, error, contained }), nothing)
    } catch {
      // It was the last one to ask.
    } finally {
      this.#isTelling = false
    }
  }

  /**
   * A flow of this library's own met an error that it did not expect. Failures of ports were told
   * before.
   *
   * @internal
   */
  tellInternal(part: string, error: unknown): void {
    if (!(error instanceof PortFailed)) this.tell(part, error, false)
  }

  /**
   * The function never throws. A promise that it gives is not awaited; its rejection is told.
   *
   * @internal
   */
  notify<A extends unknown[]>(port: string, call: (...args: A) => unknown): (...args: A) => void {
    const failed = (error: unknown) => this.tell(port, error, true)
    return (...args) => {
      try {
        // Called while a failure is told, it would be told of for ever.
        unrejected(call(...args), this.#isTelling ? nothing : failed)
      } catch (error) {
        failed(error)
      }
    }
  }

  /** The function never throws: `otherwise` is the answer of one that fails. @internal */
  lookUp<A extends unknown[], R, O>(
    port: string,
    call: (...args: A) => R,
    otherwise: O,
  ): (...args: A) => R | O {
    return (...args) => {
      try {
        return atOnce(call(...args))
      } catch (error) {
        this.tell(port, error, true)
        return otherwise
      }
    }
  }

  /**
   * The function throws nothing but {@link PortFailed}, and what `passes`.
   *
   * @param passes errors that are answers, and pass as they are. Default: none
   * @internal
   */
  demand<A extends unknown[], R>(
    port: string,
    call: (...args: A) => R,
    passes: (error: unknown) => boolean = never,
  ): (...args: A) => R {
    return (...args) => {
      try {
        return atOnce(call(...args))
      } catch (error) {
        if (passes(error)) throw error
        throw this.#failed(port, error)
      }
    }
  }

  /**
   * The function gives a promise that settles in time, and rejects with {@link PortFailed} or what
   * `passes`.
   *
   * @internal
   */
  await<A extends unknown[], R>(
    port: string,
    call: (...args: A) => R | PromiseLike<R>,
    { passes = never, withinMs = this.#withinMs }: AwaitOptions = {},
  ): (...args: A) => Promise<R> {
    return async (...args) => {
      try {
        const answer = () => asPromise(call(...args))
        return await inTime<R>(this.#timer, withinMs, answer, () => {
          throw new PortFailed(port, { detail: LATE })
        })
      } catch (error) {
        if (passes(error)) throw error
        throw this.#failed(port, error)
      }
    }
  }

  #failed(port: string, cause: unknown): PortFailed {
    this.tell(port, cause, false)
    return new PortFailed(port, { cause })
  }
}

/**
 * The value itself, if it is none that is still to come. For a wrapped function that looks at the
 * answer.
 *
 * @throws ApiMisuse for a promise, whose rejection is taken care of
 */
export function atOnce<R>(value: R): R {
  if (!isThenable(value)) return value
  unrejected(value, nothing)
  throw new ApiMisuse(ASYNCHRONOUS)
}

/**
 * A promise that nobody waits for rejects to `rejected` and not to the process. For what is wrapped
 * by hand.
 */
export function unrejected(value: unknown, rejected: (error: unknown) => void): void {
  if (isThenable(value)) new Promise((resolve) => resolve(value)).then(nothing, rejected)
}

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  (typeof value === 'object' || typeof value === 'function') &&
  value !== null &&
  typeof (value as { then?: unknown }).then === 'function'

/** A value at once counts as one that came in time. */
const asPromise = <R>(value: R | PromiseLike<R>): Promise<R> => Promise.resolve(value)

const never = () => false

function nothing(): void {
  // a rejection that was told, or that nobody can be told of
}
