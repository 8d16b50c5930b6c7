import { describe, expect, test } from 'vitest'
import fc from 'fast-check'
import {
  type AccessRules,
  RISK_LEVELS,
  WEEKDAYS,
  type AccessPolicy,
  type Conditions,
  type StepUp,
} from '../../../src/cloud/rules/access-policy.ts'
import {
  decideAccess,
  type AccessContext,
  type AccessDecision,
} from '../../../src/cloud/rules/decide-access.ts'
import type { StepUpRequest } from '../../../src/protocol/internal.ts'

const NOW = Date.parse('2026-06-01T10:00:00Z') // a Monday, noon in Berlin
const alice: AccessContext = {
  applicationId: 'vault',
  user: {
    subject: 'u1',
    email: 'Alice@contoso.example',
    upn: 'Alice@corp.example',
    groups: ['staff'],
    roles: ['reader'],
  },
  authentication: { at: NOW - 600_000, acr: 'pwd', amr: ['pwd'] },
  address: '192.0.2.7',
  country: 'DE',
  claims: { device_id: 'd1', compliant: true, tags: ['laptop', 'byod'] },
  risk: 'low',
  now: NOW,
}
const locations = [
  { id: 'office', networks: ['192.0.2.0/24', '2001:db8::/32'] },
  { id: 'home-market', countries: ['DE', 'AT'] },
]
const common = { applications: 'all', mode: 'enforced' } as const
const allow = (id: string, rest: Partial<AccessPolicy> = {}) =>
  ({ id, ...common, effect: 'allow', ...rest }) as AccessPolicy
const deny = (id: string, rest: Partial<AccessPolicy> = {}) =>
  ({ id, ...common, effect: 'deny', reason: 'Not from here.', ...rest }) as AccessPolicy
const ask = (id: string, stepUp: StepUp, rest: Partial<AccessPolicy> = {}) =>
  ({ id, ...common, effect: 'step-up', stepUp, ...rest }) as AccessPolicy
const decide = (policies: AccessPolicy[], context: Partial<AccessContext> = {}) =>
  decideAccess({ locations, policies }, { ...alice, ...context })
const but = (rest: Partial<AccessContext>): AccessContext => ({ ...alice, ...rest })
const without = (...names: (keyof AccessContext)[]) =>
  Object.fromEntries(
    Object.entries(alice).filter(([name]) => !names.includes(name as keyof AccessContext)),
  ) as unknown as AccessContext

