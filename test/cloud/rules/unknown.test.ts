import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isAmong, type PolicyUser } from '../../../src/cloud/rules/among.ts'
import type { AccessPolicy, Conditions, StepUp } from '../../../src/cloud/rules/access-policy.ts'
import { decideAccess, type AccessContext } from '../../../src/cloud/rules/decide-access.ts'

const NOW = Date.parse('2026-06-01T10:00:00Z')
/** Everything is known of her. */
const ALICE = {
  applicationId: 'vault',
  user: {
    subject: 'u1',
    email: 'alice@contoso.example',
    upn: 'alice',
    groups: ['staff'],
    roles: ['reader'],
  },
  authentication: { at: NOW - 60_000, acr: 'mfa', amr: ['pwd', 'otp'] },
  address: '192.0.2.7',
  country: 'DE',
  claims: { compliant: true },
  risk: 'low',
  now: NOW,
} as const satisfies AccessContext

type Without = (context: AccessContext) => AccessContext
const user =
  (...names: (keyof PolicyUser)[]): Without =>
  (context) => ({
    ...context,
    user: Object.fromEntries(
      Object.entries(context.user).filter(([name]) => !names.includes(name as keyof PolicyUser)),
    ) as unknown as PolicyUser,
  })
const authentication =
  (name: 'at' | 'acr' | 'amr'): Without =>
  (context) => ({ ...context, authentication: { ...context.authentication, [name]: undefined } })
const context =
  (name: 'address' | 'country' | 'claims' | 'risk'): Without =>
  (one) => ({ ...one, [name]: undefined })

/** What may be unknown: how it is told, a condition that Alice meets by it alone, and how to take it away. */
const UNKNOWN: readonly { what: string; told: string; when: Conditions; without: Without }[] = [
  { what: 'groups', told: 'groups', when: { who: { groups: ['staff'] } }, without: user('groups') },
  { what: 'roles', told: 'roles', when: { who: { roles: ['reader'] } }, without: user('roles') },
  {
    what: 'lists that are not whole, a member not found in them',
    told: 'groups',
    when: { who: { groups: ['staff'] } },
    without: (one) => ({ ...one, user: { ...one.user, groups: [], isPartial: true } }),
  },
  {
    what: 'the e-mail address, or whether it is verified',
    told: 'email',
    when: { who: { users: ['email:alice@contoso.example'] } },
    without: user('email'),
  },
  {
    what: 'the assigned name',
    told: 'upn',
    when: { who: { users: ['upn:alice'] } },
    without: user('upn'),
  },
  {
    what: 'the address',
    told: 'address',
    when: { from: { networks: ['192.0.2.0/24'] } },
    without: context('address'),
  },
  {
    what: 'the country of the address',
    told: 'country',
    when: { from: { countries: ['DE'] } },
    without: context('country'),
  },
  {
    what: 'the authentication context (`acr`, `acrs`)',
    told: 'acr',
    when: { authentication: { acr: ['mfa'] } },
    without: authentication('acr'),
  },
  {
    what: 'the methods (`amr`)',
    told: 'amr',
    when: { authentication: { amr: { any: ['otp'] } } },
    without: authentication('amr'),
  },
  {
    what: 'when the user authenticated (`auth_time`)',
    told: 'age',
    when: { authentication: { maxAgeMs: 3_600_000 } },
    without: authentication('at'),
  },
  { what: 'the risk', told: 'risk', when: { risk: ['low'] }, without: context('risk') },
  {
    what: 'a claim that a `device` condition names',
    told: 'device.compliant',
    when: { device: { compliant: [true] } },
    without: context('claims'),
  },
]

const base = { applications: 'all', mode: 'enforced' } as const
const everybody = { id: 'all', ...base, effect: 'allow' } as AccessPolicy
const decide = (policies: readonly object[], at: AccessContext) =>
  decideAccess({ locations: [], policies: policies as AccessPolicy[] }, at)

