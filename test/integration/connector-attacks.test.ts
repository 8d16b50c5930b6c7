import { request as httpRequest } from 'node:http'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import {
  encodeDecline,
  encodeFrame,
  encodeResponseHead,
  encodeTrailers,
  FrameFlag,
  FrameType,
  type Offer,
} from '../../src/protocol/internal.ts'
import { frames, RawConnector, socketOf, type RawLink, type RawPull } from './raw-connector.ts'
import { startRawWorld, type RawWorld, type UserAnswer } from './raw-world.ts'
import { until } from './tunnel.ts'

let world: RawWorld
/** Who serves, and its link. */
let server: RawConnector
let link: RawLink
/** Who should not. */
let ofAnotherGroup: RawConnector
let ofAnotherTenant: RawConnector
beforeAll(async () => {
  world = await startRawWorld({
    // One stream serves the whole file.
    limits: { claimMs: 3_000, leaseMs: 600_000 },
    tenants: [
      {
        id: 'fabrikam',
        issuer: 'https://fabrikam.example',
        registrars: { audience: 'https://fabrikam.example/registrars' },
      },
    ],
    groups: [
      { id: 'another', tenantId: 'contoso' },
      { id: 'theirs', tenantId: 'fabrikam' },
    ],
  })
  server = world.connect(await world.enrol())
  ofAnotherGroup = world.connect(await world.enrol({ groupId: 'another' }))
  ofAnotherTenant = world.connect(await world.enrol({ tenantId: 'fabrikam', groupId: 'theirs' }))
  link = await server.link('raw-0', 1000)
})
afterAll(() => world.close())

let faults: unknown[] = []
const fault = (error: unknown) => faults.push(error)
beforeEach(() => {
  faults = []
  process.on('uncaughtExceptionMonitor', fault)
})
/** Whatever was tried: nothing is left of it, and the next request is served over the same link. */
afterEach(async () => {
  await until(() => world.cloud.origin.open === 0)
  const user = world.user('/next')
  const offer = await link.offer()
  expect(offer.target).toBe('/next')
  const answered = await server
    .answer(offer.id)
    .end(frames.claim(offer), frames.response(), frames.data('served', true))
  expect(answered).toMatchObject({ status: 204 })
  expect(await user).toMatchObject({ status: 200, body: Buffer.from('served'), broken: false })
  expect(link.isClosed).toBe(false)
  process.off('uncaughtExceptionMonitor', fault)
  expect(faults).toEqual([])
})

interface Waiting {
  readonly user: Promise<UserAnswer>
  readonly offer: Offer
}

async function get(path = '/'): Promise<Waiting> {
  const user = world.user(path)
  return { user, offer: await link.offer() }
}

async function post(body = 'a body'): Promise<Waiting> {
  const user = world.user('/', { method: 'POST', body: Buffer.from(body) })
  return { user, offer: await link.offer() }
}

/** The exchange is still whole: whoever may serve it does. */
async function serve({ user, offer }: Waiting, pull?: RawPull): Promise<void> {
  const call = server.answer(offer.id, pull?.token)
  const claim = pull === undefined ? [frames.claim(offer)] : []
  expect(await call.end(...claim, frames.response(), frames.data('whole', true))).toMatchObject({
    status: 204,
  })
  expect(await user).toEqual({ status: 200, body: Buffer.from('whole'), broken: false })
}

const GONE = { status: 410, code: 'not-found' }
const MALFORMED = { status: 400, code: 'request-malformed' }

describe.each([
  ['group', () => ofAnotherGroup],
  ['tenant', () => ofAnotherTenant],
])('a connector of another %s that knows an exchange’s id', (_, foreign) => {
  const intruder = () => foreign()

  test('cannot claim it by its answer', async () => {
    const waiting = await get()
    const outcome = await intruder()
      .answer(waiting.offer.id)
      .end(frames.claim(waiting.offer), frames.response(), frames.data('forged', true))
    expect(outcome).toMatchObject(GONE)
    await serve(waiting)
  })

  test('cannot claim it by a pull, and sees no byte of its body', async () => {
    const waiting = await post()
    const stolen = await intruder().pull(waiting.offer)
    expect(stolen).toMatchObject({ status: 410, token: undefined })
    await serve(waiting, await server.pull(waiting.offer))
  })

  test('cannot decline it', async () => {
    const waiting = await get()
    const { id, attempt } = waiting.offer
    const body = encodeDecline({ id, attempt, reason: 'overloaded' })
    expect(await intruder().call('POST', `/exchanges/${id}/decline`, { body })).toMatchObject({
      status: 204,
    })
    expect(link.offers).toEqual([])
    await serve(waiting)
  })

  test('cannot answer it, not even with its token', async () => {
    const waiting = await post()
    const pull = await server.pull(waiting.offer)
    for (const token of [pull.token, 'wrong', '', undefined]) {
      const outcome = await intruder()
        .answer(waiting.offer.id, token)
        .end(frames.claim(waiting.offer), frames.response(), frames.data('forged', true))
      expect(outcome).toMatchObject(GONE)
    }
    await serve(waiting, pull)
  })
})

