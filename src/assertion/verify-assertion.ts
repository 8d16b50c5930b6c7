/**
 * Whether an assertion is good: for the application that is shown it.
 *
 * @see docs/single-sign-on/assertion.md; RFC 7519, RFC 8725
 * @module
 */
import { compactVerify, decodeProtectedHeader, errors, type ProtectedHeaderParameters } from 'jose'
import { systemClocks } from '../runtime/clocks.ts'
import { remembered } from '../runtime/remembered.ts'
import {
  ASSERTION_ALGORITHM,
  ASSERTION_TYPE,
  type AssertionClaims,
  type AssertionKeySet,
  type AssertionPublicKey,
} from './assertion-claims.ts'
import { AssertionRefused } from './assertion-refused.ts'
import { importPublicKey, PublicKeys } from './public-keys.ts'
import { remoteKeys } from './remote-keys.ts'

/**
 * Where keys come from: the address at which the service publishes them; the set itself, as it was
 * written to a file; or a function that finds one by name.
 *
 * Pass the same object each time: what was fetched or imported is remembered by it.
 */
export type AssertionKeySource =
  | URL
  | AssertionKeySet
  | ((
      kid: string,
    ) =>
      | CryptoKey
      | AssertionPublicKey
      | undefined
      | Promise<CryptoKey | AssertionPublicKey | undefined>)

/** Options of {@link verifyAssertion}. */
export interface VerifyAssertionOptions {
  /** The application, as assertions name it: its external URL, such as `https://wiki.example/`. */
  readonly audience: string
  /**
   * The service: its configured URL, else scheme, host and port of the external URL, such as
   * `https://wiki.example`.
   */
  readonly issuer: string
  /** The keys of the service. */
  readonly keys: AssertionKeySource
  /** Which request it must have been made for. Default: any of the application's. */
  readonly request?: AssertedRequest | undefined
  /** Whether it was seen before. Default: it may be shown again until it ends. */
  readonly replays?: AssertionReplays | undefined
  /** How far clocks may be apart. Milliseconds, default 5 000. */
  readonly clockTolerance?: number | undefined
  /** Milliseconds since 1970. Default: the runtime's clock. */
  readonly now?: (() => number) | undefined
}

/** A request, as an assertion names it. */
export interface AssertedRequest {
  readonly method: string
  /** As the user sees it; what stands behind `?` is not compared. Default: any URL. */
  readonly url?: string | undefined
}

/** Remembers which assertions were seen. */
export interface AssertionReplays {
  /**
   * Whether this one was seen before; remembers it until `expiresAt`, milliseconds since 1970. Two
   * calls at once for the same must not both be told `false`.
   */
  isReplay(jti: string, expiresAt: number): boolean | Promise<boolean>
}

/** A longer one is not looked at. */
const MAX_CHARACTERS = 16_384
/** Base64url in its one canonical spelling: no bit that decoding would drop. */
const PART = '(?:[\\w-]{4})*(?:[\\w-][AQgw]|[\\w-]{2}[AEIMQUYcgkosw048])?'
const COMPACT = new RegExp(`^${PART}\\.${PART}\\.${PART}$`)
const DEFAULT_TOLERANCE_MS = 5_000

/**
 * The claims of an assertion that is good. Its keys are looked up first, then its signature, then
 * what it says: of several faults the first is told.
 *
 * @param token the field's value; undefined or empty: there was none
 * @throws AssertionRefused with the reason
 */
export async function verifyAssertion(
  token: string | undefined,
  options: VerifyAssertionOptions,
): Promise<AssertionClaims> {
  if (token === undefined || token === '') throw new AssertionRefused('missing')
  const { kid } = readHeader(token)
  const key = await findKey(options.keys, kid)
  if (key === undefined) throw new AssertionRefused('key-unknown')
  const claims = await readPayload(token, key)
  checkClaims(claims, options)
  const { replays } = options
  // Only what is good otherwise is remembered: nobody else fills that memory.
  const until = claims.exp * 1000 + toleranceOf(options)
  if (replays !== undefined && (await replays.isReplay(claims.jti, until)))
    throw new AssertionRefused('replayed')
  return claims
}

