/**
 * What an application grants to pages of other sites.
 *
 * @see spec/PROTOCOL.md, "Cross-origin requests"; Fetch, section 3.3
 * @module
 */
import {
  headerValue,
  headerValues,
  isToken,
  selectByPath,
  type HeaderList,
} from '../../protocol/internal.ts'
import type { Cors } from './cors-configuration.ts'

/** What of a request decides. */
export interface CrossOriginRequest {
  readonly method: string
  readonly headers: HeaderList
}

/** Why a preflight is refused. Stable: programs may switch on it. */
export type CorsRefusal =
  'cors-not-configured' | 'cors-origin-refused' | 'cors-method-refused' | 'cors-headers-refused'

/** @see Fetch, section 3.3.2: a CORS-preflight request */
export function isPreflight({ method, headers }: CrossOriginRequest): boolean {
  return (
    method === 'OPTIONS' &&
    headerValue(headers, 'origin') !== undefined &&
    headerValue(headers, 'access-control-request-method') !== undefined
  )
}

/** An application's rule, ready for use. */
export class CorsRule {
  /** What an answer says that grants nothing. */
  readonly grantsNothing: HeaderList
  /** Its one origin is `*`. */
  readonly isAny: boolean
  readonly #paths: readonly string[] | undefined
  readonly #credentials: boolean
  /** By origin. */
  readonly #grants: ReadonlyMap<string, HeaderList>
  readonly #methods: ReadonlySet<string>
  readonly #headers: AllowedNames
  readonly #terms: HeaderList

  constructor(cors: Cors) {
    const { origins, methods, exposeHeaders, credentials } = cors
    this.#paths = cors.paths
    this.#credentials = credentials
    this.isAny = origins[0] === '*'
    this.grantsNothing = this.isAny ? [] : ['Vary', 'Origin']
    const exposed = ['Access-Control-Expose-Headers', [...exposeHeaders, EXPOSED].join(', ')]
    const allowed = credentials ? ['Access-Control-Allow-Credentials', 'true'] : []
    this.#grants = new Map(
      origins.map((origin) => [
        origin,
        ['Access-Control-Allow-Origin', origin, ...allowed, ...exposed, ...this.grantsNothing],
      ]),
    )
    this.#methods = new Set(methods)
    this.#headers = new AllowedNames(cors.headers)
    this.#terms = [
      ...allowed,
      ...['Access-Control-Allow-Methods', methods.join(', ')],
      ...['Access-Control-Max-Age', String(cors.maxAgeSeconds)],
      ...['Vary', 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers'],
    ]
  }

  get isForAllPaths(): boolean {
    return this.#paths === undefined
  }

  /** @throws ExchangeFailed `user-malformed` when the path can be read in two ways */
  covers(path: string): boolean {
    return this.#paths === undefined || selectByPath(path, this.#paths) !== undefined
  }

  /** Whether pages of this origin may ask for the path in the name of who is signed in. */
  mayAct(origin: string, path: string): boolean {
    return this.#credentials && this.#grants.has(origin) && this.covers(path)
  }

  /** What the answer to a request says. */
  grants({ headers }: CrossOriginRequest): HeaderList {
    const [origin, ...more] = headerValues(headers, 'origin')
    if (this.isAny) return this.#grants.get('*')!
    if (origin === undefined || more.length > 0) return this.grantsNothing
    return this.#grants.get(origin) ?? this.grantsNothing
  }

  /** What the answer to a preflight says, or why there is nothing to grant. */
  preflight({ headers }: CrossOriginRequest): HeaderList | CorsRefusal {
    const [origin = '', ...origins] = headerValues(headers, 'origin')
    const [method = '', ...methods] = headerValues(headers, 'access-control-request-method')
    const allowed = this.isAny ? '*' : origin
    if (origins.length > 0 || !this.#grants.has(allowed)) return 'cors-origin-refused'
    if (methods.length > 0 || !this.#methods.has(method)) return 'cors-method-refused'
    const names = headerValues(headers, 'access-control-request-headers')
      .flatMap((value) => value.split(','))
      .map((name) => name.trim())
      .filter((name) => name !== '')
    if (names.length > MAX_NAMES || !names.every((name) => this.#headers.has(name)))
      return 'cors-headers-refused'
    const asked = names.length === 0 ? [] : ['Access-Control-Allow-Headers', names.join(', ')]
    return ['Access-Control-Allow-Origin', allowed, ...asked, ...this.#terms]
  }
}

/** A script must be able to read why it got a 401. */
const EXPOSED = 'WWW-Authenticate'
const MAX_NAMES = 100

/** Header names, in any letter case; some by their beginning. */
class AllowedNames {
  readonly #names: ReadonlySet<string>
  readonly #beginnings: readonly string[]

  constructor(patterns: readonly string[]) {
    const lower = patterns.map((pattern) => pattern.toLowerCase())
    this.#names = new Set(lower.filter((pattern) => !pattern.endsWith('*')))
    this.#beginnings = lower
      .filter((pattern) => pattern.endsWith('*'))
      .map((pattern) => pattern.slice(0, -1))
  }

  has(name: string): boolean {
    const lower = name.toLowerCase()
    if (this.#names.has(lower)) return true
    // As in Fetch: `authorization` must be named; no pattern covers it.
    if (lower === 'authorization' || !isToken(name)) return false
    return this.#beginnings.some((beginning) => lower.startsWith(beginning))
  }
}
