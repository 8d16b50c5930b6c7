/**
 * Conditional access: the decision by itself, at sign-in with the real example issuer, and at the edge for each request.
 */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { createDirectory, memoryAudit, type RiskAssessment } from '../src/cloud/index.ts'
import { AccessControl } from '../src/cloud/policy/access-control.ts'
import { decideAccess, type AccessContext } from '../src/cloud/rules/decide-access.ts'
import type { AccessPolicy, AccessRules } from '../src/cloud/rules/access-policy.ts'
import { publishedOf } from '../src/cloud/directory/published.ts'
import { CALLBACK_PATH } from '../src/cloud/sign-in/parties.ts'
import { signInWithForms } from '../examples/registrar-token.ts'
import {
  edgeWorld,
  HOST as SECURE,
  type EdgeWorld,
  type WorldOptions,
} from '../test/cloud/edge/edge-world.ts'
import {
  ALICE,
  BOB,
  cookieOf,
  HOST,
  preAuthenticationAt,
  startSts,
  type Bench,
  type StsProcess,
} from '../test/cloud/sts-process.ts'

const NOW = Date.parse('2026-06-01T10:00:00Z')
const common = { applications: 'all', mode: 'enforced' } as const
const anybody: AccessPolicy = { id: 'anybody', ...common, effect: 'allow' }
const outside: AccessPolicy = {
  ...{ id: 'outside', ...common, effect: 'deny' },
  reason: 'Only from the office. Connect to the office network first.',
  unless: [{ from: { networks: ['192.0.2.0/24'] } }],
}
const second: AccessPolicy = {
  ...{ id: 'second-factor', ...common, effect: 'step-up' },
  stepUp: { acrValues: ['two-factor'] },
}
const rules = (...policies: AccessPolicy[]): AccessRules => ({ locations: [], policies })
const alice: AccessContext = {
  applicationId: 'vault',
  user: { subject: 'u1', groups: ['staff'] },
  authentication: { at: NOW, acr: 'one-factor', amr: ['pwd'] },
  address: '203.0.113.9',
  now: NOW,
}

describe('a decision', () => {
  test('R5.1a without a list of policies there is no conditional access', () =>
    expect(decideAccess(undefined, alice).effect).toBe('allow'))

  test('R5.1b whoever no policy of a list allows is denied, everybody by an empty one', () => {
    const sales = { ...anybody, when: { who: { groups: ['sales'] } } }
    for (const list of [rules(), rules(sales)])
      expect(decideAccess(list, alice)).toMatchObject({ effect: 'deny', code: 'no-policy-allows' })
  })

  test('R5.1c deny wins over step-up, and that over allow, in any order', () => {
    const outcome = (...policies: AccessPolicy[]) => decideAccess(rules(...policies), alice).effect
    expect([outcome(anybody, second, outside), outcome(outside, second, anybody)]).toEqual([
      'deny',
      'deny',
    ])
    expect([outcome(anybody, second), outcome(second, anybody)]).toEqual(['step-up', 'step-up'])
  })

  test('R5.1d broken policies are refused where they are read, and deny where they are not', () => {
    const broken = { ...anybody, when: { from: { networks: ['10.1.2.3/8'] } } }
    const configuration = {
      tenants: [
        {
          ...{ id: 'contoso', issuer: 'https://sts.example', registrars: { audience: 'x' } },
          policies: [broken],
        },
      ],
      groups: [{ id: 'default', tenantId: 'contoso' }],
      applications: [],
    }
    expect(() => createDirectory(configuration)).toThrow(
      'tenants[0].policies[0].when.from.networks[0]: has bits set beyond its prefix',
    )
    const decision = decideAccess(rules(anybody, broken), alice)
    expect(decision).toMatchObject({ effect: 'deny', code: 'policy-broken' })
  })

  test('R5.1e what is not known restricts and does not permit', () => {
    const from = { countries: ['DE'] }
    expect(decideAccess(rules({ ...anybody, when: { from } }), alice).effect).toBe('deny')
    expect(decideAccess(rules(anybody, { ...outside, unless: [{ from }] }), alice).effect).toBe(
      'deny',
    )
    const elsewhere = { ...outside, unless: undefined, when: { from } }
    expect(decideAccess(rules(anybody, elsewhere), alice).effect).toBe('deny')
  })

  test('R5.1f a decision names every policy that applies, and one that only reports changes nothing', () => {
    const reported = { ...outside, mode: 'report-only' } as const
    expect(
      decideAccess(rules(second, anybody, reported), { ...alice, isSteppedUp: false }),
    ).toEqual({
      effect: 'step-up',
      policy: 'second-factor',
      stepUp: { acrValues: ['two-factor'] },
      matched: [
        { policy: 'anybody', effect: 'allow', mode: 'enforced' },
        { policy: 'outside', effect: 'deny', mode: 'report-only' },
        { policy: 'second-factor', effect: 'step-up', mode: 'enforced', isMet: false },
      ],
      until: Infinity,
    })
    expect(decideAccess(rules(anybody, reported), alice).effect).toBe('allow')
  })
})

