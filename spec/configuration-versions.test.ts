/** The configuration as operators change it: over the admin API, on instances that share its versions. */
import { afterEach, describe, expect, test } from 'vitest'
import type {
  ConfigurationStore,
  ConfigurationView,
  VersionView,
} from '../src/cloud/admin/index.ts'
import {
  createMemoryConfigurationStore,
  openConfigurationVersions,
} from '../src/cloud/admin/index.ts'
import { createDirectory, DirectoryConfiguration, type DirectoryInput } from '../src/cloud/index.ts'
import { isSecretAt, KEPT_SECRET } from '../src/cloud/versions/kept-secrets.ts'
import { toJsonSchema } from '@valibot/to-json-schema'
import { until } from '../test/until.ts'
import { adminWorld, LOCAL_TOKEN, type World } from './admin-world.ts'

const SECRET = 'planted-secret-of-a-client'
let world: World
afterEach(() => world.close())

const PUBLISHER = ['app-proxy.publisher']
const local = async () => LOCAL_TOKEN
const of =
  (tenant: 'contoso' | 'fabrikam', roles = PUBLISHER) =>
  () =>
    world.token(tenant, roles)
type Who = () => Promise<string>

const call = async (who: Who, method: string, path: string, body?: object, ifMatch?: string) =>
  world.call(method, `/v1/configuration${path}`, {
    token: await who(),
    body,
    ...(ifMatch !== undefined && { headers: { 'if-match': ifMatch } }),
  })
const shown = async (who: Who) => (await call(who, 'GET', '')).json as ConfigurationView
const versions = async (who: Who) =>
  (await call(who, 'GET', '/versions')).json.items as VersionView[]
const apply = (who: Who, configuration: object, ifMatch = '*', comment?: string) =>
  call(who, 'PUT', '', { configuration, ...(comment && { comment }) }, ifMatch)

/** One more application of a tenant. */
function withApplication(
  { applications, ...rest }: DirectoryInput,
  tenant: string,
  more: object = {},
) {
  const added = {
    ...{ id: `${tenant}-mail`, groupId: `${tenant}-default`, preAuthentication: 'oidc' },
    ...{ externalUrl: `https://mail.${tenant}.example/`, internalUrl: 'http://10.0.0.2/' },
    ...{ client: { id: 'mail', secret: SECRET }, ...more },
  }
  return { ...rest, applications: [...applications, added] }
}

/** Another one in the place of an application. */
function changed({ applications, ...rest }: DirectoryInput, id: string, more: object) {
  const replaced = applications.map((one) => (one.id === id ? { ...one, ...more } : one))
  return { ...rest, applications: replaced }
}

test('R8.10a what is applied is checked as a whole, kept as a version, in force at once, and put back', async () => {
  world = await adminWorld()
  const before = await shown(local)
  expect(before).toMatchObject({ version: 1, etag: '1' })
  const wrong = changed(before.configuration as DirectoryInput, 'contoso-wiki', {
    ...{ groupId: 'contoso-defalut', internalUrl: 'ftp://10.0.0.1/', nmae: 'x' },
  })
  const checked = await call(local, 'POST', '/validate', { configuration: wrong })
  expect([checked.status, checked.json.mistakes.map(({ path }: { path: string }) => path)]).toEqual(
    [200, expect.arrayContaining(['applications[0].internalUrl', 'applications[0].nmae'])],
  )
  const refused = await apply(local, wrong)
  expect([refused.status, refused.json.mistakes]).toEqual([422, checked.json.mistakes])
  expect(await versions(local)).toHaveLength(1)

  const next = withApplication(before.configuration, 'contoso')
  const differs = await call(local, 'POST', '/diff', { configuration: next })
  expect(differs.json.changes).toEqual([
    { change: 'added', what: 'application', id: 'contoso-mail', tenantId: 'contoso' },
  ])
  const applied = await apply(local, next, '"1"', 'mail is published')
  expect([applied.status, applied.json]).toMatchObject([200, { version: 2, isMade: true }])
  expect(world.directory.application('contoso-mail')?.client?.secret).toBe(SECRET)
  expect(await versions(local)).toMatchObject([
    { version: 2, by: { as: 'operator', name: 'local' }, comment: 'mail is published' },
    { version: 1, by: { as: 'file', name: 'cloud-1' } },
  ])

  const back = await call(local, 'POST', '/rollback', {}, '"2"')
  expect(back.json).toMatchObject({ version: 3, isMade: true })
  expect(world.directory.application('contoso-mail')).toBeUndefined()
  // Going back again finds nothing before the first; the one that is named comes back.
  expect((await call(local, 'POST', '/rollback', {}, '*')).status).toBe(404)
  expect((await call(local, 'POST', '/rollback', { version: 2 }, '*')).status).toBe(200)
  expect(world.directory.application('contoso-mail')?.client?.secret).toBe(SECRET)
  expect((await versions(local)).map(({ restored }) => restored)).toEqual([
    2,
    1,
    undefined,
    undefined,
  ])
  const { json } = await call(local, 'GET', '/versions/1')
  expect(json.configuration).toEqual(before.configuration)
})

