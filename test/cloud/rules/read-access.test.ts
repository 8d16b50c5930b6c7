import { describe, expect, test } from 'vitest'
import { readDirectory } from '../../../src/cloud/index.ts'
import { directoryOf } from '../directory/directory-of.ts'

const tenant = { id: 'contoso', issuer: 'https://sts.example', registrars: { audience: 'x' } }
const other = { ...tenant, id: 'fabrikam', issuer: 'https://sts2.example' }
const application = (id: string, groupId = 'berlin') => ({
  id,
  groupId,
  externalUrl: `https://${id}.example/`,
  internalUrl: 'http://10.0.0.7/',
  preAuthentication: 'oidc',
  client: { id },
})
const allow = (id: string, rest: object = {}) => ({
  id,
  applications: 'all',
  effect: 'allow',
  ...rest,
})
const configuration = (ofTenant: object, ofVault: object = {}) => ({
  tenants: [{ ...tenant, ...ofTenant }, other],
  groups: [
    { id: 'berlin', tenantId: 'contoso' },
    { id: 'paris', tenantId: 'fabrikam' },
  ],
  applications: [
    { ...application('vault'), ...ofVault },
    application('wiki'),
    application('elsewhere', 'paris'),
    {
      ...application('open'),
      client: undefined,
      preAuthentication: 'passthrough',
    },
  ],
})
const accessOf = (id: string, ofTenant: object, ofVault: object = {}) =>
  directoryOf(configuration(ofTenant, ofVault)).application(id)!.access
const idsOf = (id: string, ofTenant: object, ofVault: object = {}) =>
  accessOf(id, ofTenant, ofVault)?.policies.map((policy) => policy.id)

test('without a list of policies there is no conditional access', () => {
  expect(
    accessOf('vault', { locations: [{ id: 'office', networks: ['10.0.0.0/8'] }] }),
  ).toBeUndefined()
})

test('an empty list is a list', () => {
  expect(idsOf('vault', { policies: [] })).toEqual([])
  expect(idsOf('vault', {}, { policies: [] })).toEqual([])
  expect(idsOf('wiki', {}, { policies: [] })).toBeUndefined()
})

test("a tenant's policies are those of its applications that users sign in to, with an application's own beside them", () => {
  const { applications: _, ...own } = allow('own')
  const [ofTenant, ofVault] = [{ policies: [allow('a')] }, { policies: [own] }]
  expect(idsOf('vault', ofTenant, ofVault)).toEqual(['a', 'own'])
  expect(idsOf('wiki', ofTenant, ofVault)).toEqual(['a'])
  expect(idsOf('elsewhere', ofTenant, ofVault)).toBeUndefined()
  expect(idsOf('open', ofTenant, ofVault)).toBeUndefined()
  expect(accessOf('vault', ofTenant, ofVault)!.policies[1]).toMatchObject({
    applications: ['vault'],
    mode: 'enforced',
  })
})

test('another configuration has other rules, which is what decisions are remembered by', () => {
  const directory = directoryOf(configuration({ policies: [allow('a')] }))
  const before = directory.application('vault')!.access
  directory.replace(readDirectory(configuration({ policies: [allow('a')] })))
  expect(directory.application('vault')!.access).not.toBe(before)
})

test('connectors see no new version of an application when its policies change', () => {
  const version = (ofTenant: object) =>
    directoryOf(configuration(ofTenant)).application('vault')!.version
  expect(version({ policies: [allow('a')] })).toBe(version({}))
})

