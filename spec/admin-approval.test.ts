/** Where a tenant wants it, a connector is approved by somebody else than who registered it. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { mayHaveRegistered } from '../src/cloud/admin/own-registration.ts'
import { adminWorld, LOCAL_TOKEN, type World } from './admin-world.ts'

let world: World
let usual: World
beforeAll(async () => {
  world = await adminWorld({ approveConnectors: true, approveByAnother: true })
  usual = await adminWorld({ approveConnectors: true })
})
afterAll(() => Promise.all([world.close(), usual.close()]))

/** What is said to `token` for a connector that was registered so. */
async function approves(of: World, token: string, enrolledBy: object | undefined) {
  const record = { standing: 'pending', ...(enrolledBy && { enrolledBy }) }
  const { id } = await of.register('contoso', undefined, record)
  const { status, json } = await of.call('POST', `/v1/connectors/${id}/approve`, {
    ...{ token, body: {}, headers: { 'if-match': '*' } },
  })
  const { standing } = (await of.registry.connector(id))!
  return [status, json['code'] ?? standing, standing]
}

const REFUSED = [403, 'own-registration', 'pending']
const APPROVED = [200, 'active', 'active']
const operator = (of: World, sub: string) => of.token('contoso', ['app-proxy.operator'], { sub })
const registrar = (of: World, name: string) => ({ as: 'registrar', name, issuer: of.issuer })

test('R8.8c who registered it is refused, and another operator of the tenant approves it', async () => {
  const [alice, bob] = [await operator(world, 'alice'), await operator(world, 'bob')]
  expect(await approves(world, alice, registrar(world, 'alice'))).toEqual(REFUSED)
  expect(await approves(world, bob, registrar(world, 'alice'))).toEqual(APPROVED)
  const last = world.audit.events.filter(({ type }) => type === 'admin.call')
  expect(last.some(({ reason }) => reason === 'own-registration')).toBe(true)
})

test('R8.8c who made its ticket is refused as well, and whoever a record does not name', async () => {
  const alice = await operator(world, 'alice')
  const ticket = { ...registrar(world, 'alice'), ticketId: 't' }
  expect(await approves(world, alice, ticket)).toEqual(REFUSED)
  // A record of an earlier release has no issuer, or nobody at all.
  expect(await approves(world, alice, { as: 'registrar', name: 'alice' })).toEqual(REFUSED)
  expect(await approves(world, alice, undefined)).toEqual(REFUSED)
  expect(await approves(world, LOCAL_TOKEN, undefined)).toEqual(APPROVED)
})

test('R8.8c the same name of another issuer is another person', async () => {
  const token = await world.token('operators', ['service'], { sub: 'alice' })
  expect(await approves(world, token, registrar(world, 'alice'))).toEqual(APPROVED)
  expect(await approves(world, token, { as: 'operator', name: 'alice' })).toEqual(REFUSED)
  expect(await approves(world, token, { as: 'operator', name: 'bob' })).toEqual(APPROVED)
})

test('R8.8c the local token names nobody: it approves what registrars registered, and no operator’s ticket', async () => {
  expect(await approves(world, LOCAL_TOKEN, registrar(world, 'alice'))).toEqual(APPROVED)
  const ticket = { as: 'operator', name: 'carol', ticketId: 't' }
  expect(await approves(world, LOCAL_TOKEN, ticket)).toEqual(REFUSED)
  const bob = await operator(world, 'bob')
  expect(await approves(world, bob, ticket)).toEqual(APPROVED)
})

test('R8.8c where a tenant does not want it, whoever is an operator approves', async () => {
  const alice = await operator(usual, 'alice')
  expect(await approves(usual, alice, registrar(usual, 'alice'))).toEqual(APPROVED)
  expect(await approves(usual, alice, undefined)).toEqual(APPROVED)
})

test('an operator of a tenant is no operator of the service', () => {
  const caller = { name: 'carol', by: 'token', roles: ['operator'], issuer: 'i' } as const
  const enrolledBy = { as: 'operator', name: 'carol' } as const
  expect(mayHaveRegistered({ ...caller, tenantId: 'contoso' }, { enrolledBy })).toBe(false)
  expect(mayHaveRegistered(caller, { enrolledBy })).toBe(true)
})
