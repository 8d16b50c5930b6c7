/** R7.7c: which wildcards an operator may write. */
import { describe, expect, test } from 'vitest'
import { readDirectory } from '../src/cloud/directory/directory-configuration.ts'
import { directoryOf } from '../test/cloud/directory/directory-of.ts'

const wildcard = {
  ...{ id: 'apps', groupId: 'default', externalUrl: 'https://*.apps.example/' },
  ...{ internalUrl: 'https://{label}.corp.internal/', labels: ['mail', 'wiki'] },
  preAuthentication: 'passthrough',
}
const mapped = { internalUrl: undefined, labels: { mail: 'https://owa.corp/' } }
const of = (...applications: object[]) => ({
  tenants: [
    { id: 'contoso', issuer: 'https://sts.example', registrars: { audience: 'registration' } },
    { id: 'fabrikam', issuer: 'https://sts2.example', registrars: { audience: 'registration' } },
  ],
  groups: [
    { id: 'default', tenantId: 'contoso' },
    { id: 'other', tenantId: 'fabrikam' },
  ],
  applications,
})
const faults = (...changes: object[]) => {
  try {
    readDirectory(of(...changes.map((change) => ({ ...wildcard, ...change }))))
    return ''
  } catch (error) {
    return (error as Error).message
  }
}

