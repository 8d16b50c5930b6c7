import { createHash } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  createDirectory,
  type EnrolmentTicketOptions,
  type Tenant,
} from '../../../src/cloud/index.ts'
import type { RegistrationRequest } from '../../../src/protocol/internal.ts'
import { VirtualTime } from '../../connector/virtual-time.ts'
import { adminToken, newKeys, requestFor, spkiOf, startTrust } from '../trust.ts'

let trust: Awaited<ReturnType<typeof startTrust>>
let tenant: { -readonly [K in keyof Tenant]?: Tenant[K] }
beforeEach(async () => {
  tenant = { enrolmentTickets: true }
  trust = await startTrust()
  // The tenant of a moment: operators change it while tickets are open.
  const [fixed] = trust.directory.tenants()
  trust.directory.tenant = (id) => (id === fixed!.id ? { ...fixed!, ...tenant } : undefined)
})
afterEach(() => trust.issuer.close())

const HOUR = 3_600_000
const create = (options: Partial<EnrolmentTicketOptions> = {}) =>
  trust.registrar.tickets.create({
    tenantId: 'contoso',
    by: { operator: 'carol' },
    ...options,
  })

async function register(ticket: string, keys?: CryptoKeyPair, remoteAddress = '192.0.2.1') {
  const request: RegistrationRequest = {
    v: 1,
    type: 'registration',
    ticket,
    request: await requestFor(keys ?? (await newKeys())),
    instance: { name: 'branch-office', version: '1.0.0' },
    features: ['enrolment-ticket'],
  }
  return trust.registrar.register(request, { remoteAddress })
}
/** Nothing but that. */
const REFUSED = { v: 1, type: 'refused', reason: 'ticket-refused' }
const lastAudit = () => trust.audit.events.at(-1)
const guess = () => Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64url')

describe('a ticket', () => {
  test('is 256 random bits, of which the registry has the hash alone', async () => {
    const made = await create()
    expect(made).toEqual({
      ticket: expect.stringMatching(/^[\w-]{43}$/),
      id: expect.stringMatching(/^[0-9a-f]{16}$/),
      tenantId: 'contoso',
      groupId: 'contoso-default',
      expiresAt: expect.closeTo(Date.now() + HOUR, -4),
    })
    const hash = createHash('sha256').update(made.ticket).digest('hex')
    const kept = await trust.registry.tickets('contoso')
    expect(kept).toMatchObject([{ id: made.id, hash }])
    const everything = JSON.stringify([kept, trust.audit.events])
    expect(everything).not.toContain(made.ticket)
    expect(await trust.registrar.tickets.list('contoso')).toEqual([{ ...kept[0], hash: undefined }])
  })

  test('registers one connector, pending, in the name of who made it', async () => {
    const { ticket, id } = await create({ groupId: 'contoso-branches' })
    const keys = await newKeys()
    const reply = await register(ticket, keys)
    expect(reply).toMatchObject({ type: 'registered', tenantId: 'contoso', standing: 'pending' })
    const [connector] = await trust.registry.list('contoso')
    expect(connector).toMatchObject({
      groupId: 'contoso-branches',
      standing: 'pending',
      enrolledBy: { as: 'operator', name: 'carol', ticketId: id },
    })
    expect(lastAudit()).toMatchObject({
      type: 'connector.registration',
      outcome: 'success',
      connectorId: connector!.id,
      detail: { ticketId: id, operator: 'carol', standing: 'pending', repeated: false },
    })
    expect(lastAudit()).not.toHaveProperty('subject')
    // The reply was lost.
    expect(await register(ticket, keys)).toEqual({ ...reply, serverTime: expect.any(Number) })
    expect(await register(ticket)).toEqual(REFUSED)
    expect(lastAudit()).toMatchObject({
      outcome: 'refused',
      reason: 'ticket-refused',
      tenantId: 'contoso',
      detail: { because: 'it was used by another key', ticketId: id },
    })
    expect(await trust.registry.list('contoso')).toHaveLength(1)
    expect(await trust.registrar.tickets.list('contoso')).toEqual([])
  })

  test('is of one key, however many show it at once', async () => {
    const { ticket } = await create()
    const keys = await Promise.all(Array.from({ length: 5 }, () => newKeys()))
    const replies = await Promise.all(
      [...keys, ...keys].map((pair, n) => register(ticket, pair, `192.0.2.${n}`)),
    )
    const [certified, refused] = [
      replies.filter((reply) => reply.type === 'registered'),
      replies.filter((reply) => reply.type === 'refused'),
    ]
    // The same key twice, with the same certificate; the others not at all.
    expect(certified).toHaveLength(2)
    expect(certified[0]!.certificate).toEqual(certified[1]!.certificate)
    expect(refused).toEqual(Array.from({ length: 8 }, () => REFUSED))
    expect(await trust.registry.list('contoso')).toHaveLength(1)
  })

  test.each([
    [false, 'active'],
    [true, 'pending'],
  ] as const)(
    'may make its connector active; where the tenant approves (%s) it is %s',
    async (approveConnectors, standing) => {
      tenant.approveConnectors = approveConnectors
      const { ticket } = await create({ standing: 'active' })
      expect(await register(ticket)).toMatchObject({ standing })
    },
  )

  test('of a registrar is in their name', async () => {
    const token = await adminToken(trust.issuer)
    const { ticket, id } = await create({ by: { token } })
    expect(lastAudit()).toMatchObject({ type: 'ticket.created', subject: 'alice' })
    await register(ticket)
    expect(lastAudit()).toMatchObject({ subject: 'alice', detail: { ticketId: id } })
    const [connector] = await trust.registry.list('contoso')
    expect(connector?.enrolledBy).toEqual({
      ...{ as: 'registrar', name: 'alice', ticketId: id },
      issuer: trust.issuer.url,
    })
  })
})