describe('at sign-in', () => {
  let sts: StsProcess
  beforeAll(async () => {
    sts = await startSts()
  })
  afterAll(() => sts.stop())

  /** A user with a browser, at the application under these rules. */
  async function visit(access: AccessRules | undefined, user = ALICE, address = '192.0.2.7') {
    const bench: Bench = await preAuthenticationAt(sts.issuer)
    const intranet = { ...bench.intranet, ...(access && { access }) }
    const jar = new Map<string, string>()
    const begin = () => bench.preAuthentication.begin(intranet, HOST, '/deep?q=1')
    /** Through the issuer's forms, and back at the callback. */
    const proceed = async (begun: Awaited<ReturnType<typeof begin>>) => {
      if (begun.kind === 'denied') throw new Error(begun.reason)
      const back = await signInWithForms(
        begun.location,
        `http://${HOST}${CALLBACK_PATH}`,
        user,
        jar,
      )
      const cookies = [cookieOf(begun.setCookies)]
      const query = back.search.slice(1)
      return bench.preAuthentication.callback(intranet, HOST, query, cookies, 'request-1', address)
    }
    return { ...bench, begin, proceed }
  }

  test('R3.1.1a the conditions of the application are checked', async () => {
    const inside = await visit(rules(anybody, outside))
    expect((await inside.proceed(await inside.begin())).kind).toBe('signed-in')
    const away = await visit(rules(anybody, outside), ALICE, '203.0.113.9')
    expect(await away.proceed(await away.begin())).toMatchObject({
      ...{ kind: 'denied', reason: 'policy-denies', source: 'policy', status: 403 },
      detail: 'Only from the office. Connect to the office network first.',
    })
    expect(away.audit.slice(-2)).toMatchObject([
      {
        ...{ type: 'access.decided', outcome: 'refused', reason: 'policy-denies' },
        ...{ address: '203.0.113.9', requestId: 'request-1' },
        detail: {
          effect: 'deny',
          policy: 'outside',
          matched: [{ policy: 'anybody' }, { policy: 'outside' }],
        },
      },
      { type: 'sign-in.denied', reason: 'policy-denies', address: '203.0.113.9' },
    ])
  })

  test('R3.1.1b assignment is needed besides', async () => {
    const { begin, proceed } = await visit(rules(anybody), BOB)
    expect(await proceed(await begin())).toMatchObject({ kind: 'denied', reason: 'not-assigned' })
  })

  test('R3.1.1c R5.2a where a second factor is required the sign-in asks for it, and lets in whoever gave it', async () => {
    const { begin, proceed } = await visit(rules(second))
    const again = await proceed(await begin())
    if (again.kind !== 'redirect') throw new Error(again.kind)
    expect(new URL(again.location).searchParams.get('acr_values')).toBe('two-factor')
    expect(await proceed(again)).toMatchObject({
      kind: 'signed-in',
      location: `http://${HOST}/deep?q=1`,
      session: { strength: 'two-factor', methods: ['pwd', 'pin', 'mfa'] },
    })
  })

  test('R5.2a whoever signed in too long ago signs in again', async () => {
    const { begin, proceed, turnClock } = await visit(
      rules({ ...second, stepUp: { maxAgeMs: 600_000 } }),
    )
    // The issuer's clock cannot be turned, so ours is: to it the user signed in eleven minutes ago.
    turnClock(660_000)
    const again = await proceed(await begin())
    if (again.kind !== 'redirect') throw new Error(again.kind)
    expect(new URL(again.location).searchParams.get('max_age')).toBe('600')
    turnClock(-660_000)
    expect((await proceed(again)).kind).toBe('signed-in')
  })

  test('R5.2b whoever comes back without it is denied', async () => {
    const { begin, proceed, audit } = await visit(
      rules({ ...second, stepUp: { acrValues: ['a-thing-the-issuer-never-heard-of'] } }),
    )
    const again = await proceed(await begin())
    if (again.kind !== 'redirect') throw new Error(again.kind)
    expect(await proceed(again)).toMatchObject({ kind: 'denied', reason: 'step-up-unmet' })
    expect(audit.at(-1)).toMatchObject({ type: 'sign-in.denied', reason: 'step-up-unmet' })
  })
})

