import { describe, expect, test } from 'vitest'
import { identityOf } from '../../../src/cloud/issuer/identity-claims.ts'
import { keptClaims, namedBy } from '../../../src/cloud/rules/named.ts'
import type { Application } from '../../../src/cloud/directory/directory-port.ts'
import {
  MAX_SESSION_CHARACTERS,
  openedSession,
  sealedSession,
} from '../../../src/cloud/session/sealed-session.ts'

const policy = (rest: object) => ({
  id: 'p',
  applications: 'all',
  mode: 'enforced',
  effect: 'allow',
  ...rest,
})
const application = (policies: object[], assigned?: object) =>
  ({
    id: 'vault',
    tenantId: 'contoso',
    externalUrl: 'https://vault.example/',
    internalUrl: 'http://10.0.0.1/',
    identityHeaders: {},
    assigned,
    access: { locations: [], policies },
  }) as unknown as Application
const groups = Array.from({ length: 400 }, (_, i) => `group-${i}-${'x'.repeat(20)}`)
const identity = { subject: 'u1', issuer: 'https://sts.example', expiresAt: 2 }
const session = (of: Application, user: object) =>
  openedSession(
    sealedSession('id', { ...identity, ...user }, { startedAt: 1, expiresAt: 2 }, of, 'name'),
  )

test('policies and assignment name groups, roles and claims, exceptions too', () => {
  const named = namedBy(
    application(
      [
        policy({ when: { who: { groups: ['a'] }, device: { compliant: [true] } } }),
        policy({
          unless: [{ who: { roles: ['r'] } }, { device: { compliant: [true], os: ['x'] } }],
        }),
      ],
      { users: ['sub:u', 'email:a@b', 'nobody'], groups: ['b'], roles: ['s'] },
    ),
  )
  expect([...named.told]).toEqual(['email'])
  expect([[...named.groups], [...named.roles], named.claims]).toEqual([
    ...[
      ['b', 'a'],
      ['s', 'r'],
      ['compliant', 'os'],
    ],
  ])
})

describe('a session', () => {
  test('keeps the groups that policies name, where not all have room', () => {
    const of = application([policy({ when: { who: { groups: [groups[399]] } } })])
    const kept = session(of, { groups })
    expect(kept.user.groups).toContain(groups[399])
    expect(kept.user.groups!.length).toBeLessThan(400)
    expect(kept.isPartial).toBeUndefined()
  })

  test('says that its lists are not whole when one that is named has no room', () => {
    const of = application([policy({ when: { who: { groups } } })])
    expect(session(of, { groups }).isPartial).toBe(true)
    expect(session(of, { groups: groups.slice(0, 3) }).isPartial).toBeUndefined()
  })

  test('keeps the claims that policies name, and what the issuer said of the groups it left out', () => {
    const of = application([policy({ when: { device: { compliant: [true] } } })])
    const claims = {
      ...{ sub: 'u1', iss: 'https://sts.example', exp: 2, compliant: true, other: 'x' },
      _claim_names: { groups: 'src1' },
    }
    const user = identityOf(claims, { named: namedBy(of).claims })
    expect(session(of, user)).toMatchObject({ claims: { compliant: true }, isPartial: true })
    expect(identityOf({ ...claims, _claim_names: { address: 's' } }).isPartial).toBeUndefined()
    expect(identityOf({ ...claims, _claim_names: undefined, hasgroups: true }).isPartial).toBe(true)
  })

  test('stays below its size whatever is named', () => {
    const names = Array.from({ length: 50 }, (_, i) => `claim-${i}`)
    const device = Object.fromEntries(names.map((name) => [name, ['x']]))
    const of = application([policy({ when: { device, who: { groups } } })])
    const claims = keptClaims(
      Object.fromEntries(names.map((name) => [name, 'v'.repeat(60)])),
      names,
    )
    const sealed = sealedSession(
      'id',
      { ...identity, groups, claims: claims! },
      { startedAt: 1, expiresAt: 2 },
      of,
      'name',
    )
    const octets = JSON.stringify(sealed).length
    expect((octets * 4) / 3).toBeLessThan(MAX_SESSION_CHARACTERS)
    expect(Object.keys(claims!).length).toBeGreaterThan(2)
  })
})

test.each<[unknown, object | undefined]>([
  ['text', { it: 'text' }],
  [7, { it: 7 }],
  [false, { it: false }],
  [['a', 1], { it: ['a', 1] }],
  [{ nested: 1 }, undefined],
  [[{}], undefined],
  [null, undefined],
  ['x'.repeat(600), undefined],
])('of a claim %j is kept %j', (value, expected) =>
  expect(keptClaims({ it: value }, ['it', 'toString'])).toEqual(expected),
)