test('R8.10b no secret is shown; what comes back with it kept keeps it, and nothing else does', async () => {
  world = await adminWorld()
  const first = await shown(local)
  await apply(local, withApplication(first.configuration, 'contoso'))
  const { configuration } = await shown(local)
  expect(configuration.applications.at(-1)!).toMatchObject({
    client: { id: 'mail', secret: KEPT_SECRET },
  })
  // Sent as it was shown it changes nothing; with another name the secret stays.
  expect((await apply(local, configuration)).json).toMatchObject({ isMade: false, changes: [] })
  const renamed = changed(configuration, 'contoso-mail', { name: 'Mail' })
  expect((await apply(local, renamed)).json.changes[0].fields).toEqual([
    { path: 'name', after: '"Mail"' },
  ])
  expect(world.directory.application('contoso-mail')).toMatchObject({
    ...{ name: 'Mail', client: { secret: SECRET } },
  })
  // Another secret is told as another.
  const other = changed(configuration, 'contoso-mail', { client: { id: 'mail', secret: 'other' } })
  const differs = await call(local, 'POST', '/diff', { configuration: other })
  expect(differs.json.changes[0].fields).toContainEqual({ path: 'client.secret', isSecret: true })
  // Of an application that there is not, none is kept: not of another of that name either.
  for (const [who, id] of [
    [local, 'contoso-post'],
    [of('fabrikam'), 'contoso-mail'],
  ] as const) {
    const start = (await shown(who)).configuration
    const tenant = who === local ? 'contoso' : 'fabrikam'
    const sent = withApplication(start, tenant, {
      ...{ id, externalUrl: `https://post.${tenant}.example/` },
      client: { id: 'mail', secret: KEPT_SECRET },
    })
    const { status, json } = await apply(who, sent)
    expect([status, json.mistakes]).toEqual([
      422,
      [
        {
          path: `applications[${sent.applications.length - 1}].client.secret`,
          detail: 'is said to be kept, and there is none: write it',
        },
      ],
    ])
  }
  // In a file it is no secret.
  expect(() => createDirectory(configuration)).toThrow(/must be a string, not an object/)
  // None was told to anybody, or written down.
  const said = [await shown(local), await versions(local), differs.json, world.audit.events]
  expect(JSON.stringify(said)).not.toContain(SECRET)
})

test('R8.10b every place of the configuration that is called a secret is hidden', () => {
  const places: string[] = []
  const walk = (schema: unknown, path: string): void => {
    if (typeof schema !== 'object' || schema === null) return
    const {
      properties = {},
      items,
      anyOf = [],
      oneOf = [],
      allOf = [],
    } = schema as {
      properties?: Record<string, unknown>
      items?: unknown
      anyOf?: unknown[]
      oneOf?: unknown[]
      allOf?: unknown[]
    }
    for (const one of [...anyOf, ...oneOf, ...allOf]) walk(one, path)
    walk(items, path)
    for (const [name, member] of Object.entries(properties)) {
      const at = path === '' ? name : `${path}.${name}`
      if (/secret|password|passphrase|credential|private|^key$|^d$/i.test(name)) places.push(at)
      walk(member, at)
    }
  }
  walk(toJsonSchema(DirectoryConfiguration, { errorMode: 'ignore' }), '')
  const ofApplications = [...new Set(places)].map((path) => path.replace(/^applications\./, ''))
  // The name of a secret that the connector has opens nothing; what is in a key is hidden with it.
  const harmless = ['signOn.secret', 'client.key.d', 'cors.credentials']
  expect(ofApplications).toEqual(expect.arrayContaining(['client.secret', 'client.key']))
  expect(ofApplications.filter((path) => !isSecretAt(path) && !harmless.includes(path))).toEqual([])
})

