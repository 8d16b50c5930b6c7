import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type {
  CertificateRecord,
  ConnectorRegistry,
  Registered,
  RegistrationOrder,
  RegistryChange,
} from '../../../src/cloud/index.ts'
import { DAY } from '../trust.ts'

export interface OpenRegistry {
  readonly registry: ConnectorRegistry
  /** The same registry as a later process sees it. */
  readonly reopen?: () => Promise<ConnectorRegistry>
  close(): Promise<void>
}

const T0 = 1_800_000_000_000
let counter = 0

function certificateOf(connectorId: string, keyId: string, now: number): CertificateRecord {
  counter += 1
  const serial = `4${counter.toString(16).padStart(31, '0')}`
  const der = new TextEncoder().encode(`${serial} ${keyId}`)
  return { serial, connectorId, keyId, der, issuedAt: now, expiresAt: now + 60 * DAY }
}

function order(overrides: Partial<RegistrationOrder> = {}): RegistrationOrder {
  const { now = T0, tenantId = 'contoso', keyId = 'key-1' } = overrides
  return {
    issuer: 'https://issuer.example',
    onceId: `once-${(counter += 1)}`,
    keyId,
    tokenExpiresAt: now + 300_000,
    tenantId,
    limit: 100,
    now,
    make: async () => newConnector(tenantId, keyId, now),
    ...overrides,
  }
}

function newConnector(tenantId: string, keyId: string, now: number): Registered {
  const id = `connector-${(counter += 1)}`
  return {
    connector: {
      id,
      tenantId,
      groupId: 'default',
      name: id,
      standing: 'active',
      registeredAt: now,
    },
    certificate: certificateOf(id, keyId, now),
  }
}

const refused = (reason: string) => expect.objectContaining({ code: 'ERR_REFUSED', reason })