/** Where the condition may stand, and what becomes of who meets it and of whom it is not known. */
const PLACES = [
  ['`allow`', (when: Conditions) => [{ id: 'p', ...base, effect: 'allow', when }], 'allow'],
  [
    '`deny`',
    (when: Conditions) => [everybody, { id: 'p', ...base, effect: 'deny', reason: 'No.', when }],
    'deny',
  ],
  [
    '`step-up`',
    (when: Conditions) => [
      everybody,
      {
        ...{ id: 'p', ...base, effect: 'step-up', when },
        stepUp: { acrValues: ['hardware'] } satisfies StepUp,
      },
    ],
    'step-up',
  ],
  [
    '`unless` of an `allow`',
    (one: Conditions) => [{ id: 'p', ...base, effect: 'allow', unless: [one] }],
    'deny',
  ],
  [
    '`unless` of a `deny`',
    (one: Conditions) => [
      everybody,
      { id: 'p', ...base, effect: 'deny', reason: 'No.', unless: [one] },
    ],
    'allow',
  ],
] as const

const WORDS = { allow: 'let in', deny: 'denied', 'step-up': 'sent to step up' }

test('what is not known restricts and does not permit, and the table in the documentation says so', () => {
  const rows = UNKNOWN.map(({ what, told, when, without }) => {
    const less = without(ALICE)
    const cells = PLACES.map(([, policies, effect]) => {
      expect(decide(policies(when), ALICE).effect, what).toBe(effect)
      const decision = decide(policies(when), less)
      expect(decision.effect, what).not.toBe('allow')
      if (decision.matched.some(({ policy }) => policy === 'p'))
        expect(decision.matched.find(({ policy }) => policy === 'p')).toMatchObject({
          unknown: [told],
        })
      return WORDS[decision.effect]
    })
    const unknown = new Set<string>()
    const assigned = 'who' in when ? isAmong(when.who!, less.user, unknown) : 'none'
    if (assigned !== 'none') expect([assigned, [...unknown]]).toEqual([undefined, [told]])
    return [what, assigned === 'none' ? '–' : 'not assigned', ...cells, `\`${told}\``]
  })
  const header = ['not known', 'assigned by it', ...PLACES.map(([place]) => place), 'told as']
  const table = [header, ...rows].map((row) => row.join(' | '))
  const documented = readFileSync(new URL('../../../docs/unknown.md', import.meta.url), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim())
        .join(' | '),
    )
    .filter((line) => !/^[-: |]+$/.test(line))
  expect(documented.slice(0, table.length)).toEqual(table)
})

test('whatever is taken away, nobody is let in by it, nor less restricted', () => {
  const RANK = { deny: 0, 'step-up': 1, allow: 2 }
  const piece = fc.constantFrom(...UNKNOWN.map(({ when }) => when))
  const other: fc.Arbitrary<Conditions> = fc.constantFrom(
    { who: { groups: ['others'], users: ['sub:u1'] } },
    { who: { groups: ['others'], roles: ['writer'], users: ['email:bob@contoso.example'] } },
    { from: { networks: ['10.0.0.0/8'], countries: ['FR'] } },
    { authentication: { acr: ['hardware'], amr: { all: ['pwd', 'face'] } } },
    { device: { compliant: [false] } },
    { risk: ['high'] },
  )
  const one = fc.oneof(piece, other)
  const conditions = fc
    .array(one, { minLength: 1, maxLength: 3 })
    .map((list) => Object.assign({}, ...list) as Conditions)
  const policy = fc
    .record(
      {
        effect: fc.constantFrom('allow', 'deny', 'step-up'),
        when: conditions,
        unless: fc.array(conditions, { minLength: 1, maxLength: 2 }),
      },
      { requiredKeys: ['effect'] },
    )
    .map((written) => ({
      ...{ ...base, ...written },
      ...(written.effect === 'deny' && { reason: 'No.' }),
      ...(written.effect === 'step-up' && { stepUp: { acrValues: ['mfa', 'hardware'] } }),
    }))
  const policies = fc
    .array(policy, { maxLength: 5 })
    .map((list) => list.map((written, i) => ({ id: `p${i}`, ...written })))
  const taken = fc.subarray([...UNKNOWN], { minLength: 1 })
  fc.assert(
    fc.property(policies, taken, conditions, (list, away, { who }) => {
      const less = away.reduce((context, { without }) => without(context), ALICE as AccessContext)
      expect(RANK[decide(list, less).effect]).toBeLessThanOrEqual(RANK[decide(list, ALICE).effect])
      if (who !== undefined && isAmong(who, ALICE.user) !== true)
        expect(isAmong(who, less.user)).not.toBe(true)
    }),
    { numRuns: 500 },
  )
})
