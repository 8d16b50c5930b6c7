/**
 * Sessions that outlive their ID token by a refresh token: on one instance and on two that share
 * users, beside an issuer that takes each token once.
 */
import { expect, test, vi } from 'vitest'
import { KeyRing } from '../src/cloud/session/key-ring.ts'
import { MemoryRevocations } from '../src/cloud/session/session-revocations.ts'
import { MemorySessionGrants } from '../src/cloud/session/session-grants.ts'
import { SessionRenewals, type AskedAgain } from '../src/cloud/session/session-renewals.ts'
import { Sessions, type Session } from '../src/cloud/session/session.ts'
import type { Application } from '../src/cloud/directory/directory-port.ts'
import type { SessionGrant } from '../src/protocol/machines/session-renewal.ts'
import { recordedAudit } from '../test/recorded-audit.ts'

const HOST = 'secure.example'
const MINUTE = 60_000
const APPLICATION = {
  ...{ id: 'secure', tenantId: 'contoso', name: 'secure', version: '1', groupId: 'default' },
  ...{ externalUrl: `https://${HOST}/`, internalUrl: 'http://10.0.0.1/' },
  ...{ preAuthentication: 'oidc', client: { id: 'secure' }, identityHeaders: {} },
  ...{ hostHeader: 'internal', verifyCertificate: true, responseHeadMs: 85_000 },
  session: { sameSite: 'lax', lifetime: { absoluteMs: 8 * 60 * MINUTE } },
} as unknown as Application
const REQUEST = { id: 'r', address: '192.0.2.7' }

/** An issuer that rotates refresh tokens, and ends the grant when one is shown twice. */
class RotatingIssuer {
  readonly clock: { wall: number }
  asked = 0
  isDown = false
  /** Answers wait for this. */
  gate: Promise<void> = Promise.resolve()
  claims: object = {}
  #current = 'token-0'
  #isRevoked = false

  constructor(clock: { wall: number }) {
    this.clock = clock
  }

