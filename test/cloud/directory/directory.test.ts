import { describe, expect, test } from 'vitest'
import { contentVersion } from '../../../src/cloud/directory/content-version.ts'
import { readDirectory } from '../../../src/cloud/directory/directory-configuration.ts'
import { createDirectory } from '../../../src/cloud/directory/directory.ts'
import type { DirectoryInput } from '../../../src/cloud/directory/directory-input.ts'
import { directoryOf } from './directory-of.ts'
import {
  claimAt,
  readIssuerProfile,
  USUAL_ISSUER,
} from '../../../src/cloud/directory/issuer-configuration.ts'

const tenant = {
  id: 'contoso',
  issuer: 'https://login.example/contoso',
  registrars: { audience: 'app-proxy' },
}
const group = { id: 'berlin', tenantId: 'contoso' }
const intranet = {
  id: 'intranet',
  groupId: 'berlin',
  externalUrl: 'https://intranet.contoso.example/',
  internalUrl: 'http://10.0.0.7:8080/',
  preAuthentication: 'oidc',
  client: { id: 'intranet-client', secret: 'not to be quoted' },
}
const minimal = { tenants: [tenant], groups: [group], applications: [intranet] }
const published = (...applications: object[]) => ({ ...minimal, applications })
const withApplication = (change: object) => published({ ...intranet, ...change })
const ISSUER = 'https://login.example/contoso'
const withIssuer = (issuer: object) => ({ ...minimal, tenants: [{ ...tenant, issuer }] })
const versionOf = (change: object) =>
  directoryOf(withApplication(change)).application('intranet')!.version

test.each([
  [{}, undefined],
  [{ externalUrl: 'http://intranet.localhost/' }, 'embedding: needs https'],
  [{ preAuthentication: 'passthrough', client: undefined }, 'embedding: has no meaning'],
  [{ embedding: { ancestors: ['https://a.example/x'] } }, 'ancestors[0]: must be an origin'],
  [{ embedding: { ancestors: ['*'] } }, 'ancestors[0]: must be an origin'],
  [{ embedding: { ancestors: [] } }, 'embedding.ancestors: must not be empty'],
  [
    { embedding: { ancestors: ['https://a.example'], partitioned: true } },
    'embedding.partitioned: needs "session.sameSite" to be "none"',
  ],
  [
    {
      embedding: { ancestors: ['https://a.example'], partitioned: true },
      session: { sameSite: 'none' },
    },
    undefined,
  ],
  [{ responseMode: 'form_post' }, 'embedding: with "form_post" needs "session.sameSite"'],
  [{ responseMode: 'form_post', session: { sameSite: 'none' } }, undefined],
])('embedding with %j: %s', (change, fault) => {
  const configuration = withApplication({
    embedding: { ancestors: ['https://portal.example'] },
    ...change,
  })
  const read = () => directoryOf(configuration)
  if (fault === undefined) expect(read).not.toThrow()
  else expect(read).toThrow(fault)
})

test('a cookie for all sites needs https', () => {
  const session = { sameSite: 'none' }
  expect(() => directoryOf(withApplication({ session }))).not.toThrow()
  const externalUrl = 'http://intranet.localhost/'
  expect(() => directoryOf(withApplication({ session, externalUrl }))).toThrow(
    'applications[0].session.sameSite: needs https',
  )
  const open = { preAuthentication: 'passthrough', client: undefined }
  expect(() => directoryOf(withApplication({ ...open, session }))).toThrow(
    'applications[0].session: has no meaning',
  )
})

test('fills in the defaults', () => {
  const directory = directoryOf(minimal)
  expect(directory.tenant('contoso')).toEqual({
    ...tenant,
    issuerProfile: USUAL_ISSUER,
    name: 'contoso',
    registrars: {
      audience: 'app-proxy',
      roleClaim: ['roles'],
      roles: ['company-administrator', 'global-administrator', 'application-administrator'],
    },
    connectorLimit: 100,
    approveConnectors: false,
    enrolmentTickets: false,
    defaultGroupId: 'berlin',
  })
  expect(directory.group('berlin')).toEqual({ ...group, name: 'berlin' })
  expect(directory.application('intranet')).toMatchObject({
    tenantId: 'contoso',
    name: 'intranet',
    identityHeaders: {},
    hostHeader: 'internal',
    verifyCertificate: true,
    responseHeadMs: 85_000,
  })
})