/** What every connector registry does; `survives` for those that outlive their process. */
export function connectorRegistrySuite(
  name: string,
  open: () => Promise<OpenRegistry>,
  { survives }: { survives: boolean },
): void {
  describe(`a connector registry (${name})`, () => {
    let opened: OpenRegistry
    let registry: ConnectorRegistry
    beforeEach(async () => {
      opened = await open()
      registry = opened.registry
    })
    afterEach(() => opened.close())

    const renew = (serial: string, connectorId: string, keyId: string, now: number) =>
      registry.renew({
        serial,
        keyId,
        now,
        make: async () => certificateOf(connectorId, keyId, now),
      })

    describe('registering', () => {
      test('remembers connector and certificate', async () => {
        const { connector, certificate, repeated } = await registry.register(order())
        expect(repeated).toBe(false)
        expect(await registry.connector(connector.id)).toEqual(connector)
        expect(await registry.certificate(certificate.serial)).toEqual(certificate)
        expect(await registry.certificates(connector.id)).toEqual([certificate])
        expect(await registry.list('contoso')).toEqual([connector])
        expect(await registry.list('fabrikam')).toEqual([])
        expect(await registry.connector('nobody')).toBeUndefined()
        expect(await registry.certificate('4f')).toBeUndefined()
      })

      test('the same token with the same key yields the same answer, and makes nothing', async () => {
        const first = await registry.register(order({ onceId: 'lost-reply' }))
        const again = await registry.register(
          order({
            onceId: 'lost-reply',
            make: async () => expect.unreachable('it is known already'),
          }),
        )
        expect(again).toEqual({ ...first, repeated: true })
        expect(await registry.list('contoso')).toHaveLength(1)
      })

      test('the same token with another key is a replay', async () => {
        await registry.register(order({ onceId: 'stolen' }))
        const replay = registry.register(order({ onceId: 'stolen', keyId: 'key-2' }))
        await expect(replay).rejects.toEqual(refused('token-replayed'))
        expect(await registry.list('contoso')).toHaveLength(1)
      })

      test('the same id of another issuer is another token', async () => {
        await registry.register(order({ onceId: 'a' }))
        const other = order({ onceId: 'a', keyId: 'key-2', issuer: 'https://other.example' })
        expect((await registry.register(other)).repeated).toBe(false)
      })

      test('a tenant has no more connectors than its limit', async () => {
        await registry.register(order({ limit: 1 }))
        const second = registry.register(order({ limit: 1, keyId: 'key-2' }))
        await expect(second).rejects.toEqual(refused('connector-limit'))
        expect((await registry.register(order({ limit: 1, tenantId: 'fabrikam' }))).repeated).toBe(
          false,
        )
      })

      test('a revoked connector does not count against the limit', async () => {
        const { connector } = await registry.register(order({ limit: 1 }))
        await registry.setStanding(connector.id, 'revoked', T0)
        expect((await registry.register(order({ limit: 1 }))).repeated).toBe(false)
      })

      test('a lost reply is repeated even when the limit is reached meanwhile', async () => {
        const first = await registry.register(order({ onceId: 'lost', limit: 1 }))
        const again = await registry.register(order({ onceId: 'lost', limit: 1 }))
        expect(again.certificate).toEqual(first.certificate)
      })

      test('of many at once no more than the limit get in', async () => {
        const outcomes = await Promise.allSettled(
          Array.from({ length: 30 }, (_, i) =>
            registry.register(order({ limit: 10, keyId: `key-${i}` })),
          ),
        )
        expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(10)
        expect(await registry.list('contoso')).toHaveLength(10)
        for (const outcome of outcomes) {
          if (outcome.status === 'rejected') {
            expect(outcome.reason).toEqual(refused('connector-limit'))
          }
        }
      })

      test('of many with the same token at once all get the same certificate', async () => {
        const answers = await Promise.all(
          Array.from({ length: 20 }, () => registry.register(order({ onceId: 'at-once' }))),
        )
        expect(new Set(answers.map(({ certificate }) => certificate.serial)).size).toBe(1)
        expect(answers.filter(({ repeated }) => !repeated)).toHaveLength(1)
        expect(await registry.list('contoso')).toHaveLength(1)
      })

      test('of many keys with the same token at once exactly one gets in', async () => {
        const outcomes = await Promise.allSettled(
          Array.from({ length: 20 }, (_, i) =>
            registry.register(order({ onceId: 'contested', keyId: `key-${i}` })),
          ),
        )
        expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
        expect(await registry.list('contoso')).toHaveLength(1)
      })

      test('what cannot be made leaves nothing behind', async () => {
        const make = () => Promise.reject(new Error('no signature'))
        await expect(registry.register(order({ onceId: 'x', make }))).rejects.toThrow(
          'no signature',
        )
        expect(await registry.list('contoso')).toEqual([])
        expect((await registry.register(order({ onceId: 'x', keyId: 'key-2' }))).repeated).toBe(
          false,
        )
      })

      test('a spent token is forgotten when it has expired, and not before', async () => {
        const expiring = { onceId: 'old', tokenExpiresAt: T0 + 300_000 }
        await registry.register(order(expiring))
        await registry.register(order({ now: T0 + 299_999 }))
        const early = order({ ...expiring, keyId: 'key-2', now: T0 + 299_999 })
        await expect(registry.register(early)).rejects.toEqual(refused('token-replayed'))
        await registry.register(order({ now: T0 + 400_000 }))
        const late = order({ ...expiring, keyId: 'key-2', now: T0 + 400_000 })
        expect((await registry.register(late)).repeated).toBe(false)
      })
    })

    describe('renewing', () => {
      test('the same key always gets the same certificate', async () => {
        const { connector, certificate } = await registry.register(order())
        const first = await renew(certificate.serial, connector.id, 'next', T0 + DAY)
        const again = await renew(certificate.serial, connector.id, 'next', T0 + 2 * DAY)
        expect(first.repeated).toBe(false)
        expect(again).toEqual({ certificate: first.certificate, repeated: true })
        expect(await registry.certificates(connector.id)).toEqual([certificate, first.certificate])
      })

      test('many requests for the same key at once get the same certificate', async () => {
        const { connector, certificate } = await registry.register(order())
        const answers = await Promise.all(
          Array.from({ length: 20 }, () => renew(certificate.serial, connector.id, 'next', T0)),
        )
        expect(new Set(answers.map((answer) => answer.certificate.serial)).size).toBe(1)
        expect(await registry.certificates(connector.id)).toHaveLength(2)
      })

      test('the first use of the next certificate supersedes the older one after a day', async () => {
        const { connector, certificate } = await registry.register(order())
        await registry.used(certificate.serial, T0)
        const next = await renew(certificate.serial, connector.id, 'next', T0 + DAY)
        expect((await registry.certificate(certificate.serial))?.supersededUntil).toBeUndefined()
        const used = await registry.used(next.certificate.serial, T0 + 2 * DAY)
        expect(used.firstUsedAt).toBe(T0 + 2 * DAY)
        const old = await registry.certificate(certificate.serial)
        expect(old?.supersededUntil).toBe(T0 + 3 * DAY)
        await registry.used(next.certificate.serial, T0 + 9 * DAY)
        expect(await registry.certificate(next.certificate.serial)).toEqual(used)
        expect((await registry.certificate(certificate.serial))?.supersededUntil).toBe(T0 + 3 * DAY)
      })

      test('the use of an older certificate supersedes no newer one', async () => {
        const { connector, certificate } = await registry.register(order())
        const next = await renew(certificate.serial, connector.id, 'next', T0)
        await registry.used(certificate.serial, T0 + 1)
        expect(
          (await registry.certificate(next.certificate.serial))?.supersededUntil,
        ).toBeUndefined()
      })

      test('a superseded certificate gets what its key was given, and nothing new', async () => {
        const { connector, certificate } = await registry.register(order())
        const next = await renew(certificate.serial, connector.id, 'next', T0)
        await registry.used(next.certificate.serial, T0 + 1)
        const again = await renew(certificate.serial, connector.id, 'next', T0 + 2)
        expect(again.certificate.serial).toBe(next.certificate.serial)
        await expect(renew(certificate.serial, connector.id, 'thief', T0 + 2)).rejects.toEqual(
          refused('certificate-revoked'),
        )
      })

      test('nobody renews with an unknown certificate, or after revocation', async () => {
        const { connector, certificate } = await registry.register(order())
        await expect(renew('4f', connector.id, 'next', T0)).rejects.toEqual(
          refused('certificate-revoked'),
        )
        await registry.setStanding(connector.id, 'revoked', T0)
        await expect(renew(certificate.serial, connector.id, 'next', T0)).rejects.toEqual(
          refused('certificate-revoked'),
        )
        await expect(registry.used('4f', T0)).rejects.toEqual(refused('certificate-revoked'))
      })

      test('certificates never used do not pile up, and the caller keeps its own', async () => {
        const { connector, certificate } = await registry.register(order())
        let last = ''
        for (let i = 0; i < 20; i++) {
          const next = await renew(certificate.serial, connector.id, `next-${i}`, T0 + i)
          last = next.certificate.serial
        }
        const left = (await registry.certificates(connector.id)).map(({ serial }) => serial)
        expect(left).toHaveLength(5)
        expect(left[0]).toBe(certificate.serial)
        expect(left.at(-1)).toBe(last)
      })
    })

    test('certificates that are over go with a later roll', async () => {
      const { connector, certificate: first } = await registry.register(order())
      const second = await renew(first.serial, connector.id, 'second', T0 + 1)
      await registry.used(second.certificate.serial, T0 + 1)
      const third = await renew(second.certificate.serial, connector.id, 'third', T0 + 2 * DAY)
      expect(await registry.certificate(first.serial)).toBeUndefined()
      const left = (await registry.certificates(connector.id)).map(({ serial }) => serial)
      expect(left).toEqual([second.certificate.serial, third.certificate.serial])
    })

    test('a connector that rolls all the time does not pile certificates up', async () => {
      const { connector, certificate } = await registry.register(order())
      let { serial } = certificate
      for (let i = 0; i < 80; i++) {
        const next = await renew(serial, connector.id, `roll-${i}`, T0 + i)
        serial = next.certificate.serial
        await registry.used(serial, T0 + i)
      }
      const left = await registry.certificates(connector.id)
      expect(left.length).toBeLessThan(70)
      expect(left.at(-1)?.serial).toBe(serial)
    })

    describe('standing', () => {
      test('moves along its table and tells who listens', async () => {
        const changes: RegistryChange[] = []
        const end = registry.onChange((change) => changes.push(change))
        const { connector } = await registry.register(order())
        await registry.setStanding(connector.id, 'draining', T0 + 1)
        await registry.setStanding(connector.id, 'active', T0 + 2)
        // It is active already: since when stays.
        await registry.setStanding(connector.id, 'active', T0 + 3)
        const revoked = await registry.setStanding(connector.id, 'revoked', T0 + 4)
        expect(await registry.connector(connector.id)).toEqual({
          ...connector,
          standing: 'revoked',
          standingSince: T0 + 4,
        })
        expect(changes).toEqual([
          { type: 'registered', connector },
          {
            type: 'changed',
            connector: { ...connector, standing: 'draining', standingSince: T0 + 1 },
            links: 'drain',
          },
          {
            type: 'changed',
            connector: { ...connector, standingSince: T0 + 2 },
            links: 'keep',
          },
          { type: 'changed', connector: revoked, links: 'cut' },
        ])
        end()
        await registry.register(order())
        expect(changes).toHaveLength(4)
      })

      test('nothing follows revocation, and nobody else can be moved', async () => {
        const { connector } = await registry.register(order())
        await registry.setStanding(connector.id, 'revoked', T0)
        const mistake = { code: 'ERR_CONFIGURATION_INVALID', path: 'standing' }
        const unknown = { code: 'ERR_REFUSED', reason: 'not-found' }
        await expect(registry.setStanding(connector.id, 'active', T0)).rejects.toMatchObject(
          mistake,
        )
        await expect(registry.setStanding('nobody', 'revoked', T0)).rejects.toMatchObject(unknown)
        await expect(registry.setGroup('nobody', 'other')).rejects.toMatchObject(unknown)
        expect((await registry.connector(connector.id))?.standing).toBe('revoked')
      })

      test('a connector moves to another group, and its links come back', async () => {
        const { connector } = await registry.register(order())
        const changes: RegistryChange[] = []
        registry.onChange((change) => changes.push(change))
        const moved = await registry.setGroup(connector.id, 'other')
        expect(moved).toEqual({ ...connector, groupId: 'other' })
        expect(changes).toEqual([{ type: 'changed', connector: moved, links: 'drain' }])
      })

      test('links of a superseded certificate hear of it', async () => {
        const { connector, certificate } = await registry.register(order())
        const next = await renew(certificate.serial, connector.id, 'next', T0)
        const changes: RegistryChange[] = []
        registry.onChange((change) => changes.push(change))
        await registry.used(next.certificate.serial, T0)
        await registry.used(next.certificate.serial, T0)
        expect(changes).toEqual([
          { type: 'superseded', certificate: { ...certificate, supersededUntil: T0 + DAY } },
        ])
      })
    })

    if (survives)
      test('what was answered is there after a restart', async () => {
        const { connector, certificate } = await registry.register(order({ onceId: 'kept' }))
        const next = await renew(certificate.serial, connector.id, 'next', T0)
        await registry.used(next.certificate.serial, T0)
        const moved = await registry.setStanding(connector.id, 'draining', T0)
        const before = await registry.certificates(connector.id)
        const later = await opened.reopen!()
        expect(await later.connector(connector.id)).toEqual(moved)
        expect(await later.certificates(connector.id)).toEqual(before)
        expect(await later.list('contoso')).toEqual([moved])
        const replay = later.register(order({ onceId: 'kept', keyId: 'key-2' }))
        await expect(replay).rejects.toEqual(refused('token-replayed'))
      })
  })
}