describe('refuses', () => {
  const own = (rest: object) => ({ policies: [{ id: 'p', effect: 'allow', ...rest }] })
  const when = (conditions: object) => ({ policies: [allow('p', { when: conditions })] })
  test.each<[string, object, object, string]>([
    [
      'an unknown member',
      { policies: [allow('p', { whn: {} })] },
      {},
      'tenants[0].policies[0].whn: is not known here; "when" was probably meant',
    ],
    [
      'an unknown effect',
      { policies: [allow('p', { effect: 'permit' })] },
      {},
      'tenants[0].policies[0].effect: must be "allow", "deny" or "step-up" (is "permit")',
    ],
    [
      'a deny without words',
      { policies: [allow('p', { effect: 'deny' })] },
      {},
      'tenants[0].policies[0].reason: is missing',
    ],
    [
      'no applications',
      { policies: [{ id: 'p', effect: 'allow' }] },
      {},
      'tenants[0].policies[0].applications: is missing',
    ],
    [
      'an empty list',
      when({ risk: [] }),
      {},
      'tenants[0].policies[0].when.risk: must not be empty',
    ],
    ['an empty condition', when({}), {}, 'tenants[0].policies[0].when: must name a condition'],
    [
      'an empty exception',
      { policies: [allow('p', { unless: [{ risk: ['low'] }, {}] })] },
      {},
      'tenants[0].policies[0].unless[1]: must name a condition',
    ],
    ['nobody at all', when({ who: {} }), {}, 'tenants[0].policies[0].when.who: must not be empty'],
    [
      'nowhere at all',
      when({ from: {} }),
      {},
      'tenants[0].policies[0].when.from: must not be empty',
    ],
    [
      'no methods',
      when({ authentication: { amr: {} } }),
      {},
      'tenants[0].policies[0].when.authentication.amr: must not be empty',
    ],
    [
      'no claims',
      when({ device: {} }),
      {},
      'tenants[0].policies[0].when.device: must not be empty',
    ],
    [
      'no authentication',
      when({ authentication: {} }),
      {},
      'tenants[0].policies[0].when.authentication: must not be empty',
    ],
    [
      'a network that is none',
      when({ from: { networks: ['10.0.0.0/8', '10.1.2.3/8'] } }),
      {},
      'tenants[0].policies[0].when.from.networks[1]: has bits set beyond its prefix',
    ],
    [
      'an unknown location',
      when({ from: { locations: ['moon'] } }),
      {},
      'tenants[0].policies[0].when.from.locations[0]: names no location of the tenant',
    ],
    [
      'a country in small letters',
      when({ from: { countries: ['de'] } }),
      {},
      'tenants[0].policies[0].when.from.countries[0]: must be a country, by the two capital letters',
    ],
    [
      'a time zone that is none',
      when({ time: [{ from: '08:00', timeZone: 'Mars/Olympus' }] }),
      {},
      'tenants[0].policies[0].when.time[0]: must name a time zone, such as "Europe/Berlin"',
    ],
    [
      'a window of nothing',
      when({ time: [{ timeZone: 'UTC' }] }),
      {},
      'tenants[0].policies[0].when.time[0]: must name weekdays or times of day',
    ],
    [
      'an age of nothing',
      when({ authentication: { maxAgeMs: 0 } }),
      {},
      'tenants[0].policies[0].when.authentication.maxAgeMs: must be at least 10000',
    ],
    [
      'a step-up that no issuer can be asked for',
      { policies: [allow('p', { effect: 'step-up', stepUp: { amr: { any: ['otp'] } } })] },
      {},
      'tenants[0].policies[0].stepUp: must name acrValues or maxAgeMs',
    ],
    [
      'an acr value with a space: two',
      { policies: [allow('p', { effect: 'step-up', stepUp: { acrValues: ['a b'] } })] },
      {},
      'tenants[0].policies[0].stepUp.acrValues[0]: must be one value, without spaces or quotes',
    ],
    [
      'two of one id',
      { policies: [allow('p'), allow('p')] },
      {},
      'tenants[0].policies[1].id: is not unique',
    ],
    [
      'an id that its tenant has',
      { policies: [allow('p')] },
      own({}),
      'applications[0].policies[0].id: is not unique',
    ],
    [
      'an application that is not there',
      { policies: [allow('p', { applications: ['wiki', 'moon'] })] },
      {},
      'tenants[0].policies[0].applications[1]: names no application of this tenant',
    ],
    [
      "another tenant's application",
      { policies: [allow('p', { applications: ['elsewhere'] })] },
      {},
      'tenants[0].policies[0].applications[0]: names no application of this tenant',
    ],
    [
      'a passthrough application',
      { policies: [allow('p', { applications: ['open'] })] },
      {},
      'tenants[0].policies[0].applications[0]: has no meaning with "passthrough": nobody signs in',
    ],
    [
      'policies of a passthrough application',
      {},
      { preAuthentication: 'passthrough', client: undefined, policies: [] },
      'applications[0].policies: has no meaning with "passthrough"',
    ],
    [
      "applications in an application's own",
      {},
      own({ applications: ['wiki'] }),
      'applications[0].policies[0].applications: is not known here: there are',
    ],
    [
      'a mistake in an own policy',
      {},
      own({ when: { from: { locations: ['moon'] } } }),
      'applications[0].policies[0].when.from.locations[0]: names no location of the tenant',
    ],
    [
      'a location without place',
      { locations: [{ id: 'office' }] },
      {},
      'tenants[0].locations[0]: must have networks or countries',
    ],
    [
      'a location twice',
      {
        locations: [
          { id: 'a', countries: ['DE'] },
          { id: 'a', countries: ['FR'] },
        ],
      },
      {},
      'tenants[0].locations[1].id: is not unique',
    ],
    [
      'a location with a wrong network',
      { locations: [{ id: 'a', networks: ['10/8'] }] },
      {},
      'tenants[0].locations[0].networks[0]: must be a network, such as "192.0.2.0/24" or "2001:db8::/32"',
    ],
  ])('%s', (_, ofTenant, ofVault, message) =>
    expect(() => directoryOf(configuration(ofTenant, ofVault))).toThrow(message),
  )
})