test('applications without a responseHeadMs of their own take that of the directory', () => {
  const own = { ...intranet, id: 'own', externalUrl: 'http://own.localhost/' }
  const input = {
    ...minimal,
    applications: [...minimal.applications, { ...own, responseHeadMs: 3_000 }],
  } as DirectoryInput
  const directory = createDirectory(input, undefined, { responseHeadMs: 7_000 })
  const usual = directoryOf(input).application('intranet')!
  const waits = () => directory.applications().map(({ responseHeadMs }) => responseHeadMs)
  expect(waits()).toEqual([7_000, 3_000])
  // Connectors keep the details of a version.
  expect(directory.application('intranet')!.version).not.toBe(usual.version)
  directory.replace(input)
  expect(waits()).toEqual([7_000, 3_000])
})

test('an issuer may be its URL, or what is particular about it', () => {
  const url = 'https://login.example/contoso'
  const written = {
    url,
    scopes: ['openid', 'groups'],
    claims: { groups: ['https://contoso.example/groups'], roles: 'realm_access.roles', upn: 'upn' },
    emailsAreAssigned: true,
    tokenType: 'any',
    tenantValue: '8d0f',
  }
  const configuration = { ...minimal, tenants: [{ ...tenant, issuer: written }] }
  const { issuer, issuerProfile, registrars } = directoryOf(configuration).tenant('contoso')!
  expect(issuer).toBe(url)
  expect(directoryOf(configuration).tenantOfIssuer(url)?.id).toBe('contoso')
  expect(issuerProfile).toEqual({
    scopes: ['openid', 'groups'],
    claims: {
      ...USUAL_ISSUER.claims,
      groups: ['https://contoso.example/groups'],
      roles: ['realm_access', 'roles'],
      upn: ['upn'],
    },
    emailsAreAssigned: true,
    tokenType: 'any',
    tenantValue: '8d0f',
    userInfo: 'when-needed',
    authenticationContexts: 'acr_values',
  })
  expect(registrars.roleClaim).toEqual(['realm_access', 'roles'])
  expect(readIssuerProfile(url, 'issuer')).toEqual(USUAL_ISSUER)
})

test.each<[unknown, readonly string[], unknown]>([
  [{ groups: ['a'] }, ['groups'], ['a']],
  [{ a: { 'b.c': 1 } }, ['a', 'b.c'], 1],
  [{ groups: null }, ['groups'], undefined],
  [{ a: null }, ['a', 'b'], undefined],
  [{ a: [{ b: 1 }] }, ['a', '0', 'b'], undefined],
  [{ a: 'text' }, ['a', 'length'], undefined],
  [{ a: 0 }, ['a'], 0],
  [{}, ['toString'], undefined],
  [JSON.parse('{"__proto__":{"a":1}}'), ['__proto__', 'a'], 1],
  [{}, ['__proto__', 'constructor'], undefined],
])('of %j the claim at %j is %j', (claims, path, value) =>
  expect(claimAt(claims, path)).toEqual(value),
)

test.each([
  ['mick@contoso.example', /could mean.*"email:…" \(.*\), "upn:…" \(.*\) or "sub:…" \(.*\)$/],
  ['user-owner', /could mean.*write "upn:…" \(.*\) or "sub:…" \(.*\)$/],
  ['sub: user-owner', /without blanks at its edges$/],
  ['email:mick@contoso.example ', /without blanks at its edges$/],
  ['sub:\u00a0', /without blanks at its edges$/],
])('a user named %j is refused, and what it could mean is named', (name, words) => {
  const mistaken = withApplication({ assigned: { users: [name] } })
  expect(() => directoryOf(mistaken)).toThrow(
    expect.objectContaining({
      mistakes: [
        expect.objectContaining({
          path: 'applications[0].assigned.users[0]',
          detail: expect.stringMatching(words),
          value: JSON.stringify(name),
          application: 'intranet',
        }),
      ],
    }),
  )
})

