/**
 * What we give a browser to bring back, as a compact JWE (`dir`, A256GCM) under a key of the ring
 * that is derived for one purpose, tenant, application and host: opened anywhere else it is not a
 * cookie of ours.
 *
 * @see RFC 7516
 * @module
 */
import { CompactEncrypt, compactDecrypt } from 'jose'
import { Refused } from '../../protocol/wire/errors.ts'
import type { KeyRing } from './key-ring.ts'

/** Where a sealed value is valid. */
export interface SealScope {
  readonly purpose: 'session' | 'attempt' | 'hint' | 'state' | 'answer' | 'hand-over'
  readonly tenantId: string
  readonly applicationId: string
  /** Canonical `host[:port]`. */
  readonly host: string
}

/** The format's version: part of every derived key. */
const FORMAT = 'app-proxy cookie 1'
/** A longer value is not looked at: browsers keep 4096 octets of a cookie's name and value. */
export const MAX_SEALED_CHARACTERS = 4096
/** Nor is one that comes in an address. */
const MAX_IN_ADDRESS = 8192

/** Base64url in its one canonical spelling: no padding, and no bit that decoding would drop. */
const PART = '(?:[\\w-]{4})*(?:[\\w-][AQgw]|[\\w-]{2}[AEIMQUYcgkosw048])?'
/** Header, no encrypted key (`dir`), nonce, ciphertext, tag. */
const COMPACT = new RegExp(`^${PART}\\.\\.${PART}\\.${PART}\\.${PART}$`)

const use = ({ purpose, tenantId, applicationId, host }: SealScope) => [
  FORMAT,
  purpose,
  tenantId,
  applicationId,
  host,
]

/** Seals a JSON-able value under the newest key. */
export async function seal(ring: KeyRing, scope: SealScope, value: object): Promise<string> {
  const kid = ring.newest
  return new CompactEncrypt(new TextEncoder().encode(JSON.stringify(value)))
    .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', kid })
    .encrypt(await ring.derive(kid, use(scope)))
}

/**
 * What {@link seal} sealed for the same scope; `undefined` for everything else, whatever is wrong
 * with it.
 */
export async function unseal(ring: KeyRing, scope: SealScope, value: string): Promise<unknown> {
  // Base64 decoding is lenient: accept the one canonical text only, or two texts would name one
  // session.
  const isCookie = scope.purpose === 'session' || scope.purpose === 'attempt'
  const most = isCookie ? MAX_SEALED_CHARACTERS : MAX_IN_ADDRESS
  if (value.length > most || !COMPACT.test(value)) return undefined
  try {
    const { plaintext } = await compactDecrypt(
      value,
      ({ alg, enc, kid, ...others }) => {
        // Exactly the header that seal() writes: no `zip`, no `crit`, no embedded key.
        if (alg !== 'dir' || enc !== 'A256GCM' || Object.keys(others).length > 0)
          throw new Refused('request-malformed', 'not a header of ours')
        return ring.derive(kid ?? '', use(scope))
      },
      { keyManagementAlgorithms: ['dir'], contentEncryptionAlgorithms: ['A256GCM'] },
    )
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(plaintext))
  } catch {
    return undefined
  }
}
