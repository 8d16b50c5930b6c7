/** Instances and connectors as processes of their own, and an operator who revokes one. */
import { expect, test } from 'vitest'
import { describeWithPackages } from '../test/debian-packages.ts'
import { revocation } from '../test/fleet/revocation.ts'

describeWithPackages(
  'a connector is revoked at one of two processes',
  ['nats-server'],
  () => {
    test.each(['LMDB', 'NATS'] as const)(
      'R8.3a its links are cut at both, every call is refused at both, and it stays so when all of them were killed (%s)',
      async (engine) => {
        const { before, after, restarted } = await revocation(engine)
        expect(before.links.flat().every((count) => count > 0)).toBe(true)
        for (const seen of [after, restarted]) {
          expect(seen.links.map(([revoked]) => revoked)).toEqual([0, 0])
          expect(seen.links.every(([, other]) => other > 0)).toBe(true)
          expect(seen.refusals).toEqual(['403 certificate-revoked'])
        }
      },
    )
  },
  120_000,
)