describe('an exchange is taken once', () => {
  test('a second claim of the same attempt is gone, by pull and by answer', async () => {
    const waiting = await get()
    const claimed = vi.spyOn(world.cloud.origin, 'claim')
    const first = server.answer(waiting.offer.id).send(frames.claim(waiting.offer))
    await until(() => claimed.mock.results[0]?.value !== undefined)
    claimed.mockRestore()
    const other = world.connect(await world.enrol())
    // Whichever frames follow the claim at once, the refusal is said; and so it is of an attempt that never was.
    for (const attempt of [1, 7]) {
      for (const then of [[], [frames.response(), frames.data('forged', true)]]) {
        const claim = frames.claim({ ...waiting.offer, attempt })
        expect(await other.answer(waiting.offer.id).end(claim, ...then)).toMatchObject(GONE)
      }
    }
    first.send(frames.response())
    expect(await other.pull(waiting.offer)).toMatchObject({ status: 410 })
    expect(await first.end(frames.data('mine', true))).toMatchObject({ status: 204 })
    expect(await waiting.user).toMatchObject({ status: 200, body: Buffer.from('mine') })
  })

  test('a second pull is gone, and the first goes on', async () => {
    const waiting = await post()
    const first = await server.pull(waiting.offer)
    expect(await server.pull(waiting.offer)).toMatchObject({ status: 410, token: undefined })
    await serve(waiting, first)
  })

  test('an answer with a wrong token or none is gone, and so is a second answer', async () => {
    const waiting = await post()
    const pull = await server.pull(waiting.offer)
    for (const token of [
      undefined,
      'wrong',
      pull.token!.slice(1),
      `${pull.token!}, ${pull.token!}`,
    ]) {
      const outcome = await server
        .answer(waiting.offer.id, token)
        .end(frames.claim(waiting.offer), frames.response(), frames.data('x', true))
      expect(outcome).toMatchObject(GONE)
    }
    const first = server.answer(waiting.offer.id, pull.token).send(frames.response())
    await until(() => world.cloud.origin.open === 1)
    const other = await get('/another')
    expect(await server.answer(other.offer.id, pull.token).end()).toMatchObject(GONE)
    await serve(other)
    expect(await first.end(frames.data('one', true))).toMatchObject({ status: 204 })
    expect(await waiting.user).toMatchObject({ status: 200, body: Buffer.from('one') })
    // It is over: its token is worth nothing.
    expect(
      await server
        .answer(waiting.offer.id, pull.token)
        .end(frames.response(), frames.data('', true)),
    ).toMatchObject(GONE)
  })

  test('a request with a body is not claimed by an answer', async () => {
    const waiting = await post()
    expect(
      await server
        .answer(waiting.offer.id)
        .end(frames.claim(waiting.offer), frames.response(), frames.data('early', true)),
    ).toMatchObject(GONE)
    await serve(waiting, await server.pull(waiting.offer))
  })

  test('a claim that names another exchange than its path is gone', async () => {
    const [one, two] = [await get('/one'), await get('/two')]
    expect(await server.answer(one.offer.id).end(frames.claim(two.offer))).toMatchObject(GONE)
    await serve(one)
    await serve(two)
  })

  test('an attempt that was given back is gone', async () => {
    const { user, offer } = await get()
    const { id, attempt } = offer
    const body = encodeDecline({ id, attempt, reason: 'overloaded' })
    await server.call('POST', `/exchanges/${id}/decline`, { body })
    const again = await link.offer()
    expect(again).toMatchObject({ id, attempt: 2 })
    expect(await server.answer(id).end(frames.claim(offer))).toMatchObject(GONE)
    await serve({ user, offer: again })
  })
})