test('finds a tenant by its issuer', () => {
  const directory = directoryOf(minimal)
  expect(directory.tenantOfIssuer('https://login.example/contoso')?.id).toBe('contoso')
  expect(directory.tenantOfIssuer('https://login.example/contoso/')).toBeUndefined()
})

test('finds the applications of a host in any spelling, the longest path first', () => {
  const directory = directoryOf(
    published(
      intranet,
      { ...intranet, id: 'wiki', externalUrl: 'https://INTRANET.contoso.example/wiki/' },
      { ...intranet, id: 'new-wiki', externalUrl: 'https://intranet.contoso.example/wiki/new/' },
      { ...intranet, id: 'elsewhere', externalUrl: 'https://other.contoso.example/' },
    ),
  )
  const ids = (host: string) => directory.applicationsOn(host).map(({ id }) => id)
  expect(ids('intranet.contoso.example')).toEqual(['new-wiki', 'wiki', 'intranet'])
  expect(ids('Intranet.Contoso.Example.:443')).toEqual(['new-wiki', 'wiki', 'intranet'])
  expect(ids('nowhere.example')).toEqual([])
  expect(ids('not a host')).toEqual([])
})

describe('the version of an application', () => {
  const original = versionOf({})

  test('does not depend on the order of keys', () => {
    const reversed = Object.fromEntries(Object.entries(intranet).reverse())
    expect(versionOf(reversed)).toBe(original)
    expect(original).toMatch(/^[0-9a-f]{16}$/)
  })

  test.each([
    ['internalUrl', { internalUrl: 'http://10.0.0.8:8080/' }],
    ['hostHeader', { hostHeader: 'external' }],
    ['assignment', { assigned: { users: ['sub:alice'] } }],
    ['client', { client: { id: 'another' } }],
  ])('changes with %s', (_, change) => expect(versionOf(change)).not.toBe(original))

  test('tells nothing of the client secret', () =>
    expect(versionOf({ client: { ...intranet.client, secret: 'another' } })).toBe(original))

  test('is FNV-1a', () => {
    // `fnv` below is first held against published vectors.
    expect(contentVersion('')).toBe(fnv('""'))
    expect(contentVersion('a')).toBe(fnv('"a"'))
    expect(fnv('')).toBe('cbf29ce484222325')
    expect(fnv('foobar')).toBe('85944171f73967e8')
  })
})

test('replace puts another configuration in force', () => {
  const directory = directoryOf(minimal)
  directory.replace(readDirectory(withApplication({ id: 'wiki' })))
  expect(directory.application('wiki')?.id).toBe('wiki')
  expect(directory.application('intranet')).toBeUndefined()
})

test('HTTP/2 is told to connectors, HTTP/1.1 is said by nothing, and another protocol is another version', () => {
  const of = (parts: object) =>
    directoryOf(withApplication({ internalUrl: 'https://10.0.0.7/', ...parts })).applications()[0]!
  const [none, http1, h2] = [
    of({}),
    of({ backendProtocol: 'http1' }),
    of({ backendProtocol: 'h2' }),
  ]
  expect([none.backendProtocol, http1.backendProtocol, h2.backendProtocol]).toEqual([
    ...[undefined, undefined, 'h2'],
  ])
  expect(http1.version).toBe(none.version)
  expect(h2.version).not.toBe(none.version)
  const bound = { backendProtocol: 'auto', signOn: { kind: 'connection-bound' } }
  expect(of(bound).backendProtocol).toBe('auto')
})

test('a bad replacement changes nothing', () => {
  const directory = directoryOf(minimal)
  const bad = withApplication({ id: 'wiki', groupId: 'paris' }) as unknown as DirectoryInput
  expect(() => directory.replace(bad)).toThrow()
  expect(directory.applications().map(({ id }) => id)).toEqual(['intranet'])
})