test('R8.10c a tenant’s publisher sees and changes the tenant’s part, and no limit of the service’s', async () => {
  world = await adminWorld()
  const mine = of('contoso')
  const before = await shown(mine)
  expect(JSON.stringify(before)).not.toContain('fabrikam')
  expect(before.configuration.tenants.map(({ id }) => id)).toEqual(['contoso'])
  const applied = await apply(mine, withApplication(before.configuration, 'contoso'), '"1"')
  expect(applied.json).toMatchObject({ version: 2, isMade: true })
  expect(world.directory.applications().map(({ id }) => id)).toEqual([
    ...['contoso-wiki', 'contoso-mail', 'fabrikam-wiki'],
  ])
  // What the others have is as it was, and is not theirs to see.
  expect(await shown(of('fabrikam'))).toMatchObject({ version: 1, etag: '1' })
  expect((await versions(of('fabrikam'))).map(({ version }) => version)).toEqual([1])
  expect((await call(of('fabrikam'), 'GET', '/versions/2')).status).toBe(404)
  // Two tenants change theirs at once: neither is in the way of the other.
  const [one, other] = await Promise.all([
    apply(mine, before.configuration, '"2"', 'without mail'),
    apply(
      of('fabrikam'),
      withApplication((await shown(of('fabrikam'))).configuration, 'fabrikam'),
      '"1"',
    ),
  ])
  expect([one.status, other.status]).toEqual([200, 200])
  expect(world.directory.applications().map(({ id }) => id)).toEqual([
    ...['contoso-wiki', 'fabrikam-wiki', 'fabrikam-mail'],
  ])
  // Going back goes back in the tenant's part alone.
  expect((await call(mine, 'POST', '/rollback', {}, '*')).json).toMatchObject({ isMade: true })
  expect(world.directory.application('contoso-mail')?.client?.secret).toBe(SECRET)
  expect(world.directory.application('fabrikam-mail')).toBeDefined()

  // What is the service's to say, and what is others', they cannot.
  const { tenants, groups, applications } = (await shown(mine)).configuration
  const tenant = tenants[0]!
  const refusals = [
    [
      { tenants: [{ ...tenant, connectorLimit: 9 }], groups, applications },
      'tenants[0].connectorLimit',
    ],
    [
      { tenants: [{ ...tenant, issuer: 'https://own.example' }], groups, applications },
      'tenants[0].issuer',
    ],
    [{ tenants: [{ ...tenant, id: 'fabrikam' }], groups, applications }, 'tenants'],
    [
      { tenants, groups, applications: [{ ...applications[0]!, groupId: 'fabrikam-default' }] },
      'applications[0].groupId',
    ],
    [
      { tenants, groups, applications: [{ ...applications[0]!, id: 'fabrikam-wiki' }] },
      'applications[0].id',
    ],
    [
      {
        tenants,
        groups,
        applications: [
          ...applications,
          { ...applications[0]!, id: 'x', externalUrl: 'https://wiki.fabrikam.example/below/' },
        ],
      },
      'applications[2].externalUrl',
    ],
  ] as const
  for (const [sent, path] of refusals) {
    const { status, json } = await apply(mine, sent)
    const paths = (json.mistakes ?? []).map((mistake: { path: string }) => mistake.path)
    expect([status, paths]).toEqual([422, expect.arrayContaining([path])])
    expect(JSON.stringify(json)).not.toMatch(/fabrikam/)
  }
  // Nor may a reader try, who could guess secrets by it.
  for (const path of ['/validate', '/diff'])
    expect(
      (await call(of('contoso', ['app-proxy.reader']), 'POST', path, { configuration: {} })).status,
    ).toBe(403)
})

test('R8.10d of two who change it, the second is told; it is written down before it is kept', async () => {
  world = await adminWorld()
  const { configuration } = await shown(local)
  const [one, other] = [{ name: 'one' }, { name: 'other' }].map((name) =>
    changed(configuration, 'contoso-wiki', name),
  )
  const both = await Promise.all([apply(local, one!, '"1"'), apply(local, other!, '"1"')])
  expect(both.map(({ status }) => status).sort()).toEqual([200, 412])
  const missing = await call(local, 'PUT', '', { configuration })
  expect(missing.status).toBe(428)
  expect(world.audit.events).toContainEqual(
    expect.objectContaining({
      ...{ type: 'configuration.applied', outcome: 'success' },
      detail: expect.objectContaining({
        version: 2,
        changes: ['changed application contoso-wiki'],
      }),
    }),
  )
  world.failAudit(true)
  const unrecorded = await apply(local, configuration)
  expect([unrecorded.status, unrecorded.json.code]).toEqual([503, 'unrecorded'])
  world.failAudit(false)
  expect(await versions(local)).toHaveLength(2)
})