describe('what comes before a claim that is none is refused, and the exchange waits on', () => {
  test.each<[string, () => readonly Uint8Array[]]>([
    ['nothing', () => []],
    ['RESPONSE', () => [frames.response()]],
    ['DATA', () => [frames.data('x', true)]],
    ['an unknown frame', () => [frames.header(0, 0x77)]],
    ['half a frame', () => [frames.header(5, FrameType.CLAIM), new Uint8Array(2)]],
    ['an oversized frame', () => [frames.header(2_000_000, FrameType.CLAIM)]],
    ['a malformed CLAIM', () => [encodeFrame(FrameType.CLAIM, 0, 0, new Uint8Array([0xc1]))]],
    ['text', () => [Buffer.from('GET / HTTP/1.1\r\n\r\n')]],
  ])('%s', async (_, sent) => {
    const waiting = await get()
    expect(await server.answer(waiting.offer.id).end(...sent())).toMatchObject(MALFORMED)
    await serve(waiting)
  })

  test('a decline that is none', async () => {
    const waiting = await get()
    const path = `/exchanges/${waiting.offer.id}/decline`
    expect(await server.call('POST', path, { body: new Uint8Array([1]) })).toMatchObject(MALFORMED)
    expect(await server.call('POST', path, { body: new Uint8Array(2000) })).toMatchObject({
      status: 413,
      code: 'too-large',
    })
    await serve(waiting)
  })
})

describe('a violation before the response head costs the exchange, and the user is told', () => {
  test.each<[string, () => readonly Uint8Array[]]>([
    ['DATA before RESPONSE', () => [frames.data('x', true)]],
    ['an unknown frame', () => [frames.header(0, 0x77)]],
    ['an oversized head', () => [frames.header(65_537, FrameType.RESPONSE)]],
    [
      'a head that is none',
      () => [encodeFrame(FrameType.RESPONSE, 0, 0, new Uint8Array([0x91, 1]))],
    ],
    [
      'a header that forges a line',
      () => [frames.response(200, ['x-a', 'b\r\nset-cookie: c'], true)],
    ],
    ['a 101 nobody asked for', () => [frames.response(101)]],
    ['a second CLAIM', () => [frames.claim({ id: '0'.repeat(32), attempt: 1 })]],
    ['OFFER', () => [frames.header(0, FrameType.OFFER)]],
    [
      'trailers without a head',
      () => [encodeFrame(FrameType.TRAILERS, FrameFlag.END, 0, encodeTrailers(['x', 'y']))],
    ],
    [
      'END without a head',
      () => [encodeFrame(FrameType.TRAILERS, FrameFlag.END, 0, new Uint8Array([0x90]))],
    ],
    ['nothing more', () => []],
  ])('%s', async (_, sent) => {
    const { user, offer } = await post()
    const pull = await server.pull(offer)
    expect(await server.answer(offer.id, pull.token).end(...sent())).toBe('broken')
    expect(await user).toMatchObject({ status: 502, broken: false })
  })
})

describe('a violation after the response head breaks the user’s connection', () => {
  test.each<[string, () => readonly Uint8Array[]]>([
    ['a second RESPONSE', () => [frames.response()]],
    ['an oversized DATA', () => [frames.header(65_537, FrameType.DATA)]],
    ['a body that breaks off', () => [frames.data('some')]],
    ['half a frame', () => [frames.header(10, FrameType.DATA), new Uint8Array(3)]],
    [
      'an interim head',
      () => [encodeFrame(FrameType.INFORMATIONAL, 0, 0, new Uint8Array([0x92, 103, 0x90]))],
    ],
    ['RESET', () => [encodeFrame(FrameType.RESET, 0, 0, new Uint8Array([0, 0, 0, 6]))]],
    ['a RESET that is none', () => [encodeFrame(FrameType.RESET, 0, 0, new Uint8Array([6]))]],
  ])('%s', async (_, sent) => {
    const { user, offer } = await get()
    const call = server.answer(offer.id)
    await call.end(frames.claim(offer), frames.response(), frames.data('begun'), ...sent())
    expect(await user).toMatchObject({ broken: true })
  })

  test.each<[string, readonly string[], readonly Uint8Array[]]>([
    ['shorter than its Content-Length', ['content-length', '5'], [frames.data('four', true)]],
    ['longer than its Content-Length', ['content-length', '5'], [frames.data('sixsix', true)]],
    [
      'longer, in two pieces',
      ['content-length', '5'],
      [frames.data('five5'), frames.data('x', true)],
    ],
    ['absent, whatever its Content-Length', ['content-length', '5'], [frames.data('', true)]],
  ])('a body that is %s', async (_, headers, sent) => {
    const { user, offer } = await get()
    await server.answer(offer.id).end(frames.claim(offer), frames.response(200, headers), ...sent)
    expect(await user).toMatchObject({ broken: true })
  })
})

