/**
 * An application's CORS rule as an operator writes it.
 *
 * @see spec/PROTOCOL.md, "Cross-origin requests"
 * @module
 */
import * as v from 'valibot'
import { texts } from './configuration-values.ts'
import { canonicalHost, ConfigurationInvalid, isToken } from '../../protocol/internal.ts'

export const CorsConfiguration = v.strictObject({
  origins: v.pipe(
    v.pipe(texts, v.minLength(1)),
    v.description(
      'Origins whose pages may read answers, such as `https://portal.example`; or `*` alone, for any, without credentials.',
    ),
  ),
  methods: v.pipe(
    v.optional(texts, ['GET', 'HEAD', 'POST']),
    v.description('What they may ask with.'),
  ),
  headers: v.pipe(
    v.optional(texts, []),
    v.description(
      'Header names they may send besides those every page may; `x-app-*` for all that begin so, `*` for all but Authorization.',
    ),
  ),
  exposeHeaders: v.pipe(
    v.optional(texts, []),
    v.description(
      'Header names of answers that they may read besides those every page may, and WWW-Authenticate.',
    ),
  ),
  credentials: v.pipe(
    v.optional(v.boolean(), false),
    v.description(
      'Whether their requests may carry cookies. Browsers send the session cookie to other sites only with `session.sameSite` "none".',
    ),
  ),
  maxAgeSeconds: v.pipe(
    v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(86_400)), 600),
    v.description('Seconds for which a browser need not ask again.'),
  ),
  paths: v.pipe(
    v.optional(texts),
    v.description(
      'Paths, as users see them, that the rule is for, each with all below. Default: the whole application.',
    ),
  ),
})
export type Cors = v.InferOutput<typeof CorsConfiguration>

/** @throws ConfigurationInvalid */
export function checkCors(cors: Cors, externalUrl: string, path: string): void {
  const { origins, methods, headers, exposeHeaders, credentials, paths = [] } = cors
  const each = (
    list: string,
    values: readonly string[],
    fault: (value: string) => string | false,
  ) =>
    values.forEach((value, i) => {
      const detail = fault(value)
      if (detail !== false) throw new ConfigurationInvalid(`${path}.${list}[${i}]`, detail)
    })
  each('origins', origins, (origin) => {
    if (origin === '*' && origins.length === 1)
      return credentials && 'is too many for requests with credentials'
    return !isOrigin(origin) && 'must be an origin, such as "https://host.example"'
  })
  each('methods', methods, (method) => !isToken(method) && 'is no method')
  each('headers', headers, (name) => !isToken(name) && 'is no header name')
  each('exposeHeaders', exposeHeaders, (name) =>
    name === '*' && credentials
      ? 'means nothing for requests with credentials'
      : !isToken(name) && 'is no header name',
  )
  const { pathname } = new URL(externalUrl)
  each('paths', paths, (prefix) =>
    !prefix.startsWith('/') || /[%;\\?#]|\/\/|\/\.\.?(?:\/|$)/.test(prefix)
      ? 'must be a plain path'
      : !prefix.startsWith(pathname) && `${prefix}/` !== pathname
        ? 'is not a path of this application'
        : false,
  )
}

/** Browsers send them in one form, so that is the one to compare with. */
export function isOrigin(origin: string): boolean {
  if (!/^https?:/.test(origin) || !URL.canParse(origin)) return false
  const url = new URL(origin)
  return url.origin === origin && canonicalHost(url.host) !== undefined
}