describe('a condition', () => {
  const unknownAddress = but({ address: 'unknown' })
  const unsaid = but({ authentication: { at: NOW } })
  // Whether it holds: yes, no, or not known.
  test.each<[string, Conditions, AccessContext, boolean | undefined]>([
    ['a user by subject', { who: { users: ['sub:u1'] } }, alice, true],
    [
      'a user by e-mail, any letter case',
      { who: { users: ['email:alice@CONTOSO.example'] } },
      alice,
      true,
    ],
    ['a user by an assigned name', { who: { users: ['upn:alice@corp.EXAMPLE'] } }, alice, true],
    ['another user', { who: { users: ['sub:bob', 'sub:staff'] } }, alice, false],
    ['a subject, which is compared exactly', { who: { users: ['sub:U1'] } }, alice, false],
    [
      'an address, of a user who is known by none',
      { who: { users: ['email:bob@contoso.example'] } },
      but({ user: { subject: 'u1', upn: 'alice@contoso.example' } }),
      undefined,
    ],
    [
      'an assigned name, of a user whose issuer assigns none',
      { who: { users: ['upn:bob@contoso.example'] } },
      but({ user: { subject: 'u1', email: 'bob@contoso.example' } }),
      undefined,
    ],
    [
      'a group, of a user whose groups did not come',
      { who: { groups: ['sales'] } },
      but({ user: { subject: 'u1', roles: [] } }),
      undefined,
    ],
    [
      'a group, of a user who has none',
      { who: { groups: ['sales'] } },
      but({ user: { subject: 'u1', groups: [] } }),
      false,
    ],
    [
      'a role, of a user whose roles did not come',
      { who: { roles: ['x'] } },
      but({ user: { subject: 'u1', groups: [] } }),
      undefined,
    ],
    ['a group', { who: { groups: ['staff', 'sales'] } }, alice, true],
    ['a group that is not theirs', { who: { groups: ['sales'] } }, alice, false],
    ['a role', { who: { roles: ['reader'] } }, alice, true],
    ['a user or a role', { who: { users: ['sub:bob'], roles: ['reader'] } }, alice, true],
    [
      'a group missing from a list that is not whole',
      { who: { groups: ['sales'] } },
      but({ user: { ...alice.user, isPartial: true } }),
      undefined,
    ],
    [
      'a group in a list that is not whole',
      { who: { groups: ['staff'] } },
      but({ user: { ...alice.user, isPartial: true } }),
      true,
    ],
    [
      'a user who is not named, whatever lists lack',
      { who: { users: ['sub:bob'] } },
      but({ user: { ...alice.user, isPartial: true } }),
      false,
    ],
    ['a network', { from: { networks: ['192.0.2.0/28'] } }, alice, true],
    [
      'a mapped address',
      { from: { locations: ['office'] } },
      but({ address: '::ffff:192.0.2.9' }),
      true,
    ],
    ['another network', { from: { networks: ['10.0.0.0/8'] } }, alice, false],
    ['a named location by network', { from: { locations: ['office'] } }, alice, true],
    ['a named location by country', { from: { locations: ['home-market'] } }, alice, true],
    ['another country', { from: { countries: ['FR'] } }, alice, false],
    ['a country nobody knows', { from: { countries: ['FR'] } }, without('country'), undefined],
    ['an address nobody knows', { from: { networks: ['10.0.0.0/8'] } }, unknownAddress, undefined],
    ['an acr', { authentication: { acr: ['mfa', 'pwd'] } }, alice, true],
    ['another acr', { authentication: { acr: ['mfa'] } }, alice, false],
    ['an acr that was not said', { authentication: { acr: ['mfa'] } }, unsaid, undefined],
    ['any method', { authentication: { amr: { any: ['otp', 'pwd'] } } }, alice, true],
    ['all methods', { authentication: { amr: { all: ['otp', 'pwd'] } } }, alice, false],
    [
      'methods that were not said',
      { authentication: { amr: { all: ['otp'] } } },
      unsaid,
      undefined,
    ],
    ['an age', { authentication: { maxAgeMs: 600_001 } }, alice, true],
    ['an age that is reached', { authentication: { maxAgeMs: 600_000 } }, alice, false],
    [
      'a clock ahead of ours',
      { authentication: { maxAgeMs: 60_000 } },
      but({ authentication: { at: NOW + 5_000 } }),
      true,
    ],
    ['a claim', { device: { compliant: [true] } }, alice, true],
    ['a claim with another value', { device: { compliant: [false] } }, alice, false],
    ['a claim compared by type', { device: { compliant: ['true'] } }, alice, false],
    ['a list claim', { device: { tags: ['byod'] } }, alice, true],
    ['all claims', { device: { compliant: [true], tags: ['desktop'] } }, alice, false],
    ['a claim that is not there', { device: { managed: [true] } }, alice, undefined],
    ['a claim named like a method of objects', { device: { toString: ['x'] } }, alice, undefined],
    ['a risk', { risk: ['low', 'medium'] }, alice, true],
    ['another risk', { risk: ['high'] }, alice, false],
    ['a risk nobody assesses', { risk: ['none'] }, without('risk'), undefined],
    [
      'a window',
      { time: [{ from: '08:00', to: '18:00', timeZone: 'Europe/Berlin' }] },
      alice,
      true,
    ],
    ['another window', { time: [{ weekdays: ['friday'], timeZone: 'UTC' }] }, alice, false],
    ['two conditions', { who: { groups: ['staff'] }, risk: ['high'] }, alice, false],
    [
      'one that fails beside one not known',
      { who: { users: ['sub:bob'] }, device: { x: [1] } },
      alice,
      false,
    ],
    [
      'one that holds beside one not known',
      { who: { users: ['sub:u1'] }, device: { x: [1] } },
      alice,
      undefined,
    ],
  ])('%s', (_, when, context, expected) => {
    const outcome = (policies: AccessPolicy[]) =>
      decideAccess({ locations, policies }, context).effect
    expect(outcome([allow('a', { when })])).toBe(expected === true ? 'allow' : 'deny')
    expect(outcome([allow('a'), deny('d', { when })])).toBe(expected === false ? 'allow' : 'deny')
    // And an exception to a deny holds only where it is known to.
    const spared = outcome([allow('a'), deny('d', { unless: [when] })])
    expect(spared).toBe(expected === true ? 'allow' : 'deny')
  })

  test('an unknown country is reported by name', () => {
    const when = { from: { countries: ['FR'] } }
    expect(
      decideAccess({ locations, policies: [deny('d', { when })] }, without('country')),
    ).toMatchObject({
      effect: 'deny',
      code: 'policy-denies',
      matched: [{ policy: 'd', effect: 'deny', unknown: ['country'] }],
    })
  })
})