describe('at every request', () => {
  const own = (...policies: AccessPolicy[]) =>
    policies.map(({ applications: _, ...policy }) => policy)
  const world = (policies: AccessPolicy[], options: WorldOptions = {}) =>
    edgeWorld({}, { secure: { policies: own(...policies) }, ...options })
  const page = { accept: 'text/html' }
  const program = { accept: 'application/json' }
  const ask = (
    { ask: send, cookie }: EdgeWorld,
    headers: Readonly<Record<string, string>> = program,
    remoteAddress = '192.0.2.7',
  ) =>
    send({
      authority: SECURE,
      remoteAddress,
      headers: Object.entries({ ...headers, cookie }).flat(),
    })

  test('R5.3a the address decides anew', async () => {
    const it = await world([anybody, outside])
    ask(it)
    ask(it)
    expect(it.offers).toHaveLength(2)
    const away = ask(it, program, '203.0.113.9')
    expect([away.status, away.code]).toEqual([403, 'policy-denies'])
    expect(it.offers).toHaveLength(2)
    ask(it)
    expect(it.offers).toHaveLength(3)
  })

  test('R5.1g the denied user is told in the words of the policy', async () => {
    const it = await world([anybody, outside])
    const text = ask(it, page, '203.0.113.9').one('write')![0] as string
    expect(text).toContain('Only from the office. Connect to the office network first.')
    expect(text).toContain('Access policy')
  })

  test('R5.3a the age of the authentication decides anew', async () => {
    const it = await world([{ ...anybody, when: { authentication: { maxAgeMs: 600_000 } } }])
    it.clock.wall += 599_999
    ask(it)
    expect(it.offers).toHaveLength(1)
    it.clock.wall += 1
    expect(ask(it).code).toBe('no-policy-allows')
  })

  test('R5.3a the time decides anew', async () => {
    const it = await world(
      [{ ...anybody, when: { time: [{ from: '08:00', to: '18:00', timeZone: 'Europe/Berlin' }] } }],
      { user: { expiresAt: NOW + 86_400_000 } },
    )
    it.clock.wall = Date.parse('2026-06-01T15:59:59.999Z')
    ask(it)
    expect(it.offers).toHaveLength(1)
    it.clock.wall += 1
    expect(ask(it).code).toBe('no-policy-allows')
  })

  test('R5.3a the risk decides anew', async () => {
    const assessed = { level: 'none', reasons: [] as string[] } as RiskAssessment
    const audit = memoryAudit()
    const clock = { wall: Date.now() }
    const { onRequest } = new AccessControl({
      ...{ audit, clocks: { wallClock: () => clock.wall } },
      risk: { assess: () => assessed },
    })
    const risky: AccessPolicy = { ...outside, unless: undefined, when: { risk: ['high'] } }
    const it = await world([anybody, risky], { edge: { decideAccess: onRequest } })
    ask(it)
    expect(it.offers).toHaveLength(1)
    Object.assign(assessed, { level: 'high', reasons: ['impossible-travel'] })
    clock.wall += 60_000
    expect(ask(it).code).toBe('policy-denies')
    expect(audit.events).toMatchObject([
      { type: 'risk.detected', detail: { level: 'high', reasons: ['impossible-travel'] } },
      { type: 'access.decided', reason: 'policy-denies', sessionId: it.session.id },
    ])
  })

  test('R5.3b other policies hold from the next request on, and so does another assignment', async () => {
    const it = await world([anybody])
    ask(it)
    it.reconfigure({ policies: own(anybody, { ...outside, unless: undefined }) })
    expect(ask(it).code).toBe('policy-denies')
    it.reconfigure({ policies: own(anybody), assigned: { groups: ['sales'] } })
    expect(ask(it).code).toBe('not-assigned')
    it.reconfigure({ policies: own(anybody), assigned: { groups: ['staff'] } })
    ask(it)
    expect(it.offers).toHaveLength(2)
  })

  test('R5.3c what is open is broken off when access is denied, and not when a stronger sign-in is asked for', async () => {
    const it = await world([anybody])
    ask(it, page)
    const stream = ask(it, page)
    const { exchange } = it.claim()
    exchange.receivedResponse({ status: 200, headers: [] }, false, 0)
    expect(stream.status).toBe(200)
    it.reconfigure({ policies: own(anybody, second) })
    await new Promise((resolve) => setTimeout(resolve, 700))
    expect(stream.verbs).not.toContain('abort')
    it.reconfigure({ policies: own(anybody, { ...outside, unless: undefined }) })
    await vi.waitFor(() => expect(stream.verbs.at(-1)).toBe('abort'), { timeout: 1_000 })
  })

  test('R5.2a a navigation that must be stronger goes to the issuer with what to ask for', async () => {
    const it = await world([second])
    const user = ask(it, page)
    await Promise.resolve()
    expect([user.status, it.redirects, it.stepUps]).toEqual([
      ...[302, ['/'], [{ acrValues: ['two-factor'] }]],
    ])
  })

  test('R5.2c a program that must is told in a challenge', async () => {
    const it = await world([
      { ...second, stepUp: { acrValues: ['two-factor', 'three'], maxAgeMs: 90_000 } },
    ])
    const user = ask(it)
    expect([user.status, user.code]).toEqual([401, 'step-up-required'])
    expect(user.headers[user.headers.indexOf('WWW-Authenticate') + 1]).toBe(
      `Cookie realm="${SECURE}", error="insufficient_user_authentication", error_description="A stronger or more recent sign-in is needed", acr_values="two-factor three", max_age="90"`,
    )
    expect(it.redirects).toEqual([])
  })

  test('R5.2c a WebSocket is no navigation', async () => {
    const it = await world([second])
    const user = it.ask({
      authority: SECURE,
      upgrade: 'websocket',
      headers: ['Upgrade', 'websocket', 'Origin', `https://${SECURE}`, 'Cookie', it.cookie],
    })
    expect(user.status).toBe(401)
  })

  const proxies = { trustedProxies: { networks: ['10.0.0.0/8'] } }

  test('R5.4a the address is what trusted proxies say, read from the right, and nobody else is believed', async () => {
    const it = await world([anybody, outside], { edge: proxies })
    const from = (remote: string, forwarded: string) =>
      ask(it, { ...program, 'x-forwarded-for': forwarded }, remote)
    from('10.0.0.1', '203.0.113.9, 192.0.2.7, 10.0.0.2')
    expect(it.offers).toHaveLength(1)
    const { headers } = it.offers[0]!
    expect(headers[headers.indexOf('X-Forwarded-For') + 1]).toBe('192.0.2.7')
    expect(headers[headers.indexOf('Forwarded') + 1]).toMatch(/^for=192\.0\.2\.7;/)
    expect(from('10.0.0.1', '192.0.2.7, 203.0.113.9').code).toBe('policy-denies')
    expect(from('203.0.113.9', '192.0.2.7').code).toBe('policy-denies')
  })

  test('R5.4b an address that a trusted proxy does not tell is not known', async () => {
    const it = await world([anybody, outside], { edge: proxies })
    expect(ask(it, { ...program, 'x-forwarded-for': '192.0.2.7, unknown' }, '10.0.0.1').code).toBe(
      'policy-denies',
    )
    expect(it.audit.events.filter(({ type }) => type === 'access.decided')).toMatchObject([
      {
        address: 'unknown',
        detail: { matched: [{}, { unknown: ['address'] }] },
      },
    ])
  })

  test('what a decision follows from is worked out once', async () => {
    const it = await world([anybody])
    const { access } = publishedOf(it.application).application
    let reads = 0
    const policies = access!.policies
    Object.defineProperty(access, 'policies', {
      get: () => {
        reads += 1
        return policies
      },
    })
    for (let i = 0; i < 10; i += 1) ask(it)
    expect(it.offers).toHaveLength(10)
    expect(reads).toBeLessThan(3)
  })
})
