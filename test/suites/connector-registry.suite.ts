import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { connectorTag } from '../../src/cloud/index.ts'
import type {
  CertificateRecord,
  ConnectorRegistry,
  Registered,
  TicketRegistration,
  TokenRegistration,
  RegistryChange,
  TicketRecord,
} from '../../src/cloud/index.ts'
import { DAY } from '../cloud/trust.ts'

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

function ticketOf(overrides: Partial<TicketRecord> = {}): TicketRecord {
  const id = `ticket-${(counter += 1)}`
  return {
    id,
    hash: `hash of ${id}`,
    tenantId: 'contoso',
    groupId: 'default',
    standing: 'pending',
    maker: { as: 'operator', name: 'carol' },
    createdAt: T0,
    expiresAt: T0 + 3_600_000,
    ...overrides,
  }
}

/** A registration by a ticket. */
function byTicket(
  { hash: ticketHash }: TicketRecord,
  { keyId = 'key-1', tenantId = 'contoso', now = T0, ...more }: Partial<TicketRegistration> = {},
): TicketRegistration {
  const make = async () => newConnector(tenantId, keyId, now)
  return { ticketHash, keyId, tenantId, limit: 100, now, make, ...more }
}

function order(overrides: Partial<TokenRegistration> = {}): TokenRegistration {
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

/** Something that waits to be let on. */
function gate() {
  let open = (): void => undefined
  const opened = new Promise<void>((resolve) => (open = resolve))
  return { opened, open }
}

function permutations<T>(of: readonly T[]): T[][] {
  if (of.length < 2) return [[...of]]
  return of.flatMap((first, i) =>
    permutations(of.filter((_, j) => j !== i)).map((rest) => [first, ...rest]),
  )
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

    describe('tickets', () => {
      const kept = async (overrides: Partial<TicketRecord> = {}) => {
        const ticket = ticketOf(overrides)
        await registry.addTicket({ ticket, limit: 20, now: T0 })
        return ticket
      }
      const ticketRefused = refused('ticket-refused')

      test('are kept until their end, used or not', async () => {
        const [one, other] = [await kept(), await kept({ createdAt: T0 + 1 })]
        await kept({ tenantId: 'fabrikam' })
        expect(await registry.ticket(one.hash)).toEqual(one)
        const { certificate } = await registry.register(byTicket(one))
        const used = { keyId: 'key-1', serial: certificate.serial, at: T0 }
        expect(await registry.tickets('contoso')).toEqual([{ ...one, used }, other])
        expect(await registry.expireTickets(T0 + 3_599_999)).toEqual({
          expired: [],
          nextAt: T0 + 3_600_000,
        })
        const { expired } = await registry.expireTickets(T0 + 3_600_000)
        expect(expired.map(({ id }) => id)).not.toContain(one.id)
        expect(expired).toContainEqual(other)
        expect(await registry.tickets('contoso')).toEqual([])
        expect(await registry.ticket(other.hash)).toBeUndefined()
      })

      test('no more are open in a tenant than its limit', async () => {
        const [one] = [await kept(), await kept()]
        const add = (tenantId: string) =>
          registry.addTicket({ ticket: ticketOf({ tenantId }), limit: 2, now: T0 })
        const tooMany = { code: 'ERR_CONFIGURATION_INVALID', path: 'tickets' }
        await expect(add('contoso')).rejects.toMatchObject(tooMany)
        await add('fabrikam')
        // A used one is not open.
        await registry.register(byTicket(one))
        await add('contoso')
        await expect(add('contoso')).rejects.toMatchObject(tooMany)
        const later = { ticket: ticketOf(), limit: 2, now: T0 + 3_600_000 }
        await registry.addTicket(later)
      })

      test('the same ticket with the same key yields the same answer', async () => {
        const ticket = await kept()
        const first = await registry.register(byTicket(ticket))
        const make = async () => expect.unreachable('it is known already')
        const again = await registry.register(byTicket(ticket, { now: T0 + 3_599_999, make }))
        expect(again).toEqual({ ...first, repeated: true })
      })

      test.each<[string, Partial<TicketRecord>, Partial<TicketRegistration>]>([
        ['nobody made', { hash: 'kept' }, { ticketHash: 'guessed' }],
        ['that has expired', {}, { now: T0 + 3_600_000 }],
        ['of another tenant', { tenantId: 'fabrikam' }, {}],
        ['that is bound to another key', { keyId: 'key-9' }, {}],
      ])('one %s is good for nobody', async (_, ticket, use) => {
        const registration = registry.register(byTicket(await kept(ticket), use))
        await expect(registration).rejects.toEqual(ticketRefused)
        expect(await registry.list('contoso')).toEqual([])
      })

      test('one that is bound to a key is good for that key', async () => {
        const ticket = await kept({ keyId: 'key-9' })
        await expect(registry.register(byTicket(ticket))).rejects.toEqual(ticketRefused)
        expect((await registry.register(byTicket(ticket, { keyId: 'key-9' }))).repeated).toBe(false)
      })

      test('one that was used is good for no other key, even after its end', async () => {
        const ticket = await kept()
        await registry.register(byTicket(ticket))
        for (const now of [T0, T0 + 3_600_000, T0 + 30 * DAY]) {
          const replay = registry.register(byTicket(ticket, { keyId: 'key-2', now }))
          await expect(replay).rejects.toEqual(ticketRefused)
          await registry.expireTickets(now)
        }
        expect(await registry.list('contoso')).toHaveLength(1)
      })

      test('one that is revoked is gone, and all that somebody made are', async () => {
        const mallory = { as: 'registrar', name: 'mallory', issuer: 'i', roles: ['r'] } as const
        const [one, other] = [await kept({ maker: mallory }), await kept({ maker: mallory })]
        const [third, used] = [await kept(), await kept({ maker: mallory })]
        await registry.register(byTicket(used, { keyId: 'key-3' }))
        const byId = { tenantId: 'contoso', id: one.id }
        expect(await registry.removeTickets({ ...byId, tenantId: 'fabrikam' }, T0)).toEqual([])
        expect(await registry.removeTickets(byId, T0)).toEqual([one])
        const choice = { tenantId: 'contoso', maker: { as: 'registrar', name: 'mallory' } } as const
        expect(await registry.removeTickets(choice, T0)).toEqual([other])
        expect(await registry.tickets('contoso')).toEqual([third])
        const again = registry.register(byTicket(used, { keyId: 'key-3' }))
        await expect(again).rejects.toEqual(ticketRefused)
      })

      test('the limit of connectors holds for tickets too, and leaves the ticket open', async () => {
        const ticket = await kept()
        await registry.register(order({ limit: 1 }))
        const second = registry.register(byTicket(ticket, { keyId: 'key-2', limit: 1 }))
        await expect(second).rejects.toEqual(refused('connector-limit'))
        expect((await registry.ticket(ticket.hash))?.used).toBeUndefined()
      })

      /** Two keys that show the ticket, are signed for, and its revocation, in every order. */
      const STEPS = ['shown 1', 'shown 2', 'signed 1', 'signed 2', 'revoked'] as const
      const ORDERS = permutations(STEPS).filter((steps) =>
        [1, 2].every((n) => steps.indexOf(`shown ${n as 1}`) < steps.indexOf(`signed ${n as 1}`)),
      )

      test.each(ORDERS.map((steps) => [steps.join(', '), steps] as const))(
        '%s: at most one key gets a certificate, and nobody after the end',
        async (_, steps) => {
          const ticket = await kept()
          const gates = { 1: gate(), 2: gate() }
          const outcomes: Partial<Record<1 | 2, Promise<string>>> = {}
          const show = (n: 1 | 2) => {
            const keyId = `key-${n}`
            const make = async () => {
              await gates[n].opened
              return newConnector('contoso', keyId, T0)
            }
            outcomes[n] = registry.register(byTicket(ticket, { keyId, make })).then(
              () => 'certified',
              (error: { reason: string }) => error.reason,
            )
          }
          // The same, as the words of the rule have it.
          let state = 'open'
          const expected = { 1: '', 2: '' }
          for (const step of steps) {
            const n = Number(step.at(-1)) as 1 | 2
            if (step === 'revoked') {
              await registry.removeTickets({ tenantId: 'contoso', id: ticket.id }, T0)
              state = 'gone'
            } else if (step.startsWith('shown')) {
              show(n)
              if (state !== 'open') expected[n] = 'ticket-refused'
            } else {
              gates[n].open()
              if (expected[n] === '') {
                expected[n] = state === 'open' ? 'certified' : 'ticket-refused'
                if (state === 'open') state = `used ${n}`
              }
            }
            await new Promise((turn) => setImmediate(turn))
          }
          expect({ 1: await outcomes[1], 2: await outcomes[2] }).toEqual(expected)
          const certified = Object.values(expected).filter((outcome) => outcome === 'certified')
          expect(certified.length).toBeLessThanOrEqual(1)
          expect(await registry.list('contoso')).toHaveLength(certified.length)
        },
      )
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

    describe('changes on a condition', () => {
      const conflict = refused('conflict')

      test('a change of the record that was looked at is made, of another it is not', async () => {
        const { connector } = await registry.register(order())
        const expected = connectorTag(connector)
        const changes: RegistryChange[] = []
        registry.onChange((change) => changes.push(change))
        const renamed = await registry.rename(connector.id, 'Berlin', { expected })
        expect(renamed).toEqual({ ...connector, name: 'Berlin' })
        expect(changes).toEqual([{ type: 'changed', connector: renamed, links: 'keep' }])
        const { id } = connector
        for (const change of [
          () => registry.rename(id, 'Bonn', { expected }),
          () => registry.setGroup(id, 'other', { expected }),
          () => registry.setStanding(id, 'revoked', T0, { expected }),
          () => registry.forget(id, T0, { expected }),
        ])
          await expect(change()).rejects.toEqual(conflict)
        expect(await registry.connector(id)).toEqual(renamed)
        expect(changes).toHaveLength(1)
        await registry.setGroup(id, 'other', { expected: connectorTag(renamed) })
        expect((await registry.connector(id))?.groupId).toBe('other')
      })

      test('of many that change what they looked at at once, one does', async () => {
        const { connector } = await registry.register(order())
        const expected = connectorTag(connector)
        const outcomes = await Promise.allSettled(
          Array.from({ length: 10 }, (_, i) =>
            registry.rename(connector.id, `name ${i}`, { expected }),
          ),
        )
        expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      })
    })

    describe('an end', () => {
      test('an approval lapses when it is over, and not before', async () => {
        const { connector } = await registry.register(order())
        const approved = await registry.setStanding(connector.id, 'active', T0, { until: T0 + DAY })
        expect(approved).toEqual({ ...connector, standingUntil: T0 + DAY })
        const nothing = { lapsed: [], gone: [] }
        expect(await registry.expireConnectors(T0 + DAY - 1)).toEqual(nothing)
        const changes: RegistryChange[] = []
        registry.onChange((change) => changes.push(change))
        const waiting = { ...connector, standing: 'pending', standingSince: T0 + DAY }
        expect(await registry.expireConnectors(T0 + DAY)).toEqual({ lapsed: [waiting], gone: [] })
        expect(changes).toEqual([{ type: 'changed', connector: waiting, links: 'drain' }])
        expect(await registry.expireConnectors(T0 + DAY)).toEqual(nothing)
        expect(await registry.connector(connector.id)).toEqual(waiting)
      })

      test('an approval without an end takes the end away; draining keeps it', async () => {
        const { connector } = await registry.register(order())
        const { id } = connector
        await registry.setStanding(id, 'active', T0, { until: T0 + DAY })
        const draining = await registry.setStanding(id, 'draining', T0 + 1)
        expect(draining.standingUntil).toBe(T0 + DAY)
        await registry.setStanding(id, 'active', T0 + 2)
        expect(await registry.expireConnectors(T0 + DAY)).toEqual({ lapsed: [], gone: [] })
        await registry.setStanding(id, 'active', T0 + 3, { until: T0 + DAY })
        const revoked = await registry.setStanding(id, 'revoked', T0 + 4)
        expect(revoked.standingUntil).toBeUndefined()
        expect(await registry.expireConnectors(T0 + DAY)).toEqual({ lapsed: [], gone: [] })
      })

      test('only an approval has an end, and it is in the future', async () => {
        const { connector } = await registry.register(order())
        const mistake = { code: 'ERR_CONFIGURATION_INVALID', path: 'until' }
        const to = (standing: 'active' | 'draining', until: number) =>
          registry.setStanding(connector.id, standing, T0, { until })
        await expect(to('draining', T0 + DAY)).rejects.toMatchObject(mistake)
        await expect(to('active', T0)).rejects.toMatchObject(mistake)
      })

      test('who waits for an approval in vain is disabled', async () => {
        const make = async () => {
          const { connector, certificate } = newConnector('contoso', 'key-1', T0)
          return {
            connector: { ...connector, standing: 'pending', standingUntil: T0 + DAY } as const,
            certificate,
          }
        }
        const { connector } = await registry.register(order({ make }))
        const { lapsed } = await registry.expireConnectors(T0 + DAY)
        expect(lapsed).toMatchObject([{ id: connector.id, standing: 'disabled' }])
      })

      test('of several that look at once, one is told', async () => {
        const { connector } = await registry.register(order())
        await registry.setStanding(connector.id, 'active', T0, { until: T0 + DAY })
        const told = await Promise.all(
          Array.from({ length: 5 }, () => registry.expireConnectors(T0 + DAY)),
        )
        expect(told.flatMap(({ lapsed }) => lapsed)).toHaveLength(1)
      })
    })

    describe('forgetting', () => {
      const LAST = T0 + 60 * DAY

      test('hides a connector, cuts its links, and refuses it until its certificates are over', async () => {
        const { connector, certificate } = await registry.register(order({ limit: 1 }))
        const changes: RegistryChange[] = []
        registry.onChange((change) => changes.push(change))
        const forgotten = await registry.forget(connector.id, T0 + 1)
        expect(forgotten).toEqual({ ...connector, forgotten: { at: T0 + 1, until: LAST + DAY } })
        expect(changes).toEqual([{ type: 'changed', connector: forgotten, links: 'cut' }])
        expect(await registry.list('contoso')).toEqual([])
        // It is there for whoever must refuse it.
        expect(await registry.connector(connector.id)).toEqual(forgotten)
        expect(await registry.certificate(certificate.serial)).toEqual(certificate)
        await expect(renew(certificate.serial, connector.id, 'next', T0 + 2)).rejects.toEqual(
          refused('connector-forgotten'),
        )
        // Its place is free.
        expect((await registry.register(order({ limit: 1, keyId: 'key-2' }))).repeated).toBe(false)
      })

      test('nobody changes it any more', async () => {
        const { connector } = await registry.register(order())
        await registry.forget(connector.id, T0)
        const unknown = refused('not-found')
        for (const change of [
          () => registry.setStanding(connector.id, 'active', T0),
          () => registry.setGroup(connector.id, 'other'),
          () => registry.rename(connector.id, 'again'),
          () => registry.forget(connector.id, T0),
        ])
          await expect(change()).rejects.toEqual(unknown)
      })

      test('lifts no revocation', async () => {
        const { connector, certificate } = await registry.register(order())
        await registry.setStanding(connector.id, 'revoked', T0)
        await registry.forget(connector.id, T0 + 1)
        expect((await registry.connector(connector.id))?.standing).toBe('revoked')
        await expect(renew(certificate.serial, connector.id, 'next', T0 + 2)).rejects.toEqual(
          refused('certificate-revoked'),
        )
      })

      test('leaves nothing a day after the end of the last certificate', async () => {
        const { connector, certificate } = await registry.register(order())
        await renew(certificate.serial, connector.id, 'next', T0 + DAY)
        const { forgotten } = await registry.forget(connector.id, T0 + 2 * DAY)
        expect(forgotten?.until).toBe(LAST + 2 * DAY)
        expect(await registry.expireConnectors(LAST + 2 * DAY - 1)).toEqual({
          lapsed: [],
          gone: [],
        })
        const { gone } = await registry.expireConnectors(LAST + 2 * DAY)
        expect(gone).toMatchObject([{ id: connector.id }])
        expect(await registry.connector(connector.id)).toBeUndefined()
        expect(await registry.certificates(connector.id)).toEqual([])
        expect(await registry.certificate(certificate.serial)).toBeUndefined()
      })

      test('the token that it was registered by is spent', async () => {
        const { connector } = await registry.register(order({ onceId: 'once' }))
        await registry.forget(connector.id, T0)
        await expect(registry.register(order({ onceId: 'once' }))).rejects.toEqual(
          refused('token-replayed'),
        )
      })
    })

    if (survives)
      test('what was forgotten, and approved for a time, is so after a restart', async () => {
        const [one, other] = [await registry.register(order()), await registry.register(order())]
        const forgotten = await registry.forget(one.connector.id, T0)
        await registry.setStanding(other.connector.id, 'active', T0, { until: T0 + DAY })
        const later = await opened.reopen!()
        expect(await later.connector(one.connector.id)).toEqual(forgotten)
        const { lapsed } = await later.expireConnectors(T0 + DAY)
        expect(lapsed).toMatchObject([{ id: other.connector.id, standing: 'pending' }])
      })

    if (survives)
      test('tickets are there after a restart, open and used ones', async () => {
        const [open, used] = [ticketOf(), ticketOf()]
        for (const ticket of [open, used]) await registry.addTicket({ ticket, limit: 20, now: T0 })
        const first = await registry.register(byTicket(used))
        const later = await opened.reopen!()
        expect(await later.register(byTicket(used))).toEqual({ ...first, repeated: true })
        const replay = later.register(byTicket(used, { keyId: 'key-2' }))
        await expect(replay).rejects.toEqual(refused('ticket-refused'))
        expect((await later.register(byTicket(open, { keyId: 'key-2' }))).repeated).toBe(false)
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