describe('refuses', () => {
  const { client: _, ...passthrough } = { ...intranet, preAuthentication: 'passthrough' }
  // prettier-ignore
  const mistakes: [what: string, configuration: unknown, path: string][] = [
    ['no object at all', 'directory', ''],
    ['no tenant', { ...minimal, tenants: [] }, 'tenants'],
    ['a missing value', { ...minimal, tenants: [{ ...tenant, issuer: undefined }] }, 'tenants[0].issuer'],
    ['an option nobody knows', withApplication({ internalURL: 'http://x/' }), 'applications[0].internalURL'],
    ['an id that no file or URL would carry', withApplication({ id: '../x' }), 'applications[0].id'],
    ['two tenants of one id', { ...minimal, tenants: [tenant, { ...tenant, issuer: 'https://b.example/' }] }, 'tenants[1].id'],
    ['two tenants of one issuer', { ...minimal, tenants: [tenant, { ...tenant, id: 'b' }] }, 'tenants[1].issuer'],
    ['two groups of one id', { ...minimal, groups: [group, group] }, 'groups[1].id'],
    ['two applications of one id', published(intranet, { ...intranet, externalUrl: 'https://b.example/' }), 'applications[1].id'],
    ['two applications of one URL', published(intranet, { ...intranet, id: 'b' }), 'applications[1].externalUrl'],
    ['two applications told apart by the port only', published(intranet, { ...intranet, id: 'b', externalUrl: 'https://intranet.contoso.example:8443/' }), 'applications[1].externalUrl'],
    ['a group of an unknown tenant', { ...minimal, groups: [group, { id: 'x', tenantId: 'nobody' }] }, 'groups[1].tenantId'],
    ['a tenant without a group', { ...minimal, tenants: [tenant, { ...tenant, id: 'b', issuer: 'https://b.example/' }] }, 'tenants[1]'],
    ['a default group of another tenant', { ...minimal, tenants: [{ ...tenant, defaultGroupId: 'paris' }] }, 'tenants[0].defaultGroupId'],
    ['an application of an unknown group', withApplication({ groupId: 'paris' }), 'applications[0].groupId'],
    ['an application whose group is another tenant\'s', withApplication({ tenantId: 'fabrikam' }), 'applications[0].tenantId'],
    ['an issuer in the clear', { ...minimal, tenants: [{ ...tenant, issuer: 'http://login.example/' }] }, 'tenants[0].issuer'],
    ['an issuer in the clear, in an object', withIssuer({ url: 'http://login.example/' }), 'tenants[0].issuer.url'],
    ['an issuer without a URL', withIssuer({}), 'tenants[0].issuer.url'],
    ['an option of an issuer nobody knows', withIssuer({ url: ISSUER, scope: 'openid' }), 'tenants[0].issuer.scope'],
    ['a claim nobody knows', withIssuer({ url: ISSUER, claims: { mail: 'mail' } }), 'tenants[0].issuer.claims.mail'],
    ['a path that is a URL', withIssuer({ url: ISSUER, claims: { groups: 'https://a.example/groups' } }), 'tenants[0].issuer.claims.groups'],
    ['a path with an empty name', withIssuer({ url: ISSUER, claims: { groups: 'a..b' } }), 'tenants[0].issuer.claims.groups'],
    ['a path of nothing', withIssuer({ url: ISSUER, claims: { groups: [] } }), 'tenants[0].issuer.claims.groups'],
    ['scopes without openid', withIssuer({ url: ISSUER, scopes: ['profile'] }), 'tenants[0].issuer.scopes'],
    ['unmarked tokens for no audience', { ...withIssuer({ url: ISSUER, tokenType: 'any' }), applications: [{ ...intranet, bearer: {} }] }, 'applications[0].bearer.audiences'],
    ['a registrar claim that is a URL', { ...minimal, tenants: [{ ...tenant, registrars: { ...tenant.registrars, roleClaim: 'https://a.example/roles' } }] }, 'tenants[0].registrars.roleClaim'],
    ['a protocol nobody knows', withApplication({ backendProtocol: 'h3' }), 'applications[0].backendProtocol'],
    ['HTTP/2 by TLS without TLS', withApplication({ internalUrl: 'http://10.0.0.7/', backendProtocol: 'h2' }), 'applications[0].backendProtocol'],
    ['HTTP/2 that TLS may agree on without TLS', withApplication({ internalUrl: 'http://10.0.0.7/', backendProtocol: 'auto' }), 'applications[0].backendProtocol'],
    ['HTTP/2 in the clear by TLS', withApplication({ internalUrl: 'https://10.0.0.7/', backendProtocol: 'h2c' }), 'applications[0].backendProtocol'],
    ['connections of users in HTTP/2', withApplication({ internalUrl: 'https://10.0.0.7/', backendProtocol: 'h2', signOn: { kind: 'connection-bound' } }), 'applications[0].backendProtocol'],
    ['oidc without a client', withApplication({ client: undefined }), 'applications[0].client'],
    ['a client nobody signs in at', published({ ...passthrough, client: { id: 'x' } }), 'applications[0].client'],
    ['a user who could be two', withApplication({ assigned: { users: ['sub:u1', 'mick@contoso.example'] } }), 'applications[0].assigned.users[1]'],
    ['a user of an unknown kind', withApplication({ assigned: { users: ['uid:7'] } }), 'applications[0].assigned.users[0]'],
    ['an address that is none', withApplication({ assigned: { users: ['email:mick'] } }), 'applications[0].assigned.users[0]'],
    ['an assigned name where the issuer assigns none', withApplication({ assigned: { users: ['upn:mick'] } }), 'applications[0].assigned.users[0]'],
    ['a user of a policy who could be two', withApplication({ policies: [{ id: 'p', effect: 'allow', when: { who: { users: ['mick'] } } }] }), 'applications[0].policies[0].when.who.users[0]'],
    ['a user of an exception who could be two', { ...minimal, tenants: [{ ...tenant, policies: [{ id: 'p', applications: 'all', effect: 'allow', unless: [{ who: { users: ['mick'] } }] }] }] }, 'tenants[0].policies[0].unless[0].who.users[0]'],
    ['a name of a policy where the issuer assigns none', withApplication({ policies: [{ id: 'p', effect: 'allow', when: { who: { users: ['upn:mick'] } } }] }), 'applications[0].policies[0].when.who.users[0]'],
    ['names of users compared as other claims', withApplication({ policies: [{ id: 'p', effect: 'allow', when: { device: { preferred_username: ['mick'] } } }] }), 'applications[0].policies[0].when.device.preferred_username'],
    ['a name that users choose for an assigned one', withIssuer({ url: ISSUER, claims: { upn: 'preferred_username' } }), 'tenants[0].issuer.claims.upn'],
    ['an assignment nobody checks', published({ ...passthrough, assigned: { users: ['a'] } }), 'applications[0].assigned'],
    ['identity headers of nobody', published({ ...passthrough, identityHeaders: { 'x-user': 'subject' } }), 'applications[0].identityHeaders'],
    ['a separator that is a letter', withApplication({ identityHeaders: { 'x-groups': { claim: 'groups', separator: 'a' } } }), 'applications[0].identityHeaders.x-groups.separator'],
    ['an identity header that is no name', withApplication({ identityHeaders: { 'x user': 'subject' } }), 'applications[0].identityHeaders.x user'],
    ['an identity header with a meaning of its own', withApplication({ identityHeaders: { Content_Length: 'subject' } }), 'applications[0].identityHeaders.Content_Length'],
    ['one identity header in two spellings', withApplication({ identityHeaders: { 'x-user': 'subject', X_User: 'name' } }), 'applications[0].identityHeaders.X_User'],
    ['a claim nobody has', withApplication({ identityHeaders: { 'x-user': 'emial' } }), 'applications[0].identityHeaders.x-user'],
  ]
  test.each(mistakes)('%s', (_, configuration, path) =>
    expect(() => directoryOf(configuration)).toThrow(
      expect.objectContaining({
        code: 'ERR_CONFIGURATION_INVALID',
        mistakes: expect.arrayContaining([expect.objectContaining({ path })]),
      }),
    ),
  )

  test('without quoting a value', () =>
    expect(() =>
      directoryOf(withApplication({ client: { id: 1, secret: 'not to be quoted' } })),
    ).toThrow(
      /^applications\[0\]\.client\.id: must be a string, not a number \(in application "intranet"\)$/,
    ))
})

