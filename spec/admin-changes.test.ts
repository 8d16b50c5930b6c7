/** What is changed by the admin API: on condition, and written down first. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { adminWorld, LOCAL_TOKEN, type World } from './admin-world.ts'

let world: World
const token = LOCAL_TOKEN
beforeAll(async () => {
  world = await adminWorld()
})
afterAll(() => world.close())
beforeEach(() => world.failAudit(false))

const calls = () => world.audit.events.filter(({ type }) => type === 'admin.call')

test('R8.5c of two who change what they looked at, the second is told that it is another', async () => {
  const { id } = await world.register('contoso')
  const looked = await world.call('GET', `/v1/connectors/${id}`, { token })
  const condition = { 'if-match': looked.headers.get('etag')! }
  expect(condition['if-match']).toBe(`"${looked.json['etag']}"`)
  const rename = (name: string, headers: Record<string, string>) =>
    world.call('POST', `/v1/connectors/${id}/rename`, { token, body: { name }, headers })
  const first = await rename('Berlin', condition)
  expect([first.status, first.json['name']]).toEqual([200, 'Berlin'])
  const second = await rename('Bonn', condition)
  expect([second.status, second.json['code']]).toEqual([412, 'conflict'])
  expect((await world.registry.connector(id))?.name).toBe('Berlin')
  expect((await rename('Bonn', {})).status).toBe(428)
  expect((await rename('Bonn', { 'if-match': 'W/"x"' })).status).toBe(412)
  const etag = { 'if-match': first.headers.get('etag')! }
  expect((await rename('Bonn', etag)).status).toBe(200)
})

test('R8.5d what is asked for is written down before it is done, and not done where it cannot be', async () => {
  const { id } = await world.register('contoso')
  const revoke = () =>
    world.call('POST', `/v1/connectors/${id}/revoke`, { token, headers: { 'if-match': '*' } })
  let isWrittenFirst = false
  const end = world.registry.onChange(() => {
    isWrittenFirst = calls().some(({ connectorId }) => connectorId === id)
  })
  world.failAudit(true)
  const unrecorded = await revoke()
  expect([unrecorded.status, unrecorded.json['code']]).toEqual([503, 'unrecorded'])
  expect((await world.registry.connector(id))?.standing).toBe('active')
  world.failAudit(false)
  expect((await revoke()).status).toBe(200)
  expect(isWrittenFirst).toBe(true)
  expect(calls().at(-1)).toMatchObject({
    ...{ outcome: 'success', connectorId: id, address: '127.0.0.1' },
    detail: { operation: 'revokeConnector', operator: 'local', roles: ['service'], method: 'POST' },
  })
  end()
})

test('R8.5d a call that is refused is written down, with what it was for', async () => {
  const { id } = await world.register('contoso')
  const reader = await world.token('contoso', ['app-proxy.reader'])
  await world.call('POST', `/v1/connectors/${id}/revoke`, { token: reader })
  expect(calls().at(-1)).toMatchObject({
    ...{ outcome: 'refused', reason: 'forbidden', tenantId: 'contoso' },
    ...{ subject: 'somebody of contoso', detail: { operation: 'revokeConnector', status: 403 } },
  })
  await world.call('POST', '/v1/connectors/nobody/drain', { token, headers: { 'if-match': '*' } })
  expect(calls().slice(-2)).toMatchObject([
    { outcome: 'success' },
    { outcome: 'refused', reason: 'not-found', detail: { status: 404 } },
  ])
})

test('R8.5e a connector is approved for a time, drained, moved, disabled and forgotten', async () => {
  const { id } = await world.register('contoso')
  const change = (verb: string, body: object = {}) =>
    world.call('POST', `/v1/connectors/${id}/${verb}`, {
      token,
      body,
      headers: { 'if-match': '*' },
    })
  const until = Date.now() + 3_600_000
  expect((await change('approve', { until })).json).toMatchObject({ standingUntil: until })
  expect((await change('drain')).json).toMatchObject({ standing: 'draining', standingUntil: until })
  expect((await change('move', { groupId: 'contoso-other' })).json['groupId']).toBe('contoso-other')
  const foreign = await change('move', { groupId: 'fabrikam-other' })
  expect([foreign.status, foreign.json['mistakes']]).toEqual([
    422,
    [{ path: 'groupId', detail: expect.any(String) }],
  ])
  expect((await change('disable')).json['standing']).toBe('disabled')
  const drained = await change('drain')
  expect([drained.status, drained.json['mistakes'][0].path]).toEqual([422, 'standing'])
  expect((await change('forget')).status).toBe(204)
  expect((await change('approve')).status).toBe(404)
  const { json } = await world.call('GET', '/v1/connectors?tenant=contoso', { token })
  expect(json['items'].map((one: { id: string }) => one.id)).not.toContain(id)
})

test.each<[string, object, string]>([
  ['an unknown member', { name: 'x', admin: true }, 'admin'],
  ['nothing', {}, 'name'],
  ['another type', { name: 7 }, 'name'],
  ['too long a name', { name: 'x'.repeat(200) }, 'name'],
])('input with %s is refused, and it is said where', async (_, body, path) => {
  const { id } = await world.register('contoso')
  const answer = await world.call('POST', `/v1/connectors/${id}/rename`, {
    ...{ token, body, headers: { 'if-match': '*' } },
  })
  expect([answer.status, answer.json['mistakes']?.[0]?.path]).toEqual([422, path])
  expect((await world.call('GET', '/v1/connectors?teant=x', { token })).status).toBe(422)
})

test('R8.5f tickets are made, listed and revoked', async () => {
  const made = await world.call('POST', '/v1/tickets', { token, body: { tenantId: 'contoso' } })
  expect(made.status).toBe(201)
  const { id, ticket } = made.json
  const listed = async () => {
    const { json } = await world.call('GET', '/v1/tickets', { token })
    return json['items'] as { id: string }[]
  }
  expect(await listed()).toContainEqual(
    expect.objectContaining({ id, maker: { as: 'operator', name: 'local' } }),
  )
  expect(JSON.stringify(await listed())).not.toContain(ticket)
  expect(JSON.stringify(world.audit.events)).not.toContain(ticket)
  expect((await world.call('POST', `/v1/tickets/${id}/revoke`, { token })).status).toBe(204)
  expect((await listed()).map((one) => one.id)).not.toContain(id)
  expect((await world.call('POST', `/v1/tickets/${id}/revoke`, { token })).status).toBe(404)
})

test('R8.5g watchers are told of each change, and of what is hidden', async () => {
  const { id } = await world.register('contoso')
  const { id: foreign } = await world.register('fabrikam')
  const reader = await world.token('contoso', ['app-proxy.reader'])
  const { body } = await world.api.handle(
    new Request('http://localhost/v1/connectors', {
      headers: { authorization: `Bearer ${reader}`, accept: 'text/event-stream' },
    }),
    { remoteAddress: '127.0.0.1', isLocal: true },
  )
  const stream = body!.pipeThrough(new TextDecoderStream()).getReader()
  let told = ''
  const until = async (text: string) => {
    while (!told.includes(text)) told += (await stream.read()).value ?? ''
  }
  await until('event: connectors')
  expect(told).toContain(id)
  await world.registry.rename(id, 'Hamburg')
  await until('event: connector\n')
  await until('"name":"Hamburg"')
  await world.registry.rename(foreign, 'Elsewhere')
  await world.registry.forget(id, Date.now())
  await until(`event: gone\ndata: {"id":"${id}"}`)
  expect(told).not.toContain(foreign)
  await stream.cancel()
})