  readonly ask = async (_: Application, __: string, grant: SessionGrant): Promise<AskedAgain> => {
    this.asked += 1
    await this.gate
    if (this.isDown) return { kind: 'failed', reason: 'issuer-unavailable', grant }
    if (this.#isRevoked || grant.refreshToken !== this.#current) {
      this.#isRevoked = true
      return { kind: 'ended', reason: 'code-refused' }
    }
    this.#current = `token-${this.asked}`
    const identity = {
      ...grant.identity,
      ...this.claims,
      expiresAt: this.clock.wall + 10 * MINUTE,
    }
    const { wall: renewedAt } = this.clock
    return {
      kind: 'renewed',
      grant: { ...grant, refreshToken: this.#current, identity, renewedAt },
    }
  }
}

/** Instances that share users; each with a memory of its own. */
async function world(instances = 1) {
  const clock = { now: 0, wall: Date.now() }
  const clocks = { now: () => performance.now(), wallClock: () => clock.wall }
  const issuer = new RotatingIssuer(clock)
  const keyRing = await KeyRing.open()
  const grants = new MemorySessionGrants({ wallClock: clocks.wallClock })
  const revocations = new MemoryRevocations({ wallClock: clocks.wallClock })
  const audit = recordedAudit()
  const made = Array.from({ length: instances }, () => {
    const sessions = new Sessions({
      ...{ keyRing, grants, revocations, audit },
      wallClock: clocks.wallClock,
    })
    const limits = { lookAgainMs: 1 }
    const options = { sessions, keyRing, clocks, audit, crypto, limits, askAgain: issuer.ask }
    return { sessions, renewals: new SessionRenewals(options) }
  })
  const [{ sessions, renewals }] = made as [(typeof made)[number]]
  const identity = {
    ...{ subject: 'alice', issuer: 'https://sts.example', groups: ['staff'] },
    ...{ authenticatedAt: clock.wall, strength: 'mfa', expiresAt: clock.wall + 10 * MINUTE },
  }
  const started = await sessions.start(APPLICATION, HOST, identity, undefined, clock.wall, true)
  const { session } = started
  const grant = { refreshToken: 'token-0', nonce: 'n', identity, renewedAt: clock.wall }
  await renewals.keep(APPLICATION, session, grant)
  const isThere = async (setCookie: string) =>
    (await sessions.read(APPLICATION, HOST, [setCookie.split(';')[0]!], clock.wall)) !== undefined
  const renew = (session: Session, instance = 0) =>
    Promise.resolve(made[instance]!.renewals.renew(APPLICATION, HOST, session, REQUEST))
  return {
    clock,
    issuer,
    grants,
    made,
    session,
    setCookie: started.setCookie,
    renew,
    isThere,
    audit,
  }
}

test('R4.7h however many tabs and instances renew at once, the issuer sees one refresh token once', async () => {
  const { clock, issuer, session, renew } = await world(2)
  clock.wall += 6 * MINUTE
  let open = () => undefined as void
  issuer.gate = new Promise((resolve) => (open = resolve))
  const all = [0, 0, 0, 1, 1, 1].map((instance) => renew(session, instance))
  await vi.waitFor(() => expect(issuer.asked).toBe(1))
  // The others look again and again meanwhile.
  await new Promise((later) => setTimeout(later, 20))
  open()
  const results = await Promise.all(all)
  expect(issuer.asked).toBe(1)
  expect(results.map(({ kind }) => kind)).toEqual(Array(6).fill('renewed'))
  const ends = results.map((one) => one.kind === 'renewed' && one.session.freshUntil)
  expect(new Set(ends)).toEqual(new Set([clock.wall + 10 * MINUTE]))
  // Who comes later with the old cookie reads the same; who comes with the new one renews in turn.
  expect(await renew(session, 1)).toMatchObject({ kind: 'renewed' })
  expect(issuer.asked).toBe(1)
  clock.wall += 6 * MINUTE
  const [first] = results
  if (first?.kind === 'renewed') expect((await renew(first.session, 1)).kind).toBe('renewed')
  expect(issuer.asked).toBe(2)
})

test('R4.7i a renewed session stays the same: its id, its beginning, its absolute end; its claims are the new ones', async () => {
  const { clock, issuer, session, renew } = await world()
  const { wall } = clock
  clock.wall += 6 * MINUTE
  issuer.claims = { groups: ['board'] }
  const renewed = await renew(session)
  expect(renewed).toMatchObject({
    session: {
      ...{ id: session.id, startedAt: wall, since: wall, expiresAt: wall + 480 * MINUTE },
      ...{ renewedAt: clock.wall, freshUntil: clock.wall + 10 * MINUTE },
      ...{ strength: 'mfa', authenticatedAt: wall, user: { groups: ['board'] } },
    },
  })
})

test('R4.7j what is revoked while it is renewed stays so, and nothing of it is kept', async () => {
  const { clock, issuer, session, renew, made, grants, isThere, setCookie } = await world(2)
  clock.wall += 6 * MINUTE
  let open = () => undefined as void
  issuer.gate = new Promise((resolve) => (open = resolve))
  const renewing = renew(session)
  await vi.waitFor(() => expect(issuer.asked).toBe(1))
  const { issuer: of, subject } = session.user
  // By the user's name: another instance knows only that.
  const at = clock.wall - MINUTE
  await made[1]!.sessions.revoke({ kind: 'user', issuer: of!, subject, at })
  expect(grants.size).toBe(0)
  open()
  expect((await renewing).kind).toBe('unrenewable')
  expect(grants.size).toBe(0)
  expect(await isThere(setCookie)).toBe(false)
})

test.each(['session', 'user', 'issuer-session', 'application'])(
  'R4.7j a refresh token is removed with its session: revoked by %s',
  async (kind) => {
    const { clock, session, made, grants } = await world()
    const named = { ...session, issuerSession: 'sid-1' }
    const [{ sessions, renewals }] = made as [(typeof made)[number]]
    const identity = { ...session, ...session.user }
    const grant = { refreshToken: 't', nonce: 'n', identity, renewedAt: clock.wall }
    await renewals.keep(APPLICATION, named, grant)
    const at = clock.wall
    const { issuer, subject } = session.user as { issuer: string; subject: string }
    const applicationId = 'secure'
    const revocations = {
      session: { kind, id: session.id, at },
      user: { kind, issuer, subject, applicationId, at },
      'issuer-session': { kind, issuer, issuerSession: 'sid-1', at },
      application: { kind, applicationId, at },
    } as Record<string, object>
    for (const other of ['session', 'user', 'issuer-session', 'application'])
      await sessions.revoke({ ...revocations[other], ...OTHERS[other], kind: other } as never)
    expect(grants.size).toBe(1)
    await sessions.revoke(revocations[kind] as never)
    expect(grants.size).toBe(0)
  },
)
const OTHERS: Record<string, object> = {
  session: { id: 'another' },
  user: { subject: 'bob' },
  'issuer-session': { issuerSession: 'sid-2' },
  application: { applicationId: 'another' },
}

test('R4.7k a refresh token that the issuer refuses ends the session everywhere', async () => {
  const { clock, session, renew, grants, isThere, setCookie, made, audit } = await world()
  clock.wall += 6 * MINUTE
  const [{ renewals }] = made as [(typeof made)[number]]
  const identity = { ...session, ...session.user, expiresAt: session.freshUntil! }
  const used = { refreshToken: 'used', nonce: 'n', identity, renewedAt: 0 }
  await renewals.keep(APPLICATION, session, used)
  expect((await renew(session)).kind).toBe('ended')
  expect(await isThere(setCookie)).toBe(false)
  expect(grants.size).toBe(0)
  expect(audit.events).toContainEqual(
    expect.objectContaining({
      type: 'session.renewed',
      outcome: 'refused',
      reason: 'code-refused',
    }),
  )
})

test('R4.7l without its issuer a session goes on for a grace, is tried again, and recovers', async () => {
  const { clock, issuer, session, renew, made } = await world()
  const [{ renewals }] = made as [(typeof made)[number]]
  clock.wall += 11 * MINUTE
  issuer.isDown = true
  expect((await renew(session)).kind).toBe('postponed')
  expect((await renew(session)).kind).toBe('postponed')
  expect(issuer.asked).toBe(1)
  expect(renewals.isCarried(session, clock.wall)).toBe(true)
  clock.wall += 10 * MINUTE
  expect(renewals.isCarried(session, clock.wall)).toBe(false)
  expect((await renew(session)).kind).toBe('postponed')
  issuer.isDown = false
  clock.wall += MINUTE
  expect((await renew(session)).kind).toBe('renewed')
})

test('R4.7m what is kept says nothing without the key ring and the session’s id', async () => {
  const { session, grants, clock, made } = await world()
  const found = (await grants.read(session.id))!
  expect(JSON.stringify(found.kept)).not.toMatch(/token-0|alice|sts\.example/)
  // Moved to another session it opens nothing.
  const other = { ...session, id: 'f'.repeat(32) }
  await grants.write(other.id, found.kept)
  clock.wall += 6 * MINUTE
  const [{ renewals }] = made as [(typeof made)[number]]
  expect(await renewals.renew(APPLICATION, HOST, other, REQUEST)).toEqual({ kind: 'unrenewable' })
})

test('R4.7o a renewal does not shorten what use has lengthened', async () => {
  const { clock, session, renew, grants } = await world()
  clock.wall += 6 * MINUTE
  const later = session.expiresAt + MINUTE
  await grants.endAt(session.id, later)
  expect((await renew(session)).kind).toBe('renewed')
  expect((await grants.read(session.id))!.kept.endsAt).toBe(later)
})