describe('external URLs', () => {
  test.each([
    'https://intranet.contoso.example/',
    'https://intranet.contoso.example:8443/base/',
    'http://localhost:8080/',
    'http://intranet.localhost:8080/',
    'http://127.0.0.1:8080/',
    'http://[::1]:8080/',
  ])('%s may be published', (externalUrl) => {
    const [application] = directoryOf(withApplication({ externalUrl })).applications()
    expect(application!.externalUrl).toBe(externalUrl)
  })

  test.each([
    ['intranet.contoso.example/', 'must be an absolute URL'],
    ['http://intranet.contoso.example/', 'must be https, except on localhost'],
    ['http://notlocalhost/', 'must be https, except on localhost'],
    ['http://127.0.0.1.example/', 'must be https, except on localhost'],
    ['ftp://localhost/', 'must be https, except on localhost'],
    ['https://192.0.2.1/', 'must name a host, not an address'],
    ['https://0xc0000201/', 'must name a host, not an address'],
    ['https://[2001:db8::1]/', 'must name a host, not an address'],
    ['https://contoso.example./', 'must name its host without a dot at the end'],
    ['https://user:secret@contoso.example/', 'must not hold credentials'],
    ['https://contoso.example/?', 'must not have a query'],
    ['https://contoso.example/#a/', 'must not have a fragment'],
    ['https://contoso.example/base', 'must end in "/"'],
    ['https://contoso.example', 'must end in "/"'],
    ['https://contoso.example/a/../b/', 'must have its path in plain form: "/b/"'],
    ['https://contoso.example/a\\b/', 'must have its path in plain form: "/a/b/"'],
    ['https://contoso.example/a%2Fb/', 'must have a path that can be read in one way only'],
    ['https://contoso.example/a//b/', 'must have a path that can be read in one way only'],
    ['https://contoso.example/.app-proxy/', 'must not lie under "/.app-proxy/"'],
    ['https://contoso.example/.app-proxy/callback/', 'must not lie under "/.app-proxy/"'],
  ])('%s may not: it %s', (externalUrl, detail) =>
    expect(() => directoryOf(withApplication({ externalUrl }))).toThrow(
      expect.objectContaining({
        message: expect.stringMatching(
          `^applications\\[0\\]\\.externalUrl: ${detail.replace(/[.*?]/g, '\\$&')} \\(`,
        ),
      }),
    ),
  )
})

