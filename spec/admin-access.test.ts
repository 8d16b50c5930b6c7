/** Every operation by everybody: who may call what, and what is another tenant's is not there. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { ADMIN_ROUTES, type AdminRoute } from '../src/cloud/admin/admin-routes.ts'
import type { AdminCaller } from '../src/cloud/admin/index.ts'
import { adminWorld, LOCAL_TOKEN, type World } from './admin-world.ts'

let world: World
beforeAll(async () => {
  world = await adminWorld()
})
afterAll(() => world.close())
beforeEach(() => world.failAudit(false))

/** What each operation is called with where it is to succeed; the ids are contoso's. */
const BODIES: Readonly<Record<string, object>> = {
  rollAuthority: { beginsInMs: 0 },
  moveConnector: { groupId: 'contoso-other' },
  renameConnector: { name: 'renamed' },
  endSessions: { subject: 'carol', tenantId: 'contoso' },
  createTicket: { tenantId: 'contoso' },
}
/** Roles as they are called at the issuers. */
const CALLERS = {
  'contoso reader': ['contoso', ['app-proxy.reader']],
  'contoso operator': ['contoso', ['app-proxy.operator']],
  'contoso publisher': ['contoso', ['app-proxy.publisher']],
  'contoso reader who says service': [
    'contoso',
    ['app-proxy.reader', 'service', 'app-proxy.service'],
  ],
  'fabrikam reader': ['fabrikam', ['app-proxy.reader']],
  'fabrikam operator': ['fabrikam', ['app-proxy.operator']],
  'fabrikam publisher': ['fabrikam', ['app-proxy.publisher']],
  service: ['operators', ['service']],
} as const
type CallerName = keyof typeof CALLERS | 'local'
const NAMES = [...Object.keys(CALLERS), 'local'] as CallerName[]

const tokenOf = (name: CallerName) =>
  name === 'local' ? LOCAL_TOKEN : world.token(CALLERS[name][0], CALLERS[name][1])

/** What the words of the roles say, written down a second time. */
function mayCall(name: CallerName, { role, scope }: AdminRoute): boolean {
  if (name === 'service' || name === 'local') return true
  if (scope === 'service') return false
  if (role === 'any' || role === 'reader') return true
  return name.endsWith(role)
}

/** Whose configuration is sent: contoso's, or all of it by whoever may. */
async function bodyFor({ operation }: AdminRoute, name: CallerName): Promise<object> {
  if (!/^(?:apply|validate|diff)Configuration$/.test(operation)) return BODIES[operation] ?? {}
  const tenantId = name === 'local' || name === 'service' ? undefined : 'contoso'
  const caller = { name: 'carol', by: 'token', roles: ['reader'], ...(tenantId && { tenantId }) }
  const { configuration } = await world.api.service.configuration.current(caller as AdminCaller)
  return { configuration }
}

/** A version that changes something of contoso's alone. */
async function newVersion(): Promise<string> {
  const { configuration } = world.api.service
  const service: AdminCaller = { name: 'carol', by: 'local token', roles: ['service'] }
  const { groups, ...rest } = (await configuration.current(service)).configuration
  const changed = groups.map((group) =>
    group.id === 'contoso-other' ? { ...group, name: `${group.name ?? ''}.` } : group,
  )
  return `${(await configuration.apply(service, { groups: changed, ...rest }, {})).version}`
}

/** A connector, ticket or version of contoso's for a path with an id. */
async function idFor({ path }: AdminRoute): Promise<string> {
  if (path.startsWith('/v1/configuration')) return newVersion()
  const maker = { as: 'operator' } as const
  for (const name of ['carol', 'local', 'somebody of operators'])
    await world.cloud.revokeEnrolmentTickets({ tenantId: 'contoso', maker: { ...maker, name } })
  if (path.startsWith('/v1/tickets')) {
    const order = { tenantId: 'contoso', by: { operator: 'carol' } } as const
    return (await world.cloud.createEnrolmentTicket(order)).id
  }
  const { id } = await world.register('contoso')
  if (path.endsWith('/approve')) await world.registry.setStanding(id, 'disabled', Date.now())
  return id
}

/** The authority's roll is where the operation begins. */
async function rolledFor({ operation }: AdminRoute): Promise<void> {
  const roll = world.cloud.authority.roll!
  const { state } = roll.view()
  if (operation === 'rollAuthority' && state !== 'one') await roll.finish()
  if (operation === 'finishAuthorityRoll' && state === 'one') await roll.begin(Date.now())
}

async function callRoute(route: AdminRoute, name: CallerName) {
  const id = await idFor(route)
  await rolledFor(route)
  const answer = await world.call(route.method, route.path.replace('{id}', id), {
    token: await tokenOf(name),
    headers: route.isConditional ? { 'if-match': '*' } : {},
    ...(route.input && { body: await bodyFor(route, name) }),
  })
  return { id, ...answer }
}