describe('the outcome', () => {
  const mfa = { acrValues: ['mfa'] }
  test.each<[string, AccessPolicy[], Partial<AccessContext>, object]>([
    ['no policies in the list', [], {}, { effect: 'deny', code: 'no-policy-allows', matched: [] }],
    ['one that allows', [allow('a')], {}, { effect: 'allow', policy: 'a' }],
    [
      'one for another application',
      [allow('a', { applications: ['wiki'] })],
      {},
      { effect: 'deny', code: 'no-policy-allows' },
    ],
    [
      'one for this application',
      [allow('a', { applications: ['vault'] })],
      {},
      { effect: 'allow' },
    ],
    [
      'deny over allow',
      [allow('a'), deny('d')],
      {},
      { effect: 'deny', code: 'policy-denies', policy: 'd', reason: 'Not from here.' },
    ],
    ['deny over step-up', [ask('s', mfa), deny('d')], {}, { effect: 'deny', policy: 'd' }],
    [
      'step-up over allow',
      [allow('a'), ask('s', mfa)],
      {},
      { effect: 'step-up', policy: 's', stepUp: { acrValues: ['mfa'] } },
    ],
    [
      'a step-up that is met allows by itself',
      [ask('s', mfa)],
      { authentication: { at: NOW, acr: 'mfa' } },
      { effect: 'allow', policy: 's', matched: [{ policy: 's', isMet: true }] },
    ],
    ['a step-up by itself', [ask('s', mfa)], {}, { effect: 'step-up' }],
    [
      'an acr that was not said meets nothing',
      [ask('s', mfa)],
      { authentication: { at: NOW } },
      { effect: 'step-up' },
    ],
    [
      'a step-up that just happened is not asked for again',
      [allow('a'), ask('s', mfa)],
      { isSteppedUp: true },
      { effect: 'deny', code: 'step-up-unmet', policy: 's' },
    ],
    [
      'step-ups join',
      [
        ask('s1', { acrValues: ['mfa', 'hardware'], maxAgeMs: 300_000 }),
        ask('s2', { acrValues: ['hardware', 'mfa', 'x'], maxAgeMs: 60_000, amr: { any: ['hwk'] } }),
      ],
      {},
      {
        effect: 'step-up',
        policy: 's1',
        stepUp: { acrValues: ['mfa', 'hardware'], maxAgeMs: 60_000, amr: ['hwk'] },
      },
    ],
    [
      'one that is met binds the other',
      [ask('s1', { acrValues: ['mfa', 'pwd'] }), ask('s2', { acrValues: ['x', 'mfa'] })],
      {},
      { effect: 'step-up', policy: 's2', stepUp: { acrValues: ['mfa'] } },
    ],
    [
      'step-ups that cannot be met at once',
      [ask('s1', { acrValues: ['pwd'] }), ask('s2', mfa)],
      {},
      { effect: 'deny', code: 'step-up-contradiction', policy: 's2' },
    ],
    [
      'nobody is sent to sign in who is not let in afterwards',
      [ask('s', mfa, { when: { device: { managed: [true] } } })],
      {},
      { effect: 'deny', code: 'no-policy-allows', matched: [{ unknown: ['device.managed'] }] },
    ],
    [
      'a report changes nothing',
      [allow('a'), deny('d', { mode: 'report-only' }), ask('s', mfa, { mode: 'report-only' })],
      {},
      {
        effect: 'allow',
        matched: [
          { policy: 'a', effect: 'allow', mode: 'enforced' },
          { policy: 'd', effect: 'deny', mode: 'report-only' },
          { policy: 's', effect: 'step-up', mode: 'report-only', isMet: false },
        ],
      },
    ],
    [
      'a report does not allow either',
      [allow('a', { mode: 'report-only' })],
      {},
      { effect: 'deny', code: 'no-policy-allows' },
    ],
    [
      'an exception',
      [allow('a'), deny('d', { unless: [{ risk: ['high'] }, { who: { groups: ['staff'] } }] })],
      {},
      { effect: 'allow', matched: [{ policy: 'a' }] },
    ],
  ])('%s', (_, policies, context, expected) =>
    expect(decide(policies, context)).toMatchObject(expected),
  )

  test('without rules there is no conditional access', () =>
    expect(decideAccess(undefined, alice)).toEqual({
      effect: 'allow',
      matched: [],
      until: Infinity,
    }))

  test.each<[string, unknown]>([
    ['an unknown member', { ...allow('a'), whn: {} }],
    ['an unknown effect', { ...allow('a'), effect: 'permit' }],
    ['a wrong network', allow('a', { when: { from: { networks: ['10.1.2.3/8'] } } })],
    ['an unknown location', allow('a', { when: { from: { locations: ['moon'] } } })],
    ['an empty condition', allow('a', { when: {} })],
    ['a step-up without a demand', ask('s', { amr: { any: ['otp'] } })],
    ['nothing', null],
  ])('%s makes the policies broken, and broken policies deny', (_, policy) => {
    const decision = decide([allow('fine'), policy as AccessPolicy])
    expect(decision).toMatchObject({ effect: 'deny', code: 'policy-broken', until: NOW })
    expect((decision as { cause: unknown }).cause).toBeInstanceOf(Error)
  })

  test('facts that break a policy deny', () =>
    expect(
      decide([allow('a', { when: { who: { groups: ['staff'] } } })], {
        user: { subject: 'u1', groups: 7 as never },
      }),
    ).toMatchObject({ effect: 'deny', code: 'policy-broken' }))
})