describe('no ticket is made', () => {
  const misconfigured = (path: string) => ({ code: 'ERR_CONFIGURATION_INVALID', path })
  test.each<[string, Partial<EnrolmentTicketOptions>, string]>([
    ['for a tenant that is not there', { tenantId: 'fabrikam' }, 'tenantId'],
    ['for a group of another tenant', { groupId: 'fabrikam-default' }, 'groupId'],
    ['for longer than a day', { validMs: 24 * HOUR + 1 }, 'validMs'],
    ['for no time', { validMs: 0 }, 'validMs'],
    ['for no key', { keyThumbprint: 'ab' }, 'keyThumbprint'],
    ['in nobody’s name', { by: { operator: '' } }, 'by.operator'],
  ])('%s', async (_, options, path) => {
    await expect(create(options)).rejects.toMatchObject(misconfigured(path))
    expect(lastAudit()).toMatchObject({
      type: 'ticket.created',
      outcome: 'refused',
      reason: 'ERR_CONFIGURATION_INVALID',
    })
    expect(await trust.registry.tickets('contoso')).toEqual([])
  })

  test('unless the tenant allows them, which it does not by itself', async () => {
    const { tenants, ...rest } = {
      tenants: [{ id: 't', issuer: 'https://id.example', registrars: { audience: 'a' } }],
      groups: [{ id: 'g', tenantId: 't' }],
      applications: [],
    }
    expect(createDirectory({ tenants, ...rest }).tenant('t')?.enrolmentTickets).toBe(false)
    tenant.enrolmentTickets = false
    await expect(create()).rejects.toMatchObject(misconfigured('enrolmentTickets'))
  })

  test.each<[string, string, Record<string, unknown>]>([
    ['is no registrar', 'token-role', { roles: ['user'] }],
    ['is of another tenant', 'token-tenant', { tid: 'fabrikam' }],
    ['shows an old token', 'token-expired', { exp: Math.floor(Date.now() / 1000) - 61 }],
  ])('for somebody who %s', async (_, reason, claims) => {
    const token = await adminToken(trust.issuer, claims)
    await expect(create({ by: { token } })).rejects.toMatchObject({ code: 'ERR_REFUSED', reason })
    expect(lastAudit()).toMatchObject({ type: 'ticket.created', outcome: 'refused', reason })
    expect(JSON.stringify(trust.audit.events)).not.toContain(token)
  })

  test('beyond twenty that are open', async () => {
    const tickets = await Promise.all(Array.from({ length: 20 }, () => create()))
    await expect(create()).rejects.toMatchObject(misconfigured('tickets'))
    await register(tickets[0]!.ticket)
    await create()
    await expect(create()).rejects.toMatchObject(misconfigured('tickets'))
    expect(await trust.registrar.tickets.revoke({ tenantId: 'contoso', id: tickets[1]!.id })).toBe(
      1,
    )
    await create()
  })

  test('R8.8f beyond what its tenant may have open, whoever asks at once', async () => {
    tenant.ticketLimit = 3
    const all = await Promise.allSettled(Array.from({ length: 10 }, () => create()))
    expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(3)
    await expect(create()).rejects.toMatchObject(misconfigured('tickets'))
    tenant.ticketLimit = 0
    await expect(create()).rejects.toMatchObject(misconfigured('tickets'))
  })
})

