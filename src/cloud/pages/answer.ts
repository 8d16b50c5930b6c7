/**
 * What this service says by itself: what is wrong or what is to be done, whose doing it is, and
 * what the user can do next. One answer has two forms, a page for people and a problem for
 * programs; neither names anything of the inside.
 *
 * @see RFC 9457 (problem details), RFC 9209 (Proxy-Status)
 * @module
 */
import type { Delivery } from '../../protocol/machines/delivery.ts'
import type { FailureSource } from '../../protocol/wire/errors.ts'
import type { HeaderList } from '../../protocol/wire/frame-types.ts'
import type { SignInSource } from '../../protocol/machines/sign-in-denials.ts'

/** One answer of ours, in words for the user. */
export interface Failure {
  /** HTTP status, 200–599. A refusal or failure from 400 on. */
  readonly status: number
  /** Stable: programs may switch on it. */
  readonly code: string
  readonly title: string
  /** One or two sentences. */
  readonly detail: string
  readonly requestId: string
  /** Whose doing it was. */
  readonly source: FailureSource | SignInSource
  /** Whether the application got the request. Default `none`. */
  readonly delivery?: Delivery
  /**
   * Proxy error type of RFC 9209. Default: `http_request_denied` below 500, else
   * `proxy_internal_error`.
   */
  readonly error?: string
  /** Sent as `Retry-After`, rounded up to seconds. */
  readonly retryAfterMs?: number
  /**
   * What the user can do next; the first is what most will want. Default: what fits the code.
   *
   * @see usualActions
   */
  readonly actions?: readonly Action[]
  /**
   * More members of the problem, such as `acr_values`; never shown on a page, and never in place of
   * a member there is.
   */
  readonly members?: Readonly<Record<string, unknown>>
  /** Runs on the page, and nothing else does. */
  readonly script?: PageScript
  /** BCP 47 tag of the language that the words are in. Default `en`. */
  readonly language?: string
}

/** A link, or a button that posts. */
export type Action =
  | {
      readonly label: string
      /**
       * A path of the same host, or an `http` or `https` URL; a link to anything else is left out.
       */
      readonly href: string
      /** For a script to find it by. */
      readonly id?: string
      /** It opens in a window of its own. */
      readonly opensWindow?: true
    }
  | {
      readonly label: string
      /** A path of the same host. */
      readonly post: string
      /** Sent as a form. */
      readonly fields?: Readonly<Record<string, string>>
      /** Its answer redirects to another host, which the page's policy would forbid otherwise. */
      readonly leavesHost?: true
    }

/**
 * A script that is the same on every page, so that its hash can be written down: data reaches it by
 * the page's elements.
 */
export interface PageScript {
  /** Holds no `</script` and no `<!--`. */
  readonly text: string
  /**
   * `sha256-` and the base64 digest of `text`; browsers run nothing else. A test must compare the
   * two.
   */
  readonly hash: string
}

/** How a tenant shows itself. */
export interface Branding {
  readonly name?: string
  /** A `data:` URI of a PNG, WebP or SVG image. @see logoFault */
  readonly logo?: string
}

/** An answer as it goes out. */
export interface FailureResponse {
  readonly status: number
  readonly headers: HeaderList
  readonly body: Uint8Array
}

/** The names of the sources on a page. */
export const SOURCES: Readonly<Record<Failure['source'], string>> = {
  user: 'The request',
  cloud: 'This service',
  connector: 'The connector',
  application: 'The application',
  'sign-in': 'Sign-in',
  issuer: 'The sign-in service',
  policy: 'Access policy',
}