describe('R7.7c', () => {
  test.each([
    [{}],
    [mapped],
    [{ externalUrl: 'https://*.apps.contoso.co.uk:8443/base/' }],
    [{ externalUrl: 'http://*.apps.localhost:8080/' }],
    [{ labels: ['a', '0', 'a-b', 'a'.repeat(63)] }],
    [{ internalUrl: 'http://{label}.corp.internal:8080/base/' }],
  ])('R7.7c may be written: %j', (change) => {
    expect(faults(change)).toBe('')
  })

  test.each([
    ['https://*/', 'whole first label'],
    ['https://*.com/', 'domain of your own'],
    ['https://*.co.uk/', 'domain of your own'],
    ['https://*.github.io/', 'domain of your own'],
    ['https://*.example/', 'domain of your own'],
    ['http://*.localhost/', 'domain of your own'],
    ['https://*.10.0.0.7/', 'absolute URL'],
    ['https://*.[::1]/', 'whole first label'],
    ['https://a*.apps.example/', 'whole first label'],
    ['https://*a.apps.example/', 'whole first label'],
    ['https://a.*.apps.example/', 'whole first label'],
    ['https://*.*.apps.example/', 'whole first label'],
    ['https://*.apps.example/*/', 'whole first label'],
    ['https://user@*.apps.example/', 'whole first label'],
    ['https://*.apps.example', 'whole first label'],
    ['https://*.apps.example./', 'without a dot'],
    ['http://*.apps.example/', 'must be https'],
    ['https://*.apps.example/?x', 'query'],
    ['https://apps.example/', 'is for wildcards'],
  ])('R7.7c an external URL may not be %s', (externalUrl, fault) => {
    expect(faults({ externalUrl })).toContain(fault)
  })

  test.each([
    ['https://corp.internal/', 'whole first label'],
    ['https://{label}/', 'whole first label'],
    ['https://{label}.internal/', 'domain of your own'],
    ['https://{label}.co.uk/', 'domain of your own'],
    ['https://{label}.10.0.0.7/', 'absolute URL'],
    ['https://{label}.localhost/', 'domain of your own'],
    ['https://x{label}.corp.internal/', 'whole first label'],
    ['https://{label}.{label}.corp.internal/', 'whole first label'],
    ['https://{label}.corp.internal/{label}/', 'whole first label'],
    ['https://corp.internal/{label}/', 'whole first label'],
    ['https://{label}:x@corp.internal/', 'whole first label'],
    ['https://{label}.corp.internal:{label}/', 'whole first label'],
    ['{label}://a.corp.internal/', 'whole first label'],
  ])('R7.7c a template may not be %s', (internalUrl, fault) => {
    expect(faults({ internalUrl })).toContain(fault)
  })

  test.each([
    'Mail',
    'a.b',
    '-a',
    'a-',
    '',
    '*',
    'ma il',
    'xn--mail-foo',
    'ab--c',
    'máil',
    'a_b',
    'a'.repeat(64),
    'a/b',
    'a:1',
    'a@b',
  ])('R7.7c a label may not be %j', (label) => {
    expect(faults({ labels: [label] })).toMatch(/labels\[0\]/)
    expect(faults({ ...mapped, labels: { [label]: 'https://owa.corp/' } })).toMatch(/labels/)
  })

  test.each([
    [{ labels: undefined }, 'labels: is needed'],
    [{ labels: [] }, 'labels: has no label'],
    [{ labels: {}, internalUrl: undefined }, 'labels: has no label'],
    [{ labels: ['a', 'a'] }, 'labels[1]: is not unique'],
    [{ labels: Array.from({ length: 1001 }, (_, i) => `l${i}`) }, 'more than 1000'],
    [{ internalUrl: undefined }, 'internalUrl: is needed'],
    [{ labels: mapped.labels }, 'internalUrl: is not used'],
    [{ ...mapped, labels: { mail: 'ftp://owa/' } }, 'labels.mail: must be http or https'],
    [{ ...mapped, labels: { mail: 'https://{label}.corp.internal/' } }, 'labels.mail'],
    [
      { externalUrl: 'https://a.example/', labels: undefined },
      'internalUrl: has a "{label}", and "externalUrl" is no wildcard',
    ],
    [
      { externalUrl: 'https://a.example/', labels: undefined, internalUrl: undefined },
      'internalUrl: is needed',
    ],
    [
      {
        ...{ preAuthentication: 'oidc', client: { id: 'apps' } },
        bearer: { resource: 'https://mail.apps.example/' },
      },
      'bearer.resource',
    ],
    [
      {
        ...{ preAuthentication: 'oidc', client: { id: 'apps' } },
        signOn: {
          ...{ kind: 'kerberos', servicePrincipal: 'HTTP/a.corp.internal' },
          user: { from: 'claim', claim: 'upn' },
        },
      },
      'signOn: has one service',
    ],
  ])('R7.7c %j: %s', (change, fault) => {
    expect(faults(change)).toContain(fault)
  })

  test('R7.7c two wildcards of one suffix and path', () => {
    const other = { id: 'other', groupId: 'other', labels: ['x'] }
    expect(faults({}, other)).toContain(
      'applications[1].externalUrl: is published already, by "apps"',
    )
    expect(faults({}, { ...other, externalUrl: 'https://*.apps.example/base/' })).toBe('')
  })

  test('R7.7c a cookie for a domain in which a label of another tenant is', () => {
    const cookies = { domain: 'apps.example' }
    const own = { id: 'own', externalUrl: 'https://own.apps.example/', labels: undefined }
    const plain = { ...own, internalUrl: 'https://own.internal/', translate: { cookies } }
    const theirs = { groupId: 'other' }
    expect(faults(plain, theirs)).toContain(
      'translate.cookies.domain: has a host of another tenant',
    )
    expect(faults(plain, {})).toBe('')
  })
})

test('a label has the URLs, the name and the id of its own', () => {
  const directory = directoryOf(
    of(wildcard, {
      ...wildcard,
      ...mapped,
      id: 'map',
      name: 'Map',
      externalUrl: 'https://*.map.example/x/',
    }),
  )
  expect(directory.application('apps/wiki')).toMatchObject({
    ...{ externalUrl: 'https://wiki.apps.example/', internalUrl: 'https://wiki.corp.internal/' },
    ...{ name: 'apps (wiki)', wildcard: { applicationId: 'apps', label: 'wiki' } },
  })
  expect(directory.applicationsOn('MAIL.map.example:443')).toEqual([
    expect.objectContaining({
      ...{ id: 'map/mail', name: 'Map (mail)', internalUrl: 'https://owa.corp/' },
      externalUrl: 'https://mail.map.example/x/',
    }),
  ])
})
