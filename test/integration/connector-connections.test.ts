import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { encodeMessage, PROTOCOL_VERSION } from '../../src/protocol/internal.ts'
import { frames, outcomeOf, socketOf } from './raw-connector.ts'
import { startRawWorld, type RawWorld } from './raw-world.ts'
import { until } from './tunnel.ts'
import { tenantKey } from '../../src/cloud/index.ts'

const DAY = 24 * 60 * 60 * 1000

let world: RawWorld
beforeAll(async () => {
  world = await startRawWorld({
    limits: { controlCallMs: 500 },
    // A link of ten offers, and every user comes from one address.
    shares: { application: 1, user: 1 },
  })
})
afterAll(() => world.close())
afterEach(() => {
  world.ahead = 0
  vi.restoreAllMocks()
})

describe('a connection that stays open', () => {
  const pull = { body: encodeMessage({ v: PROTOCOL_VERSION, type: 'configuration' }) }

  test('is refused at the next call once its certificate has ended', async () => {
    const caller = world.connect(await world.enrol())
    expect(await caller.call('POST', '/configuration', pull)).toMatchObject({ status: 200 })
    const [kept] = Object.values(caller.agent.freeSockets)[0]!
    world.ahead = 61 * DAY
    const request = caller.open('POST', '/configuration')
    request.end(pull.body)
    const status = await new Promise((resolve) => {
      request.on('response', (response) => {
        response.resume()
        resolve(response.statusCode)
      })
    })
    expect(request.socket).toBe(kept)
    expect(status).toBe(401)
    await until(() => kept!.destroyed)
  })

  test('is broken when its certificate ends, whatever it carries then', async () => {
    const caller = world.connect(await world.enrol({ validityMs: 2_500 }))
    expect(await caller.call('POST', '/configuration', pull)).toMatchObject({ status: 200 })
    const link = await caller.link()
    expect(link.status).toBe(200)
    const user = world.user('/cut-by-expiry')
    const { id, attempt } = await link.offer()
    const answer = caller.answer(id)
    answer.send(frames.claim({ id, attempt }), frames.response(), frames.data('begun'))
    expect(await answer.outcome).toBe('broken')
    expect(await user).toMatchObject({ broken: true })
    await until(() => link.isClosed)
    await until(() => world.cloud.origin.open === 0)
  })

  test('of a connector that is revoked carries nothing more: links and exchanges are cut', async () => {
    const enrolled = await world.enrol()
    const caller = world.connect(enrolled)
    const link = await caller.link()
    // One answers, one has pulled the body and not answered yet, one streams its body still.
    const users = [
      world.user('/answering'),
      world.user('/pulled', { method: 'POST', body: Buffer.from('x') }),
      world.user('/pulling', {
        method: 'POST',
        headers: { 'content-length': '10' },
        body: Buffer.from('x'),
      }),
    ]
    const offers = [await link.offer(), await link.offer(), await link.offer()]
    const [get, ...posts] = offers.sort((a, b) => a.target.localeCompare(b.target))
    const answer = caller.answer(get!.id)
    answer.send(frames.claim(get!), frames.response(), frames.data('begun'))
    const pulls = await Promise.all(posts.map((offer) => caller.pull(offer)))
    expect(pulls.map(({ status }) => status)).toEqual([200, 200])
    await world.registry.setStanding(enrolled.connectorId, 'revoked', Date.now())
    await until(() => link.isClosed && pulls.every((pull) => pull.isClosed), 1_000)
    expect(await answer.outcome).toBe('broken')
    expect(await users[0]).toMatchObject({ broken: true })
    expect(await users[1]).toMatchObject({ status: 502, broken: false })
    expect((await users[2])!.broken || (await users[2])!.status === 502).toBe(true)
    expect(world.cloud.origin.open).toBe(0)
    expect(await caller.call('POST', '/configuration', pull)).toMatchObject({
      status: 403,
      code: 'certificate-revoked',
    })
  })

  test('is not let through by a look at the registry from before the revocation', async () => {
    const enrolled = await world.enrol()
    const caller = world.connect(enrolled)
    // The registry answers slowly, as one on a disk does: the revocation comes in between.
    const look = world.registry.connector.bind(world.registry)
    vi.spyOn(world.registry, 'connector').mockImplementationOnce(async (id) => {
      const before = await look(id)
      await world.registry.setStanding(id, 'revoked', Date.now())
      return before
    })
    const link = await caller.link()
    expect(link.status).toBe(403)
    expect(world.cloud.origin.isServed(tenantKey('contoso', 'default'))).toBe(false)
  })
})

test('an upgrade that is refused does not hold its connection, whoever asked for it', async () => {
  const { server } = world.connectors
  const accepted = new Promise<TLSSocket>((resolve) => server.once('secureConnection', resolve))
  const { port } = new URL(world.connectorUrl)
  const to = { host: '127.0.0.1', port: Number(port), rejectUnauthorized: false }
  // It shows no certificate, reads its answer, and never ends.
  const socket = connect({ ...to, allowHalfOpen: true } as ConnectionOptions)
  let answer = ''
  socket.setEncoding('latin1').on('data', (text: string) => (answer += text))
  socket.on('error', () => undefined)
  socket.write(
    'GET /link HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: app-proxy/1\r\n\r\n',
  )
  const theirs = await accepted
  await until(() => answer.includes('certificate-missing'))
  expect(answer).toMatch(/^HTTP\/1\.1 401 /)
  await until(() => theirs.destroyed)
  socket.destroy()
})

test('a call whose body does not come in time is refused, whoever makes it', async () => {
  const callers = [world.connect(), world.connect(await world.enrol())]
  for (const [caller, path] of [
    [callers[0]!, '/registration'],
    [callers[1]!, '/configuration'],
    [callers[1]!, '/links/l-0/credit'],
  ] as const) {
    const request = caller.open('POST', path, { 'content-length': '10' })
    const outcome = outcomeOf(request)
    request.write('slow')
    const socket = await socketOf(request)
    expect(await outcome).toMatchObject({ status: 400, code: 'request-malformed' })
    await until(() => socket.destroyed)
  }
})