describe.each(ADMIN_ROUTES.map((route) => [route.operation, route] as const))('%s', (_, route) => {
  test.each(NAMES)('R8.5h by %s', async (name) => {
    const { status, json, id } = await callRoute(route, name)
    if (!mayCall(name, route)) return expect([status, json['code']]).toEqual([403, 'forbidden'])
    const isForeign = name.startsWith('fabrikam')
    if (isForeign && route.path.includes('{id}')) expect(status).toBe(404)
    else if (isForeign && route.operation in BODIES) expect(status).toBe(404)
    else if (isForeign && route.operation === 'rollBackConfiguration')
      // Nothing of its own was ever another.
      expect(status).toBe(404)
    else if (isForeign && /^(?:apply|diff)Configuration$/.test(route.operation))
      expect([status, json['mistakes'][0].path]).toEqual([422, 'tenants'])
    else if (route.operation === 'createTicket' && name.startsWith('contoso'))
      // In whose name it is to be made is missing.
      expect([status, json['mistakes'][0].path]).toEqual([422, 'registrarToken'])
    else expect(status).toBe(route.status)
    // Nothing of another tenant's is shown or changed.
    if (isForeign) {
      expect(JSON.stringify(json)).not.toContain('contoso')
      if (route.path.includes('/connectors/{id}'))
        expect(await world.registry.connector(id)).toMatchObject({
          ...{ tenantId: 'contoso', groupId: 'contoso-default', name: id },
        })
    }
  })

  test('by nobody, and by tokens that are for something else', async () => {
    const path = route.path.replace('{id}', await idFor(route))
    const roles = ['app-proxy.operator', 'app-proxy.publisher']
    const now = Math.floor(Date.now() / 1000)
    for (const token of [
      undefined,
      'c'.repeat(43),
      await world.token('contoso', roles, { audience: 'cloud' }),
      await world.token('contoso', roles, { audience: ['https://admin.example', 'cloud'] }),
      await world.token('contoso', roles, { typ: 'JWT' }),
      await world.token('contoso', roles, { exp: now - 120 }),
      await world.token('contoso', []),
      await world.token('contoso', ['service']),
      await world.token('operators', roles),
      `${(await world.token('contoso', roles)).slice(0, -8)}AAAAAAAA`,
    ]) {
      const { status, headers } = await world.call(route.method, path, { token, isLocal: false })
      expect([status, headers.get('www-authenticate')]).toEqual([
        401,
        expect.stringMatching(/^Bearer/),
      ])
    }
  })
})

test('R8.5h what is no operation is refused, whoever calls', async () => {
  for (const name of NAMES)
    for (const [method, path, expected] of [
      ['GET', '/v1/nothing', 404],
      ['GET', '/', 404],
      ['GET', '/v1/connectors/', 404],
      ['DELETE', '/v1/connectors/x', 405],
      ['POST', '/v1/connectors', 405],
      ['GET', '/v1/connectors/x/approve', 405],
    ] as const) {
      const { status } = await world.call(method, path, { token: await tokenOf(name) })
      expect([path, status]).toEqual([path, expected])
    }
})

test('the local token is taken from this machine alone', async () => {
  const here = await world.call('GET', '/v1/me', { token: LOCAL_TOKEN })
  expect(here.json).toEqual({ name: 'local', roles: ['service'] })
  const elsewhere = await world.call('GET', '/v1/me', { token: LOCAL_TOKEN, isLocal: false })
  expect(elsewhere.status).toBe(401)
})

test('a page of a browser is not served, nor a call for another host', async () => {
  const call = (headers: Record<string, string>) =>
    world.call('GET', '/v1/me', { token: LOCAL_TOKEN, headers })
  expect((await call({ origin: 'http://localhost:8430' })).json['code']).toBe('other-origin')
  expect((await call({ 'sec-fetch-site': 'same-origin' })).json['code']).toBe('other-origin')
  expect((await call({ host: 'evil.example' })).status).toBe(421)
  expect((await call({ cookie: `token=${LOCAL_TOKEN}` })).status).toBe(200)
  const preflight = await world.call('OPTIONS', '/v1/me', {
    headers: { origin: 'https://a.example' },
  })
  expect(preflight.status).toBe(403)
  expect([...preflight.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual(
    [],
  )
})

test('many tokens of one address that are not good make the rest of it wait', async () => {
  const guess = () =>
    world.api.handle(
      new Request('http://localhost/v1/me', { headers: { authorization: 'Bearer guess' } }),
      { remoteAddress: '198.51.100.7', isLocal: false },
    )
  for (let i = 0; i < 20; i++) expect((await guess()).status).toBe(401)
  const late = await guess()
  expect([late.status, Number(late.headers.get('retry-after')) > 0]).toEqual([429, true])
})
