/**
 * From an answer to what goes out: page or problem, the tenant's name and logo, and what the user
 * can do next.
 *
 * @see spec/PROTOCOL.md, "Answers of the service itself"
 * @module
 */
import type { Failure, Branding, FailureResponse } from './answer.ts'
import { grpcResponse } from './grpc-answer.ts'
import { problem } from './problem.ts'
import { renderPage, type Page, type RenderedPage } from './template.ts'
import { usualActions } from './usual-actions.ts'

/** An embedder's own words or template. Where it throws, ours are used: an answer must be given. */
export interface PageRenderer {
  /**
   * Other words for an answer, in another language perhaps (name it in `language`), for page and
   * problem alike. `acceptLanguage` is what the user's browser prefers, empty when it does not say.
   * Default: the words as they are, in English.
   */
  readonly words?: (
    failure: Failure,
    acceptLanguage: string,
  ) => Partial<Pick<Failure, 'title' | 'detail' | 'actions' | 'language'>>
  /**
   * What the `type` of a problem begins with; the code follows. Give the address at which you
   * publish the error catalogue, `https://docs.example/errors#`, and a `type` leads there. Default
   * `urn:app-proxy:problem:`.
   *
   * @see docs/errors.md
   */
  readonly problemTypes?: string
  /** Another template; it must escape. Default {@link renderPage}. */
  readonly html?: (page: Page) => RenderedPage
}

/** A page for people, a problem for programs, a status for clients of gRPC. */
export type Form = 'html' | 'problem' | 'grpc'

/** Who is answered, and where. */
export interface Asked {
  readonly accept: Form
  /** The media type of an answer to a client of gRPC. Default `application/grpc`. */
  readonly grpcType?: string
  /** Joined `Accept-Language`. Default none. */
  readonly acceptLanguage?: string
  /** Where the user may go back to: a target that is safe as one. */
  readonly target?: string
  /** The path of the application's front page. */
  readonly start?: string
  /** The application's name, where it is known which is asked for. */
  readonly application?: string
  readonly branding?: Branding
  /** Origins whose pages may show the answer in a frame. Default none. */
  readonly ancestors?: readonly string[]
  /** It is shown in one. Default false. */
  readonly isFramed?: boolean
}

/** The answer, in the form that was asked for. */
export function failureResponse(
  failure: Failure,
  asked: Asked,
  renderer: PageRenderer = {},
): FailureResponse {
  const worded = { ...failure, ...words(failure, asked, renderer) }
  switch (asked.accept) {
    case 'html':
      return pageResponse(worded, asked, renderer)
    case 'grpc':
      return grpcResponse(worded, asked.grpcType)
    case 'problem':
      return response(worded, typeOf(failure), problem(worded, renderer.problemTypes), [])
  }
}

function pageResponse(failure: Failure, asked: Asked, renderer: PageRenderer): FailureResponse {
  const { application, branding, ancestors, isFramed = false } = asked
  const all = failure.actions ?? usualActions(failure, asked)
  // In a frame the page has no button, so that no click can be stolen.
  const actions = isFramed && ancestors ? all.filter((action) => !('post' in action)) : all
  const page: Page = {
    ...{ ...failure, actions },
    ...(application !== undefined && { application }),
    ...(branding && { branding }),
    ...(ancestors && { ancestors }),
  }
  const { html, contentSecurityPolicy } = rendered(page, renderer)
  // `no-referrer` would also remove the Origin of a form's POST. `strict-origin` never tells the
  // path.
  const referrer = actions.some((action) => 'post' in action) ? 'strict-origin' : 'no-referrer'
  return response(failure, 'text/html; charset=utf-8', html, [
    ...['Content-Language', failure.language ?? 'en'],
    ...['Content-Security-Policy', contentSecurityPolicy],
    ...['Referrer-Policy', referrer],
  ])
}

function response(
  { status, code, error, retryAfterMs }: Failure,
  type: string,
  text: string,
  more: readonly string[],
): FailureResponse {
  const body = new TextEncoder().encode(text)
  const headers = ['Content-Type', type, 'Content-Length', String(body.length)]
  headers.push('Cache-Control', 'no-store', 'X-Content-Type-Options', 'nosniff', ...more)
  if (status >= 400) {
    const cause = error ?? (status < 500 ? 'http_request_denied' : 'proxy_internal_error')
    headers.push('Proxy-Status', `app-proxy; error=${cause}; details="${code}"`)
  }
  if (retryAfterMs !== undefined)
    headers.push('Retry-After', String(Math.max(1, Math.ceil(retryAfterMs / 1000))))
  return { status, headers, body }
}

/** What is no problem is plain JSON. */
const typeOf = ({ status }: Failure) =>
  status < 400 ? 'application/json' : 'application/problem+json'

function words(failure: Failure, { acceptLanguage = '' }: Asked, renderer: PageRenderer) {
  try {
    return renderer.words?.(failure, acceptLanguage)
  } catch {
    return undefined
  }
}

function rendered(page: Page, renderer: PageRenderer): RenderedPage {
  try {
    return renderer.html?.(page) ?? renderPage(page)
  } catch {
    return renderPage(page)
  }
}
