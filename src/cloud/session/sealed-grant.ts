/**
 * A session's grant as it is kept: a JWE (`dir`, A256GCM) under a key of the ring that is derived
 * for this purpose, tenant and application, bound to the session's id.
 *
 * @see RFC 7516 section 7.2.2
 * @module
 */
import { FlattenedEncrypt, flattenedDecrypt, base64url, type FlattenedJWE } from 'jose'
import * as v from 'valibot'
import type { SessionGrant } from '../../protocol/machines/session-renewal.ts'
import type { SignInIdentity } from '../../protocol/machines/sign-in.ts'
import type { Application } from '../directory/directory-port.ts'
import type { KeyRing } from './key-ring.ts'

const FORMAT = 'app-proxy grant 1'

const Sealed = v.object({
  refreshToken: v.string(),
  nonce: v.string(),
  identity: v.looseObject({ subject: v.string(), issuer: v.string(), expiresAt: v.number() }),
  renewedAt: v.number(),
})

const use = ({ id, tenantId }: Application) => [FORMAT, tenantId, id]

export async function sealGrant(
  ring: KeyRing,
  application: Application,
  sessionId: string,
  grant: SessionGrant,
): Promise<string> {
  const kid = ring.newest
  const text = new TextEncoder().encode(JSON.stringify(grant))
  const jwe = await new FlattenedEncrypt(text)
    .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', kid })
    .setAdditionalAuthenticatedData(new TextEncoder().encode(sessionId))
    .encrypt(await ring.derive(kid, use(application)))
  return JSON.stringify(jwe)
}

/** What {@link sealGrant} sealed for the same session; `undefined` for everything else. */
export async function unsealGrant(
  ring: KeyRing,
  application: Application,
  sessionId: string,
  sealed: string,
): Promise<SessionGrant | undefined> {
  try {
    const jwe = JSON.parse(sealed) as FlattenedJWE
    // The session's id is part of the scope: a grant cannot be moved to another session.
    if (jwe.aad !== base64url.encode(sessionId)) return undefined
    const { plaintext } = await flattenedDecrypt(
      jwe,
      ({ kid = '' } = {}) => ring.derive(kid, use(application)),
      { keyManagementAlgorithms: ['dir'], contentEncryptionAlgorithms: ['A256GCM'] },
    )
    const text = new TextDecoder('utf-8', { fatal: true }).decode(plaintext)
    const { identity, ...rest } = v.parse(Sealed, JSON.parse(text))
    return { ...rest, identity: identity as unknown as SignInIdentity }
  } catch {
    return undefined
  }
}
