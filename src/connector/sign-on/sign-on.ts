/**
 * The connector's port to whatever makes an application know its user.
 *
 * @see docs/single-sign-on.md
 * @module
 */
import type { HeaderList, ResponseHead } from '../../protocol/internal.ts'
import type { BackendRequest } from '../backend.ts'

/** One kind of sign-on, for all applications whose configuration names it. */
export interface SignOn {
  /**
   * The `kind` of an application's `signOn`. The connector names the feature `sign-on/` and this,
   * and is offered such applications only where it does.
   */
  readonly kind: string
  /** Further features that the connector names for it. Default: none. */
  readonly features?: readonly string[] | undefined
  /**
   * What one attempt carries. Asked for each attempt anew; what it gives is used for no other.
   * `request.application.signOn` holds the settings: what is not understood there is refused.
   *
   * @param signal aborted when nobody waits for it any more
   * @throws SignOnFailed, or rejects with it: the application is not called, and the user gets
   *   `sign-on-failed`. So does whatever else is thrown.
   */
  prepare(request: BackendRequest, signal: AbortSignal): Preparation | Promise<Preparation>
  /** Ends what it holds. Default: it holds nothing. */
  close?(): Promise<void>
}

/** What an attempt carries to the application. */
export interface Preparation {
  /**
   * Names of header fields that nobody else may say. They are taken out of the request and its
   * trailers in every spelling, whether `headers` has them or not. Default: those of `headers`.
   */
  readonly reserved?: readonly string[] | undefined
  /** Fields that are added. Default: none. */
  readonly headers?: HeaderList | undefined
  /**
   * It is good for one request: no connection that died idle is replaced under it, and what is
   * sent again is prepared again. Default: false.
   */
  readonly isOnce?: boolean | undefined
  /**
   * Looks at the head of the answer before anybody else does, a 101 included, and gives it, without
   * what was meant for us.
   *
   * @throws SignOnFailed the application did not take it: the user gets `sign-on-failed`
   */
  answered?(head: ResponseHead): ResponseHead
}