describe('the time until', () => {
  test.each<[string, AccessPolicy[], number]>([
    ['never, without time', [allow('a', { when: { risk: ['low'] } })], Infinity],
    [
      'the end of an age',
      [allow('a', { when: { authentication: { maxAgeMs: 900_000 } } })],
      NOW + 300_000,
    ],
    [
      'never, of an age that is reached',
      [allow('a', { when: { authentication: { maxAgeMs: 60_000 } } })],
      Infinity,
    ],
    ['the end of a step-up that is met', [ask('s', { maxAgeMs: 900_000 })], NOW + 300_000],
    [
      'the edge of a window',
      [allow('a', { when: { time: [{ from: '08:00', to: '12:30', timeZone: 'Europe/Berlin' }] } })],
      NOW + 30 * 60_000,
    ],
    [
      'never, where a window makes no difference',
      [
        allow('a', {
          when: { who: { users: ['sub:bob'] }, time: [{ to: '12:30', timeZone: 'Europe/Berlin' }] },
        }),
      ],
      Infinity,
    ],
    [
      'also of what only reports',
      [
        allow('a'),
        deny('d', { mode: 'report-only', when: { authentication: { maxAgeMs: 900_000 } } }),
      ],
      NOW + 300_000,
    ],
  ])('%s', (_, policies, expected) => expect(decide(policies).until).toBe(expected))
})