describe('internal URLs', () => {
  test.each(['http://10.0.0.7/', 'https://wiki.corp:8443/base/'])('%s may be used', (internalUrl) =>
    expect(directoryOf(withApplication({ internalUrl })).application('intranet')!.internalUrl).toBe(
      internalUrl,
    ),
  )

  test.each([
    ['http://user:secret@10.0.0.7/', 'must not hold credentials'],
    ['file:///etc/passwd/', 'must be http or https'],
    ['http://10.0.0.7/base', 'must end in "/"'],
    ['http://10.0.0.7/?q=/', 'must not have a query'],
  ])('%s may not: it %s', (internalUrl, detail) =>
    expect(() => directoryOf(withApplication({ internalUrl }))).toThrow(
      expect.objectContaining({
        message: expect.stringMatching(
          `^applications\\[0\\]\\.internalUrl: ${detail.replace(/[.*?]/g, '\\$&')} \\(`,
        ),
      }),
    ),
  )
})

/** FNV-1a as its authors write it, to hold ours against. */
function fnv(text: string): string {
  let hash = 14695981039346656037n
  for (const octet of new TextEncoder().encode(text)) {
    hash ^= BigInt(octet)
    hash = (hash * 1099511628211n) % 2n ** 64n
  }
  return hash.toString(16).padStart(16, '0')
}
