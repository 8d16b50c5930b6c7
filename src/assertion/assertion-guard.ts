/**
 * Reads the assertion of a request, whatever server it came to.
 *
 * @see docs/single-sign-on/assertion.md
 * @module
 */
import { ASSERTION_HEADER, type AssertionClaims } from './assertion-claims.ts'
import { AssertionRefused } from './assertion-refused.ts'
import { verifyAssertion, type VerifyAssertionOptions } from './verify-assertion.ts'

/** Options of {@link assertionGuard}. */
export interface AssertionGuardOptions extends Omit<VerifyAssertionOptions, 'request'> {
  /**
   * The field that carries it, as the application's configuration says. Default {@link
   * ASSERTION_HEADER}.
   */
  readonly header?: string | undefined
  /** The path of the application's internal URL. Default: `/`. */
  readonly basePath?: string | undefined
}

/** What of a request is looked at, as every framework has it. */
export interface GuardedRequest {
  readonly method: string
  /** Path and query, as they came: `req.originalUrl` of Express and Fastify, `req.url` of Node. */
  readonly url: string
  /** The value of a field, by its name in lower case. Several values are none. */
  header(name: string): string | readonly string[] | null | undefined
}

/** Resolves to whom a request is of; rejects with {@link AssertionRefused}. */
export type AssertionGuard = (request: GuardedRequest) => Promise<AssertionClaims>

/**
 * Makes what checks each request: that its assertion is good, and was made for this very request.
 *
 *     const guard = assertionGuard({
 *       audience: 'https://wiki.example/',
 *       issuer: 'https://wiki.example',
 *       keys: new URL('https://wiki.example/.app-proxy/assertion-keys'),
 *     })
 *     app.use((req, res, next) => {
 *       guard({ method: req.method, url: req.originalUrl, header: (name) => req.headers[name] })
 *         .then((claims) => { res.locals.user = claims; next() })
 *         .catch(() => res.sendStatus(401))
 *     })
 */
export function assertionGuard(options: AssertionGuardOptions): AssertionGuard {
  const { header = ASSERTION_HEADER, basePath = '/', ...checks } = options
  const name = header.toLowerCase()
  return async ({ method, url, header: valueOf }) => {
    const token = tokenIn(valueOf(name), name)
    const external = externalUrl(checks.audience, basePath, url)
    // Nothing is told of a request that carries none.
    if (token !== undefined && external === undefined) throw new AssertionRefused('url')
    return verifyAssertion(token, { ...checks, request: { method, url: external } })
  }
}

function tokenIn(value: ReturnType<GuardedRequest['header']>, name: string): string | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string') {
    if (value.length > 1) throw new AssertionRefused('malformed', 'more than one')
    return tokenIn(value[0], name)
  }
  return name === 'authorization' ? value.replace(/^Bearer +/i, '') : value
}

/** The URL as the user sees it. Undefined: the path is none of the application's. */
function externalUrl(audience: string, basePath: string, url: string): string | undefined {
  const base = basePath.replace(/\/$/, '')
  const path = url.replace(/[?#].*$/s, '')
  if (path !== base && !path.startsWith(`${base}/`)) return undefined
  return audience.replace(/\/$/, '') + path.slice(base.length)
}
