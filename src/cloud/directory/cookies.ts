/**
 * The names and attributes of our own cookies, and how they are told from the application's.
 *
 * On https names carry `__Host-`: no sibling domain can set or shadow them. On `http` (localhost
 * names only) browsers would drop that, so neither prefix nor `Secure` is there. Names are compared
 * octet for octet and never trimmed of anything but SP and HTAB.
 *
 * @see RFC 6265bis section 4.1.3.2
 * @module
 */

/** A header's worth of cookies is not looked at beyond this. */
const MAX_COOKIE_CHARACTERS = 64 * 1024
const OURS = /^(?:__host-|__secure-)?app-proxy-/i

/**
 * The name of one of our cookies; `rest` is made a cookie-name token. A `hint` is for one path,
 * which `__Host-` forbids. A session that is partitioned has another name: a browser keeps one of
 * either kind, and where both came by one name neither would count.
 */
export function ownCookieName(
  secure: boolean,
  kind: 'session' | 'partitioned-session' | 'attempt' | 'hint',
  rest: string,
): string {
  const prefix = !secure ? '' : kind === 'hint' ? '__Secure-' : '__Host-'
  return `${prefix}app-proxy-${kind}-${asToken(rest)}`
}

const asToken = (text: string) =>
  Array.from(new TextEncoder().encode(text), (octet) => {
    const character = String.fromCharCode(octet)
    return /[A-Za-z0-9._-]/.test(character)
      ? character
      : `%${octet.toString(16).padStart(2, '0').toUpperCase()}`
  }).join('')

/** One of our names, in any letter case: kept from the application in both directions. */
export function isOwnCookie(name: string): boolean {
  return OURS.test(name)
}

/** What a browser is told of a cookie besides its value. */
export interface CookieAttributes {
  /** It goes by https alone. */
  readonly secure: boolean
  /** `None` is for https alone. */
  readonly sameSite: 'Lax' | 'None'
  /** One for each site whose page holds ours in a frame (CHIPS); for https alone. Default false. */
  readonly partitioned?: boolean | undefined
  /** Seconds. Default: until the browser closes. */
  readonly maxAgeSeconds?: number | undefined
  /** Default `/`. */
  readonly path?: string | undefined
}

/**
 * One of our cookies. Browsers let a removal in where they would let the cookie in, and nowhere
 * else: so both are made here, from the same attributes.
 */
export class OwnCookie {
  readonly name: string
  readonly #attributes: CookieAttributes

  constructor(name: string, attributes: CookieAttributes) {
    this.name = name
    this.#attributes = attributes
  }

  /** The `Set-Cookie` value that sets it. */
  set(value: string): string {
    return this.#told(value, this.#attributes.maxAgeSeconds)
  }

  /** The `Set-Cookie` value that removes it. */
  remove(): string {
    return this.#told('', 0)
  }

  #told(value: string, maxAgeSeconds: number | undefined): string {
    const { secure, sameSite, partitioned = false, path = '/' } = this.#attributes
    const age = maxAgeSeconds === undefined ? '' : `; Max-Age=${maxAgeSeconds}`
    const more = `${secure ? '; Secure' : ''}; HttpOnly; SameSite=${sameSite}`
    return `${this.name}=${value}; Path=${path}${age}${more}${partitioned ? '; Partitioned' : ''}`
  }
}

/** Whether a `Set-Cookie` value is of the cookie with this name. */
export const setsCookieNamed = (setCookie: string, name: string) => setCookie.startsWith(`${name}=`)

/** Our cookies among the `Cookie` fields of a request, in order, with repeats. */
export function ownCookies(fields: readonly string[]): readonly (readonly [string, string])[] {
  return pairs(fields)
    .map(split)
    .filter(([name]) => isOwnCookie(name))
}

/**
 * The value of the one cookie of that name, one of ours; `undefined` when there is none, or more
 * than one.
 */
export function onlyCookie(fields: readonly string[], name: string): string | undefined {
  let characters = 0
  for (const field of fields) characters += field.length
  if (characters > MAX_COOKIE_CHARACTERS) return undefined
  let found: string | undefined
  for (const field of fields) {
    for (let start = 0; start < field.length;) {
      const semicolon = field.indexOf(';', start)
      const end = semicolon === -1 ? field.length : semicolon
      const value = valueOf(field, start, end, name)
      if (value !== undefined && found !== undefined) return undefined
      found ??= value
      start = end + 1
    }
  }
  return found
}

/** The value of the pair in `field` from `start` to `end`, if it bears the name. */
function valueOf(field: string, start: number, end: number, name: string): string | undefined {
  let at = start
  while (isBlank(field, at)) at++
  if (!field.startsWith(name, at)) return undefined
  at += name.length
  while (isBlank(field, at)) at++
  if (at >= end || field.charCodeAt(at) !== EQUALS) return undefined
  let from = at + 1
  let to = end
  while (from < to && isBlank(field, from)) from++
  while (to > from && isBlank(field, to - 1)) to--
  return field.slice(from, to)
}

const EQUALS = 0x3d

function isBlank(text: string, at: number): boolean {
  const code = text.charCodeAt(at)
  return code === 0x20 || code === 0x09
}

function pairs(fields: readonly string[]): string[] {
  let length = 0
  for (const field of fields) length += field.length
  return length > MAX_COOKIE_CHARACTERS ? [] : fields.flatMap((field) => field.split(';'))
}

function split(pair: string): [string, string] {
  const equals = pair.indexOf('=')
  // A nameless cookie is all value (RFC 6265bis section 5.6): it never bears one of our names.
  if (equals < 0) return ['', trim(pair)]
  return [trim(pair.slice(0, equals)), trim(pair.slice(equals + 1))]
}

const trim = (text: string) => text.replace(/^[ \t]+|[ \t]+$/g, '')
