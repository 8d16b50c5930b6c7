/** What every store of revoked sessions does. */
import { describe, expect, test } from 'vitest'
import type { Application, Revocation, SessionRevocations } from '../../src/cloud/index.ts'
import { until } from '../until.ts'

const NOW = Date.now()
const application = { id: 'wiki', tenantId: 'contoso' } as Application
const user = { issuer: 'https://id.example', subject: 'alice' }
const alice = { id: 'session-1', startedAt: NOW, user, issuerSession: 'sid-1' }
const ALL: readonly Revocation[] = [
  { kind: 'session', id: 'session-1', at: NOW },
  { kind: 'user', ...user, at: NOW },
  { kind: 'user', ...user, applicationId: 'wiki', at: NOW },
  { kind: 'issuer-session', issuer: user.issuer, issuerSession: 'sid-1', at: NOW },
  { kind: 'application', applicationId: 'wiki', at: NOW },
]

/**
 * @param make opens them; where they are shared, each call is another instance's view of the same
 */
export function revocationsSuite(
  name: string,
  make: () => Promise<SessionRevocations>,
  { isShared }: { readonly isShared: boolean },
): void {
  describe(`revocations in ${name}`, () => {
    test.each(ALL)('of a $kind are in effect before they are answered, and told', async (one) => {
      const revocations = await make()
      const told: Revocation[] = []
      revocations.subscribe((revocation) => void told.push(revocation))
      const { version } = revocations
      expect(revocations.isRevoked(alice, application)).toBe(false)
      const revoked = revocations.revoke(one)
      expect(revocations.isRevoked(alice, application)).toBe(true)
      await revoked
      expect(revocations.version).not.toBe(version)
      expect(told).toEqual([one])
    })

    test('hold for what began up to then; never move back', async () => {
      const revocations = await make()
      await revocations.revoke(ALL[1]!)
      await revocations.revoke({ ...ALL[1]!, at: NOW - 60_000 })
      expect(revocations.isRevoked(alice, application)).toBe(true)
      const later = { ...alice, startedAt: NOW + 1 }
      expect(revocations.isRevoked(later, application)).toBe(false)
    })

    if (isShared)
      test.each(ALL)('of a $kind reach the other instances, and those to come', async (one) => {
        const [here, there] = [await make(), await make()]
        const told: Revocation[] = []
        there.subscribe((revocation) => void told.push(revocation))
        await here.revoke(one)
        await until(() => there.isRevoked(alice, application))
        expect(told).toEqual([one])
        expect((await make()).isRevoked(alice, application)).toBe(true)
      })
  })
}
