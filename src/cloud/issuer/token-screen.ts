/**
 * What a signed token must look like before anything of it is believed, or any key looked for.
 *
 * A token brings its own instructions: which algorithm, which key, where to find it, which
 * extensions to honour. Of these only the name of a key is listened to. What is refused here is
 * refused for its own reason, and costs no signature and no look-up.
 *
 * @see RFC 7515 section 4; RFC 7519 sections 4 and 7.2; RFC 8725 sections 3.1 and 3.10 to 3.12
 * @module
 */
import { base64url, type JWTPayload } from 'jose'
import { withoutNulls } from './null-claims.ts'
import { SignInDenied } from '../identity/sign-in-errors.ts'

export interface ScreenOptions {
  /** Signatures that are accepted. */
  readonly algorithms: readonly string[]
  /** Claims it must have. Default {@link USUAL_CLAIMS}. */
  readonly claims?: readonly string[]
  /**
   * Media types (`typ`) that are accepted, without `application/`; `undefined` stands for none at
   * all.
   */
  readonly types: readonly (string | undefined)[]
  /** Characters. Default 32 768. */
  readonly maxCharacters?: number
}

export interface ScreenedToken {
  readonly header: { readonly alg: string; readonly kid?: string }
  /** Not verified: by now anybody may have written them. */
  readonly claims: JWTPayload
}

/** Signatures by a private key only: never `none`, never a shared secret. */
export const SIGNATURE_ALGORITHMS: readonly string[] = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
]

/** What every token has that says who its user is. */
export const USUAL_CLAIMS: readonly string[] = ['iss', 'sub', 'aud', 'iat', 'exp']
/** Of these kinds even where they may be missing. */
const TYPED = [...USUAL_CLAIMS, 'nbf']

/** Header parameters by which a token would choose its own key, or change what is verified. */
const INSTRUCTIONS = ['jwk', 'jku', 'x5u', 'x5c', 'crit', 'b64', 'zip', 'enc']
const MAX_CHARACTERS = 32 * 1024
const MAX_HEADER_CHARACTERS = 2 * 1024
/** OpenID Connect Core section 2. */
const MAX_SUBJECT = 255

/** @throws SignInDenied `token-…` */
export function screenToken(token: string, options: ScreenOptions): ScreenedToken {
  const {
    algorithms,
    types,
    claims: required = USUAL_CLAIMS,
    maxCharacters = MAX_CHARACTERS,
  } = options
  if (token.length > maxCharacters) throw new SignInDenied('token-too-large')
  const parts = token.split('.', 6)
  if (parts.length === 5) throw new SignInDenied('token-encrypted')
  if (parts.length !== 3) throw new SignInDenied('token-malformed', 'parts')
  const [first, second] = parts as [string, string, string]
  if (first.length > MAX_HEADER_CHARACTERS) throw new SignInDenied('token-too-large', 'header')
  const header = jsonObject(first, 'header')
  const { alg, kid, typ } = header
  for (const name of INSTRUCTIONS)
    if (Object.hasOwn(header, name)) throw new SignInDenied('token-header', name)
  if (typeof alg !== 'string' || !algorithms.includes(alg))
    throw new SignInDenied('token-algorithm')
  if (kid !== undefined && typeof kid !== 'string') throw new SignInDenied('token-header', 'kid')
  if (!types.includes(mediaType(typ))) throw new SignInDenied('token-header', 'typ')
  const claims = withoutNulls(jsonObject(second, 'claims'))
  for (const name of required)
    if (!isClaim(name, claims[name])) throw new SignInDenied('token-claims', name)
  for (const name of TYPED)
    if (claims[name] !== undefined && !isClaim(name, claims[name]))
      throw new SignInDenied('token-claims', name)
  return { header: kid === undefined ? { alg } : { alg, kid }, claims }
}

function jsonObject(part: string, what: string): Record<string, unknown> {
  let text: string
  let value: unknown
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(base64url.decode(part))
    value = JSON.parse(text)
  } catch {
    throw new SignInDenied('token-malformed', what)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new SignInDenied('token-malformed', what)
  // Two readers could see two tokens.
  if (hasDuplicates(text)) throw new SignInDenied('token-malformed', 'duplicate')
  return value as Record<string, unknown>
}

/** Whether an object of a JSON text, which is known to be valid, has a member twice. */
function hasDuplicates(text: string): boolean {
  const objects: Set<string>[] = []
  for (const [piece, name, colon] of text.matchAll(/[{}]|("(?:[^"\\]|\\.)*")\s*(:?)/g)) {
    if (piece === '{') objects.push(new Set())
    else if (piece === '}') objects.pop()
    else if (colon === ':') {
      const members = objects.at(-1)!
      const before = members.size
      if (members.add(JSON.parse(name!) as string).size === before) return true
    }
  }
  return false
}

/** `application/` may be left out of a `typ`, and case says nothing. */
function mediaType(typ: unknown): string | undefined {
  return typeof typ === 'string' ? typ.toLowerCase().replace(/^application\//, '') : undefined
}

function isClaim(name: string, value: unknown): boolean {
  switch (name) {
    case 'iat':
    case 'exp':
    case 'nbf':
      return typeof value === 'number' && Number.isFinite(value)
    case 'aud':
      return Array.isArray(value)
        ? value.length > 0 && value.every((audience) => typeof audience === 'string')
        : typeof value === 'string'
    case 'sub':
      return typeof value === 'string' && value !== '' && value.length <= MAX_SUBJECT
    default:
      return typeof value === 'string' && value !== ''
  }
}
