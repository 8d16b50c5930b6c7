/** Who is let in at sign-in where parts of an application have admission of their own, and what a session keeps for them. */
import { expect, test } from 'vitest'
import { memoryAudit } from '../../../src/cloud/audit/audit.ts'
import { publishedOf } from '../../../src/cloud/directory/published.ts'
import { AccessControl } from '../../../src/cloud/policy/access-control.ts'
import { namedBy } from '../../../src/cloud/rules/named.ts'
import { directoryOf } from '../directory/directory-of.ts'

const directory = directoryOf({
  tenants: [
    {
      ...{ id: 'contoso', issuer: 'https://sts.example', registrars: { audience: 'x' } },
      policies: [{ id: 'all', effect: 'allow', applications: 'all' }],
    },
  ],
  groups: [{ id: 'default', tenantId: 'contoso' }],
  applications: [
    {
      ...{ id: 'wiki', groupId: 'default', preAuthentication: 'oidc', client: { id: 'w' } },
      ...{ externalUrl: 'https://wiki.example/', internalUrl: 'http://10.0.0.1/' },
      assigned: { groups: ['staff'] },
      segments: [
        { path: '/public/', preAuthentication: 'passthrough' },
        { path: '/reports/', assigned: { groups: ['finance'], roles: ['auditor'] } },
        {
          path: '/vault/',
          policies: [{ id: 'second', effect: 'step-up', stepUp: { acrValues: ['two'] } }],
        },
        {
          path: '/guests/',
          assigned: 'everyone',
          policies: [
            {
              ...{ id: 'no-guests', effect: 'deny', reason: 'No.' },
              when: { who: { groups: ['banned'], users: ['email:eve@contoso.example'] } },
            },
          ],
        },
      ],
    },
  ],
})
const wiki = directory.application('wiki')!
const access = new AccessControl({ audit: memoryAudit(), clocks: { wallClock: () => 0 } })
const decide = (groups: readonly string[], target?: string, isStepUp = false) => {
  const identity = {
    subject: 'alice',
    issuer: 'https://sts.example',
    ...{ groups, email: 'alice@contoso.example', expiresAt: 1 },
  }
  const decision = access.atSignIn(wiki, identity as never, { target, isStepUp })
  return decision.effect === 'deny' ? decision.code : decision.effect
}

test.each([
  [['staff'], '/a?b=/reports/', 'allow'],
  [['staff'], '/reports/q3', 'not-assigned'],
  [['finance'], '/reports/q3', 'allow'],
  [['finance'], '/', 'not-assigned'],
  [['staff'], '/vault/', 'step-up'],
  [[], '/guests/', 'allow'],
  [['banned'], '/guests/', 'policy-denies'],
])('%j on the way to %s: %s', (groups, target, expected) => {
  expect(decide(groups, target)).toBe(expected)
})

test('who came back from a stronger sign-in without one is not sent again', () => {
  expect(decide(['staff'], '/vault/', true)).toBe('step-up-unmet')
})

test.each([undefined, '/.app-proxy/sign-in/done', '/public/', '/Reports/'])(
  'where the part is not known (%s), whoever is admitted to any is let in',
  (target) => {
    expect(decide(['staff'], target)).toBe('allow')
    expect(decide(['finance'], target)).toBe('allow')
    expect(decide(['nobody', 'banned'], target)).toBe('not-assigned')
  },
)

test('a session keeps what any part names of its user, whichever part it began in', () => {
  const parts = ['/', '/reports/', '/public/'].map((path) => publishedOf(wiki).at(path))
  for (const part of parts) {
    const { groups, roles, told } = namedBy(part.application)
    expect([...groups].sort()).toEqual(['banned', 'finance', 'staff'])
    expect([[...roles], [...told]]).toEqual([['auditor'], ['email']])
    expect(part.names).toBe(parts[0]!.names)
    expect(part.sessionCookie).toBe(parts[0]!.sessionCookie)
  }
  expect(new Set(parts).size).toBe(3)
})

test('a part is the same object for as long as its application is', () => {
  const published = publishedOf(wiki)
  expect(published.at('/reports/a')).toBe(published.at('/reports/b'))
  expect(publishedOf(published.at('/reports/a').application)).toBe(published.at('/reports/a'))
})