describe('instances that share versions', () => {
  /** A second instance on the same store. */
  const second = async (store: ConfigurationStore, initial: DirectoryInput) => {
    const directory = createDirectory(initial)
    return {
      directory,
      versions: await openConfigurationVersions(world.cloud, { store, directory, initial }),
    }
  }

  test('R8.10e what is applied at one is in force at the other', async () => {
    world = await adminWorld()
    const initial = JSON.parse((await world.store.read(1))!) as DirectoryInput
    const other = await second(world.store, initial)
    await apply(local, withApplication((await shown(local)).configuration, 'contoso'))
    await until(() => other.directory.application('contoso-mail') !== undefined)
    expect([world.versions.state, other.versions.state]).toEqual([{ inForce: 2 }, { inForce: 2 }])
    // One that starts later takes the newest, whatever it was started with.
    const later = await second(world.store, initial)
    expect(later.directory.application('contoso-mail')?.client?.secret).toBe(SECRET)
    other.versions.close()
  })

  test('R8.10e a version that an instance cannot read is not in force there, and it says so', async () => {
    world = await adminWorld()
    const [head] = await world.store.heads()
    const content = (await world.store.read(1))!.replace('"groups"', '"clouds":[],"groups"')
    const bytes = Buffer.byteLength(content)
    await world.store.append({ ...head!, number: 2, bytes }, content)
    await until(() => world.versions.state.refused === 2)
    expect(world.directory.application('contoso-wiki')).toBeDefined()
    const { json } = await world.call('GET', '/v1/instance', { token: LOCAL_TOKEN })
    expect(json).toMatchObject({ configurationVersion: 1, configurationRefused: 2 })
    expect(world.audit.events).toContainEqual(
      expect.objectContaining({
        ...{ type: 'configuration.replaced', outcome: 'failed' },
        detail: { version: 2, path: 'clouds' },
      }),
    )
    // What it does not know is not shown; it can be gone back from.
    expect((await call(local, 'GET', '')).status).toBe(503)
    expect((await call(local, 'POST', '/rollback', { version: 1 }, '"2"')).status).toBe(200)
    expect(world.versions.state).toEqual({ inForce: 3 })
  })

  test('R8.10f a file that is another than it was is a version; one that is as it was changes nothing', async () => {
    world = await adminWorld()
    const initial = JSON.parse((await world.store.read(1))!) as DirectoryInput
    const said = await world.versions.takeFile(initial, 'cloud-1')
    await apply(local, changed((await shown(local)).configuration, 'contoso-wiki', { name: 'one' }))
    expect(await world.versions.takeFile(initial, 'cloud-1', said)).toBe(said)
    expect(world.directory.application('contoso-wiki')?.name).toBe('one')
    const other = changed(initial, 'contoso-wiki', { name: 'by the file' })
    const next = await world.versions.takeFile(other as DirectoryInput, 'cloud-1', said)
    expect(world.directory.application('contoso-wiki')?.name).toBe('by the file')
    // The same file on another instance, which has said the one before so far.
    await apply(local, changed((await shown(local)).configuration, 'contoso-wiki', { name: 'two' }))
    expect(await world.versions.takeFile(other as DirectoryInput, 'cloud-2', said)).toBe(next)
    expect(await world.versions.takeFile(initial, 'cloud-3', said)).toBe(said)
    expect(world.directory.application('contoso-wiki')?.name).toBe('two')
    expect((await versions(local)).map(({ by }) => by.as)).toEqual([
      'operator',
      'file',
      'operator',
      'file',
    ])
  })
})

test('without versions there is no configuration to be seen', async () => {
  world = await adminWorld()
  const { createAdminApi } = await import('../src/cloud/admin/index.ts')
  const api = createAdminApi(world.cloud, { access: {} })
  const caller = { name: 'carol', by: 'local token', roles: ['service'] } as const
  await expect(api.service.configuration.current(caller)).rejects.toMatchObject({
    reason: 'not-found',
  })
  expect(await createMemoryConfigurationStore().heads()).toEqual([])
})