describe('whatever the policies', () => {
  const conditions: fc.Arbitrary<Conditions> = fc
    .record(
      {
        who: fc.record({ groups: fc.subarray(['staff', 'sales'], { minLength: 1 }) }),
        from: fc.record({ countries: fc.subarray(['DE', 'FR'], { minLength: 1 }) }),
        authentication: fc.oneof(
          fc.record({ maxAgeMs: fc.integer({ min: 10_000, max: 86_400_000 }) }),
          fc.record({ acr: fc.subarray(['pwd', 'mfa'], { minLength: 1 }) }),
        ),
        device: fc.record({ compliant: fc.subarray([true, false], { minLength: 1 }) }),
        risk: fc.subarray([...RISK_LEVELS], { minLength: 1 }),
        time: fc.array(
          fc.record({
            weekdays: fc.subarray([...WEEKDAYS], { minLength: 1 }),
            from: fc.constantFrom('00:00', '02:30', '08:00'),
            to: fc.constantFrom('01:15', '18:00', '24:00'),
            timeZone: fc.constantFrom('Europe/Berlin', 'America/New_York'),
          }),
          { minLength: 1, maxLength: 2 },
        ),
      },
      { requiredKeys: [] },
    )
    .filter((one) => Object.keys(one).length > 0)
  const policy = fc
    .record(
      {
        mode: fc.constantFrom('enforced' as const, 'enforced' as const, 'report-only' as const),
        applications: fc.constantFrom('all' as const, ['vault'], ['wiki']),
        when: conditions,
        unless: fc.array(conditions, { minLength: 1, maxLength: 2 }),
        effect: fc.oneof(
          fc.constant({ effect: 'allow' as const }),
          fc.constant({ effect: 'deny' as const, reason: 'No.' }),
          fc.record({
            effect: fc.constant('step-up' as const),
            stepUp: fc.record(
              {
                acrValues: fc.subarray(['pwd', 'mfa', 'hardware'], { minLength: 1 }),
                maxAgeMs: fc.integer({ min: 10_000, max: 3_600_000 }),
              },
              { requiredKeys: ['acrValues'] },
            ),
          }),
        ),
      },
      { requiredKeys: ['mode', 'applications', 'effect'] },
    )
    .map(({ effect, ...rest }) => ({ ...rest, ...effect }))
  const policies = fc
    .array(policy, { maxLength: 5 })
    .map((list) => list.map((one, i) => ({ id: `p${i}`, ...one }) as AccessPolicy))
  // Around the nights on which clocks change in Berlin.
  const now = fc
    .tuple(
      fc.constantFrom('2026-03-29T01:00:00Z', '2026-10-25T01:00:00Z', '2026-06-01T10:00:00Z'),
      fc.integer({ min: -86_400_000, max: 86_400_000 }),
    )
    .map(([around, offset]) => Date.parse(around) + offset)
  const context = fc
    .record(
      {
        now,
        country: fc.constantFrom('DE', 'FR'),
        acr: fc.constantFrom('pwd', 'mfa'),
        claims: fc.record({ compliant: fc.boolean() }),
        risk: fc.constantFrom(...RISK_LEVELS),
        age: fc.integer({ min: 0, max: 86_400_000 }),
        isPartial: fc.boolean(),
      },
      { requiredKeys: ['now', 'age'] },
    )
    .map(({ age, acr, isPartial, ...rest }): AccessContext => ({
      applicationId: 'vault',
      user: { subject: 'u1', groups: ['staff'], ...(isPartial && { isPartial }) },
      authentication: { at: rest.now - age, ...(acr && { acr }) },
      address: '192.0.2.7',
      ...rest,
    }))
  const RANK = { deny: 0, 'step-up': 1, allow: 2 }
  const by = (list: AccessPolicy[], at: AccessContext) =>
    decideAccess({ locations, policies: list }, at)
  const timeless = ({ until: _, ...rest }: AccessDecision) => rest

  test('their order makes no difference', () => {
    const shuffled = policies.chain((list) =>
      fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
    )
    fc.assert(
      fc.property(shuffled, context, ([list, other], at) => {
        expect(by(other, at)).toEqual(by(list, at))
      }),
    )
  })

  test('a deny more never lets anybody in, nor asks anybody who was denied', () =>
    fc.assert(
      fc.property(policies, policy, context, (list, { applications, when, unless }, at) => {
        const more = deny('more', {
          applications,
          ...(when && { when }),
          ...(unless && { unless }),
        })
        const [before, after] = [by(list, at), by([...list, more], at)]
        expect(RANK[after.effect]).toBeLessThanOrEqual(RANK[before.effect])
      }),
    ))

  test('whoever is let in when less is known is let in when more is', () =>
    fc.assert(
      fc.property(policies, context, (list, at) => {
        const { country: _c, risk: _r, claims: _d, ...rest } = at
        const less: AccessContext = {
          ...rest,
          user: { ...at.user, isPartial: true },
          authentication: { at: at.authentication.at },
        }
        if (by(list, less).effect === 'allow') expect(by(list, at).effect).toBe('allow')
      }),
    ))

  test('until the time it names a decision stays as it is', () =>
    fc.assert(
      fc.property(
        policies,
        context,
        fc.double({ min: 0, max: 1, noNaN: true }),
        (list, at, part) => {
          const decision = by(list, at)
          expect(decision.until).toBeGreaterThan(at.now)
          const last = Math.min(decision.until - 1, at.now + 7 * 86_400_000)
          const within = at.now + Math.floor((last - at.now) * part)
          for (const later of [within, last])
            expect(timeless(by(list, { ...at, now: later }))).toEqual(timeless(decision))
        },
      ),
    ))

  test('who does what a step-up asks for is let in, and not asked again', () =>
    fc.assert(
      fc.property(policies, context, (list, at) => {
        // Conditions on how users authenticated may well send somebody away who comes back: these are others.
        const steady = list.filter(
          (one) => !JSON.stringify([one.when, one.unless]).includes('"authentication"'),
        )
        const decision = by(steady, at)
        fc.pre(decision.effect === 'step-up')
        const { acrValues, maxAgeMs } = (decision as { stepUp: StepUpRequest }).stepUp
        expect(acrValues ?? maxAgeMs).toBeDefined()
        const authentication = { at: at.now, acr: acrValues?.[0] ?? 'other' }
        expect(by(steady, { ...at, authentication, isSteppedUp: true }).effect).toBe('allow')
      }),
      { numRuns: 300 },
    ))

  test('the same rules are read once', () => {
    let reads = 0
    const rules = {
      locations: [],
      get policies() {
        reads += 1
        return [allow('a')]
      },
    } as AccessRules
    decideAccess(rules, alice)
    const first = reads
    decideAccess(rules, alice)
    expect([first > 0, reads]).toEqual([true, first])
  })
})