function readHeader(token: string): { readonly kid: string } {
  if (typeof token !== 'string' || token.length > MAX_CHARACTERS || !COMPACT.test(token))
    throw new AssertionRefused('malformed')
  let header: ProtectedHeaderParameters
  try {
    header = decodeProtectedHeader(token)
  } catch (cause) {
    throw new AssertionRefused('malformed', 'a header that cannot be read', { cause })
  }
  const { typ, alg, kid, crit } = header as Readonly<Record<string, unknown>>
  if (typeof typ !== 'string' || typ.toLowerCase() !== ASSERTION_TYPE)
    throw new AssertionRefused('type')
  if (alg !== ASSERTION_ALGORITHM) throw new AssertionRefused('algorithm')
  if (crit !== undefined) throw new AssertionRefused('malformed', 'a header that is not ours')
  if (typeof kid !== 'string') throw new AssertionRefused('key-unknown', 'no key is named')
  return { kid }
}

/** By the object that was given: what it came to. */
const fetched = new WeakMap<URL, ReturnType<typeof remoteKeys>>()
const imported = new WeakMap<AssertionKeySet, PublicKeys>()

async function findKey(source: AssertionKeySource, kid: string): Promise<CryptoKey | undefined> {
  if (typeof source === 'function') {
    const key = await source(kid)
    return key === undefined || isCryptoKey(key) ? key : importPublicKey(key)
  }
  if (source instanceof URL) return remembered(fetched, source, () => remoteKeys(source))(kid)
  return remembered(imported, source, () => new PublicKeys(source)).find(kid)
}

function isCryptoKey(key: CryptoKey | AssertionPublicKey): key is CryptoKey {
  return 'algorithm' in key && 'usages' in key
}

async function readPayload(token: string, key: CryptoKey): Promise<AssertionClaims> {
  let payload: unknown
  try {
    const verified = await compactVerify(token, key, { algorithms: [ASSERTION_ALGORITHM] })
    payload = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(verified.payload))
  } catch (cause) {
    if (cause instanceof errors.JWSSignatureVerificationFailed)
      throw new AssertionRefused('signature')
    throw new AssertionRefused('malformed', '', { cause })
  }
  if (!isClaims(payload)) throw new AssertionRefused('malformed', 'a claim is missing, or is none')
  return payload
}

const TEXTS = ['iss', 'aud', 'sub', 'sub_iss', 'tid', 'jti', 'htm', 'htu'] as const
const TIMES = ['iat', 'exp'] as const

function isClaims(payload: unknown): payload is AssertionClaims {
  if (typeof payload !== 'object' || payload === null || Array.isArray(payload)) return false
  const claims = payload as Readonly<Record<string, unknown>>
  const isText = (name: string) => typeof claims[name] === 'string' && claims[name] !== ''
  return TEXTS.every(isText) && TIMES.every((name) => Number.isSafeInteger(claims[name]))
}

function checkClaims(claims: AssertionClaims, options: VerifyAssertionOptions): void {
  const { audience, issuer, request, now = systemClocks.wallClock } = options
  if (claims.iss !== issuer) throw new AssertionRefused('issuer')
  if (claims.aud !== audience) throw new AssertionRefused('audience')
  const tolerance = toleranceOf(options)
  const time = now()
  if (claims.exp * 1000 + tolerance <= time) throw new AssertionRefused('expired')
  if (claims.iat * 1000 - tolerance > time) throw new AssertionRefused('not-yet-valid')
  if (request === undefined) return
  if (claims.htm !== request.method) throw new AssertionRefused('method')
  const { url } = request
  if (url !== undefined && !isSameUrl(claims, url)) throw new AssertionRefused('url')
}

const toleranceOf = ({ clockTolerance = DEFAULT_TOLERANCE_MS }: VerifyAssertionOptions) =>
  clockTolerance

/**
 * By what they mean (RFC 3986, section 6.2), and without what stands behind the path. The
 * application itself may be asked for without its last slash, which it is not told.
 */
function isSameUrl({ htu, aud }: AssertionClaims, asked: string): boolean {
  const [one, other] = [withoutQuery(htu), withoutQuery(asked)]
  return one !== undefined && (one === other || (`${one}/` === other && other === aud))
}

function withoutQuery(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined
  const { protocol, host, pathname } = new URL(text)
  return `${protocol}//${host}${pathname}`
}