describe('a head whose length cannot be true is answered with 502', () => {
  test.each<[string, readonly string[], boolean]>([
    ['of two lengths', ['content-length', '5', 'content-length', '4'], false],
    ['of a length that is none', ['content-length', 'x'], false],
    // On a kept connection the next answer would be taken for this one's body.
    ['that ends the answer and promises a body all the same', ['content-length', '5'], true],
  ])('%s', async (_, headers, isEnd) => {
    const user = world.user('/', { headers: { connection: 'keep-alive' } })
    const offer = await link.offer()
    const call = server.answer(offer.id)
    await call.end(frames.claim(offer), frames.response(200, headers, isEnd))
    expect(await user).toMatchObject({ status: 502, broken: false })
  })
})

test('what follows the end changes nothing: the user has the whole answer', async () => {
  for (const more of [frames.data('', true), frames.data('more'), frames.response()]) {
    const { user, offer } = await get()
    const call = server.answer(offer.id)
    await call.end(frames.claim(offer), frames.response(), frames.data('whole', true), more)
    expect(await user).toEqual({ status: 200, body: Buffer.from('whole'), broken: false })
  }
})

test('more than a user takes is left in the connector’s hands', async () => {
  const user = httpRequest({
    host: '127.0.0.1',
    port: world.port,
    agent: false,
    headers: { host: 'open.localhost' },
  })
  user.on('error', () => undefined).on('response', () => undefined)
  // The head is taken and no body byte is.
  user.end()
  const offer = await link.offer()
  const call = server.answer(offer.id)
  call.send(frames.claim(offer), frames.response())
  const socket = await socketOf(call.request)
  const chunk = frames.data(new Uint8Array(60_000))
  let taken = 0
  const most = 64 * 1024 * 1024
  while (taken < most && (call.request.write(chunk) || (await drained(call.request)))) {
    taken += chunk.length
  }
  expect(taken).toBeLessThan(most)
  expect(world.cloud.origin.open).toBe(1)
  user.destroy()
  expect(await call.outcome).toBe('broken')
  await until(() => socket.destroyed)
})

test('an answer that never says what it is for is refused at the claim limit', async () => {
  const call = server.answer('0'.repeat(32))
  call.request.flushHeaders()
  expect(await call.outcome).toMatchObject({ status: 400, code: 'request-malformed' })
})

test('a stream of offers for a version that is none of ours is refused', async () => {
  const query =
    'versions=7,9&run=i&index=0&epoch=1&offers=1&granted=1&max-data=16384&features=plain'
  const answer = await server.call('GET', `/links/other/offers?${query}`)
  expect(answer).toMatchObject({ status: 400, code: 'request-malformed' })
})

test('what was claimed cannot be declined: it is answered once', async () => {
  const { user, offer } = await get()
  const call = server.answer(offer.id)
  call.send(frames.claim(offer), frames.response(), frames.data('half'))
  await until(() => world.cloud.origin.open === 1)
  const body = encodeDecline({ id: offer.id, attempt: offer.attempt, reason: 'overloaded' })
  const before = world.offers.length
  await server.call('POST', `/exchanges/${offer.id}/decline`, { body })
  await call.end(frames.data(' and half', true))
  expect(await user).toMatchObject({ status: 200, body: Buffer.from('half and half') })
  expect(world.offers).toHaveLength(before)
})

test('a stream of an older epoch does not displace a newer link', async () => {
  const query = 'versions=1&run=i&index=0&epoch=0&offers=1&granted=1&max-data=16384&features=plain'
  const answer = await server.call('GET', `/links/raw-0/offers?${query}`)
  expect(answer).toMatchObject({ status: 410 })
  expect(link.isClosed).toBe(false)
})

test('interim answers without end break off their exchange alone', async () => {
  const { user, offer } = await get()
  const interim = encodeFrame(
    FrameType.INFORMATIONAL,
    0,
    0,
    encodeResponseHead({ status: 102, headers: [] }),
  )
  const call = server.answer(offer.id)
  const many = Array.from({ length: 100 }, () => interim)
  expect(await call.end(frames.claim(offer), ...many)).toBe('broken')
  expect(await user).toMatchObject({ status: 502 })
})

/** Whether a stream that is full has room again soon. */
function drained(stream: { once(event: 'drain', then: () => void): unknown }): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), 1_000)
    stream.once('drain', () => {
      clearTimeout(timer)
      resolve(true)
    })
  })
}
