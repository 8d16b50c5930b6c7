/** What a tenant may have, as the operator of the service says. */
import { expect, test } from 'vitest'
import { createDirectory, readDirectory } from '../src/cloud/index.ts'
import { ConfigurationInvalid } from '../src/protocol/internal.ts'

const application = (id: string, groupId = 'berlin', more: object = {}) => ({
  ...{ id, groupId, externalUrl: `https://${id}.example/`, internalUrl: 'http://10.0.0.1/' },
  ...{ preAuthentication: 'passthrough', ...more },
})
const directory = (applications: readonly object[], limits: object = {}) => ({
  tenants: [
    { id: 'contoso', issuer: 'https://a.example', registrars: { audience: 'x' }, ...limits },
    { id: 'fabrikam', issuer: 'https://b.example', registrars: { audience: 'x' } },
  ],
  groups: [
    { id: 'berlin', tenantId: 'contoso' },
    { id: 'bonn', tenantId: 'contoso' },
    { id: 'paris', tenantId: 'fabrikam' },
  ],
  applications,
})
const mistakesOf = (value: unknown) => {
  try {
    readDirectory(value)
    return []
  } catch (error) {
    return (error as ConfigurationInvalid).mistakes.map(({ path, detail }) => `${path} ${detail}`)
  }
}

test('R8.8f a tenant publishes as many applications as it may, in all its groups together', () => {
  const three = [application('a'), application('b', 'bonn'), application('c')]
  const others = [application('x', 'paris'), application('y', 'paris')]
  expect(mistakesOf(directory([...others, ...three], { applicationLimit: 3 }))).toEqual([])
  expect(mistakesOf(directory([...others, ...three], { applicationLimit: 2 }))).toEqual([
    'applications[4] is beyond "applicationLimit" of its tenant "contoso": there are 3, of 2',
  ])
})

test('R8.8f each label of a wildcard is one', () => {
  const wildcard = application('w', 'berlin', {
    ...{ externalUrl: 'https://*.apps.example/', internalUrl: 'http://{label}.inside.example/' },
    labels: ['one', 'two', 'three'],
  })
  expect(mistakesOf(directory([wildcard], { applicationLimit: 3 }))).toEqual([])
  expect(mistakesOf(directory([wildcard], { applicationLimit: 2 }))).toHaveLength(1)
})

test('R8.8f what is one too many leaves in force what was there', () => {
  const limits = { applicationLimit: 1 }
  const held = createDirectory(readDirectory(directory([application('a')], limits)))
  const more = directory([application('a'), application('b')], limits)
  expect(() => held.replace(more as never)).toThrow(ConfigurationInvalid)
  expect(held.applications().map(({ id }) => id)).toEqual(['a'])
})
