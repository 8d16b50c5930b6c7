/**
 * An application's CORS rule as an operator writes it.
 *
 * @see spec/PROTOCOL.md, "Cross-origin requests"
 * @module
 */
import * as v from 'valibot'
import type { CorsInput } from './application-input.ts'
import { texts } from './configuration-values.ts'
import { canonicalHost, isToken } from '../../protocol/internal.ts'
import type { TellMistake } from '../../runtime/configuration-mistakes.ts'

export const CorsConfiguration = v.strictObject({
  origins: v.pipe(texts, v.minLength(1)),
  methods: v.optional(texts, ['GET', 'HEAD', 'POST']),
  headers: v.optional(texts, []),
  exposeHeaders: v.optional(texts, []),
  credentials: v.optional(v.boolean(), false),
  maxAgeSeconds: v.optional(
    v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(86_400)),
    600,
  ),
  paths: v.optional(texts),
})
/** Which pages of other sites may read an application's answers, its defaults filled in. */
export interface Cors extends CorsInput {
  readonly methods: readonly string[]
  readonly headers: readonly string[]
  readonly exposeHeaders: readonly string[]
  readonly credentials: boolean
  readonly maxAgeSeconds: number
}

/** Tells what a schema cannot say. */
export function tellCors(
  cors: Cors,
  externalUrl: string | undefined,
  path: string,
  tell: TellMistake,
): void {
  const { origins, methods, headers, exposeHeaders, credentials, paths = [] } = cors
  const each = (
    list: string,
    values: readonly string[],
    fault: (value: string) => string | false,
  ) =>
    values.forEach((value, i) => {
      const detail = fault(value)
      if (detail !== false) tell(`${path}.${list}[${i}]`, detail)
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
  const base =
    externalUrl !== undefined && URL.canParse(externalUrl) ? new URL(externalUrl).pathname : ''
  each('paths', paths, (prefix) =>
    !prefix.startsWith('/') || /[%;\\?#]|\/\/|\/\.\.?(?:\/|$)/.test(prefix)
      ? 'must be a plain path'
      : !prefix.startsWith(base) && `${prefix}/` !== base
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