describe('a ticket is refused, without a word of why,', () => {
  const because = (words: string) => {
    expect(lastAudit()).toMatchObject({ outcome: 'refused', detail: { because: words } })
  }

  test('when it is guessed', async () => {
    await create()
    expect(await register(guess())).toEqual(REFUSED)
    because('it is not known')
    expect(lastAudit()).not.toHaveProperty('tenantId')
  })

  test('when it has expired', async () => {
    const { ticket } = await create({ validMs: 60_000 })
    trust.clocks.offset += 60_000
    expect(await register(ticket)).toEqual(REFUSED)
    because('it has expired')
  })

  test('when it was revoked', async () => {
    const { ticket, id } = await create()
    await trust.registrar.tickets.revoke({ tenantId: 'contoso', id })
    expect(lastAudit()).toMatchObject({ type: 'ticket.revoked', detail: { ticketId: id } })
    expect(await register(ticket)).toEqual(REFUSED)
    because('it is not known')
  })

  test('when its tenant takes none any more', async () => {
    const { ticket } = await create()
    tenant.enrolmentTickets = false
    expect(await register(ticket)).toEqual(REFUSED)
    because('its tenant takes no tickets')
  })

  test('when its group went to another tenant', async () => {
    const { ticket } = await create()
    trust.directory.group = (id) => ({ id, tenantId: 'fabrikam', name: id })
    expect(await register(ticket)).toEqual(REFUSED)
    because('its group is gone')
  })

  test('when the role of who made it is no registrar’s any more', async () => {
    const { ticket } = await create({ by: { token: await adminToken(trust.issuer) } })
    const { registrars } = trust.directory.tenant('contoso')!
    tenant.registrars = { ...registrars, roles: ['company-administrator'] }
    expect(await register(ticket)).toEqual(REFUSED)
    because('who made it is no registrar any more')
  })

  test('when who made it lost the role, and somebody says so', async () => {
    const { ticket } = await create({ by: { token: await adminToken(trust.issuer) } })
    const other = await create()
    const maker = { as: 'registrar', name: 'alice' } as const
    expect(await trust.registrar.tickets.revoke({ tenantId: 'contoso', maker })).toBe(1)
    expect(await register(ticket)).toEqual(REFUSED)
    expect(await register(other.ticket)).toMatchObject({ type: 'registered' })
  })

  test('when it is bound to another key', async () => {
    const keys = await newKeys()
    const keyThumbprint = createHash('sha256')
      .update(await spkiOf(keys))
      .digest('hex')
    const { ticket } = await create({ keyThumbprint: keyThumbprint.toUpperCase() })
    expect(await register(ticket)).toEqual(REFUSED)
    because('it is bound to another key')
    expect(await register(ticket, keys)).toMatchObject({ type: 'registered' })
  })

  test('ten times a minute for an address, which is its network in IPv6', async () => {
    const { ticket } = await create()
    for (let n = 0; n < 10; n++)
      expect(await register(guess(), undefined, `2001:db8::${n}`)).toEqual(REFUSED)
    const later = { type: 'refused', reason: 'unavailable', retryAfterMs: expect.any(Number) }
    // Not even a good one is looked at now, and nobody learns whether it is.
    expect(await register(ticket, undefined, '2001:db8::99')).toMatchObject(later)
    expect(await register(guess(), undefined, '2001:db8::99')).toMatchObject(later)
    const elsewhere = await create()
    const reply = await register(elsewhere.ticket, undefined, '2001:db8:0:1::1')
    expect(reply).toMatchObject({ type: 'registered' })
    trust.clocks.offset += 60_000
    expect(await register(ticket, undefined, '2001:db8::99')).toMatchObject({ type: 'registered' })
  })

  test('and of many guesses at once no more than ten are looked at', async () => {
    const replies = await Promise.all(Array.from({ length: 30 }, () => register(guess())))
    expect(
      replies.filter((reply) => 'reason' in reply && reply.reason === 'ticket-refused'),
    ).toHaveLength(10)
  })

  test('while good ones of one address are not counted', async () => {
    for (let n = 0; n < 12; n++) {
      const { ticket } = await create()
      expect(await register(ticket)).toMatchObject({ type: 'registered' })
    }
  })
})

test('a ticket that nobody uses expires, and that is written down once', async () => {
  const time = new VirtualTime()
  const { clocks, scheduler, crypto } = time.environment
  await trust.issuer.close()
  trust = await startTrust({ enrolmentTickets: true }, { clocks, scheduler, crypto })
  const [first, second] = [await create({ validMs: 2_000 }), await create({ validMs: 1_000 })]
  const used = await create({ validMs: 1_500 })
  expect(await register(used.ticket)).toMatchObject({ type: 'registered' })
  const expired = () =>
    trust.audit.events
      .filter(({ type }) => type === 'ticket.expired')
      .map(({ detail }) => detail?.['ticketId'])
  await time.pass(999)
  expect(expired()).toEqual([])
  await time.pass(1)
  expect(expired()).toEqual([second.id])
  await time.pass(1_000)
  expect(expired()).toEqual([second.id, first.id])
  await time.pass(100_000)
  expect(expired()).toHaveLength(2)
  expect(await trust.registry.tickets('contoso')).toEqual([])
})
