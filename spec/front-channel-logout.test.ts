/** Front-channel logout: what a frame on the issuer's sign-out page ends, with a cookie and without. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { headerValue, headerValues } from '../src/protocol/internal.ts'
import { edgeWorld, HOST, type EdgeWorld, type MemoryUser } from '../test/cloud/edge/edge-world.ts'
import { HostileIssuer, redirect } from '../test/hostile-issuer/issuer.ts'

let issuer: HostileIssuer
let world: EdgeWorld
beforeAll(async () => {
  issuer = await HostileIssuer.start()
})
afterAll(() => issuer.close())
beforeEach(async () => {
  issuer.misbehaviour = {}
  world = await edgeWorld({}, { issuer: issuer.url, user: { issuer: issuer.url } })
})

const PATH = '/.app-proxy/front-channel-logout'
const query = (parameters: Record<string, string> = {}) =>
  `?${new URLSearchParams({ iss: issuer.url, sid: 'sid-alice', ...parameters })}`
async function visit(search = query(), rest = {}, fields: readonly string[] = []) {
  const frame = ['Sec-Fetch-Dest', 'iframe', 'Sec-Fetch-Site', 'cross-site']
  const user = world.ask({
    ...{ authority: HOST, target: PATH + search, headers: [...frame, ...fields] },
    ...rest,
  })
  await expect.poll(() => user.status, { timeout: 10_000, interval: 1 }).toBeDefined()
  return user
}
const isRevoked = (sid = 'sid-alice', application = world.application) =>
  world.sessions.revocations.isRevoked(
    { ...world.session, id: 'another', issuerSession: sid },
    application,
  )
const removed = (user: MemoryUser) => headerValues(user.headers, 'set-cookie').length

test('R4.4c ends the session it names although the browser brings no cookie', async () => {
  const user = await visit()
  expect([user.status, user.one('write')]).toEqual([200, undefined])
  expect(isRevoked()).toBe(true)
  expect(isRevoked('sid-bob')).toBe(false)
  expect(world.audit.events).toContainEqual(
    expect.objectContaining({
      ...{ type: 'sign-out.front-channel', outcome: 'success', applicationId: 'secure' },
    }),
  )
})

test('R4.4c ends what is open in the name of that session', async () => {
  world.ask({ authority: HOST, headers: ['Cookie', world.cookie] })
  await expect.poll(() => world.offers.length).toBe(1)
  expect(world.origin.open).toBe(1)
  await visit()
  await expect.poll(() => world.origin.open, { timeout: 10_000 }).toBe(0)
})

test('R4.4c removes the cookie of the session it names, and no other', async () => {
  expect(removed(await visit(query({ sid: 'sid-bob' }), {}, ['Cookie', world.cookie]))).toBe(0)
  expect(isRevoked('sid-alice')).toBe(false)
  const user = await visit(query(), {}, ['Cookie', world.cookie])
  expect(headerValues(user.headers, 'set-cookie')).toEqual([
    expect.stringMatching(/^__Host-[^=]+=; .*Max-Age=0/),
  ])
})

test('only pages of the issuer may frame the answer, and nobody keeps it', async () => {
  const { headers } = await visit()
  expect(headerValue(headers, 'cache-control')).toBe('no-store')
  expect(headerValue(headers, 'content-security-policy')).toBe(
    `default-src 'none'; frame-ancestors ${issuer.url}`,
  )
})

test('an issuer that cannot be asked for its addresses ends sessions all the same', async () => {
  issuer.misbehaviour = { metadata: () => redirect('http://127.0.0.1:1/') }
  expect((await visit()).status).toBe(200)
  expect(isRevoked()).toBe(true)
})

test.each<[string, () => string]>([
  ['nothing', () => ''],
  ['no session', () => query({ sid: '' })],
  ['no issuer', () => '?sid=sid-alice'],
  ['another issuer', () => query({ iss: 'https://other.example' })],
  ['the issuer in another spelling', () => query({ iss: `${issuer.url}/` })],
  ['a session twice', () => `${query()}&sid=sid-bob`],
  ['an issuer twice', () => `${query()}&iss=${encodeURIComponent(issuer.url)}`],
  ['a session longer than any', () => query({ sid: 'x'.repeat(256) })],
  ['control characters', () => query({ sid: 'sid-alice\n' })],
])('naming %s ends nothing', async (_, search) => {
  expect((await visit(search())).status).toBe(400)
  expect([isRevoked(), isRevoked('sid-alice\n')]).toEqual([false, false])
})

test('nothing that begins later is meant', async () => {
  await visit()
  const later = { ...world.session, id: 'later', startedAt: world.clock.wall + 1 }
  expect(world.sessions.revocations.isRevoked(later, world.application)).toBe(false)
})

test('a host where nobody signs in has no such path', async () => {
  expect((await visit(query(), { authority: 'open.example' })).status).toBe(404)
})

test('who names session after session is stopped; one named twice, and one with its cookie, are not counted', async () => {
  for (let i = 0; i < 60; i++) expect((await visit(query({ sid: `guess-${i}` }))).status).toBe(200)
  expect((await visit(query({ sid: 'guess-0' }))).status).toBe(200)
  const stopped = await visit(query({ sid: 'guess-60' }))
  expect([stopped.status, headerValue(stopped.headers, 'retry-after')]).toEqual([429, '60'])
  expect(isRevoked('guess-60')).toBe(false)
  expect((await visit(query(), {}, ['Cookie', world.cookie])).status).toBe(200)
  expect(isRevoked()).toBe(true)
  const elsewhere = { remoteAddress: '198.51.100.1' }
  expect((await visit(query({ sid: 'guess-60' }), elsewhere)).status).toBe(200)
})

test('all strangers together fill no memory', async () => {
  const ask = (i: number) =>
    visit(query({ sid: `guess-${i}` }), { remoteAddress: `198.51.${i >> 8}.${i & 255}` })
  for (let i = 0; i < 500; i++) await ask(i)
  expect((await ask(500)).status).toBe(429)
  world.clock.now += 3_600_000
  expect((await ask(500)).status).toBe(200)
})
