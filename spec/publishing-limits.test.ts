/** Limits of an application's own: how much a request may carry, and how long either side may be silent. */
import { once } from 'node:events'
import { get, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { LINK_FEATURES } from '../src/protocol/internal.ts'
import { until } from '../test/until.ts'
import { BINDINGS, codeOf, publishedWorld, type PublishedWorld } from './published-world.ts'

const published = (id: string, limits?: object) => ({
  ...{ id, externalUrl: `https://${id}.example/`, preAuthentication: 'passthrough' },
  ...(limits !== undefined && { limits }),
})

const KNOWN = [...LINK_FEATURES, 'idle-limits']

describe('R7.3d how much a request may carry', () => {
  let world: PublishedWorld
  /** What the private server got, and how it ended. */
  const got: { path: string; octets: number; isWhole: boolean; isOver: boolean }[] = []
  beforeAll(async () => {
    world = await publishedWorld({
      applications: [published('small', { requestBodyBytes: 100_000 }), published('any')],
      serve: (request, response) => {
        const one = { path: request.url!, octets: 0, isWhole: false, isOver: false }
        got.push(one)
        request.on('data', (bytes: Buffer) => (one.octets += bytes.length))
        request.on('error', () => undefined).on('close', () => (one.isOver = true))
        request.on('end', () => {
          one.isWhole = true
          response.end(`${one.octets}`)
        })
      },
    })
  })
  afterAll(() => world.close())
  beforeEach(() => void got.splice(0))
  const post = (body: string | AsyncIterable<Uint8Array>) => ({ method: 'POST', body })

  describe.each(BINDINGS)('R7.3d %s', (binding) => {
    test('R7.3d what is no larger passes, of a known length and of none', async () => {
      const body = 'x'.repeat(100_000)
      expect((await world.ask(binding, 'small.example', '/', post(body))).body).toBe('100000')
      const streamed = await world.ask(binding, 'small.example', '/', post(pieces(100_000)))
      expect(streamed.body).toBe('100000')
    })

    test('R7.3d one octet more, of a known length, is refused before any of it is passed on', async () => {
      const body = 'x'.repeat(100_001)
      const headers = { 'content-length': '100001' }
      const answer = await world.ask(binding, 'small.example', '/', { ...post(body), headers })
      expect([answer.status, codeOf(answer)]).toEqual([413, 'body-too-large'])
      expect(JSON.parse(answer.body)).toMatchObject({ source: 'user', delivery: 'none' })
      expect(got).toEqual([])
    })

    test('R7.3d one octet more, of an unknown length, is refused, and the application is not let take it for whole', async () => {
      const answer = await world.ask(binding, 'small.example', '/', post(pieces(100_001)))
      expect([answer.status, codeOf(answer)]).toEqual([413, 'body-too-large'])
      await until(() => got.every(({ isOver }) => isOver))
      for (const one of got) {
        expect(one.isWhole).toBe(false)
        expect(one.octets).toBeLessThanOrEqual(100_000)
      }
    })

    test('R7.3d an application without a limit takes it', async () => {
      const answer = await world.ask(binding, 'any.example', '/', post('x'.repeat(300_000)))
      expect(answer.body).toBe('300000')
    })
  })

  test('R7.3d whoever waits for 100 Continue is told at once', async () => {
    const socket = connect(world.port, '127.0.0.1')
    socket.write(
      'POST / HTTP/1.1\r\nHost: small.example\r\nContent-Length: 200000\r\nExpect: 100-continue\r\n\r\n',
    )
    const [head] = (await once(socket, 'data')) as [Buffer]
    socket.destroy()
    expect(head.toString()).toMatch(/^HTTP\/1\.1 413 /)
    expect(got).toEqual([])
  })

  test('R7.3d whoever sends on all the same reads the answer, and not a broken connection', async () => {
    const answer = await world.ask('HTTP/1.1', 'small.example', '/', {
      ...post(pieces(20_000_000)),
      headers: { 'content-length': '20000000' },
    })
    expect(answer.status).toBe(413)
  })

  test('R7.3d a limit of 0 lets no body through, and requests without one pass', async () => {
    world.publish(published('small', { requestBodyBytes: 0 }), published('any'))
    expect((await world.ask('HTTP/1.1', 'small.example', '/', post('x'))).status).toBe(413)
    expect((await world.ask('HTTP/1.1', 'small.example')).body).toBe('0')
  })
})

async function* pieces(octets: number): AsyncGenerator<Uint8Array> {
  for (let left = octets; left > 0; left -= 16_384) yield new Uint8Array(Math.min(left, 16_384))
}

describe('R7.3e how long either side may be silent', () => {
  let world: PublishedWorld
  const streams = new Map<string, ServerResponse>()
  beforeAll(async () => {
    world = await publishedWorld({
      features: KNOWN,
      limits: { idleMs: 500, stalledMs: 500 },
      applications: [
        published('usual'),
        published('patient', { responseIdleMs: 60_000, requestIdleMs: 60_000 }),
      ],
      serve: (request, response) => {
        const { host } = request.headers
        if (request.method === 'POST')
          return void request.resume().on('end', () => response.end('read'))
        response.setHeader('Content-Type', 'application/json')
        streams.set(host!, response)
        response.write('{"watch":')
      },
    })
  })
  afterAll(() => world.close())

  /** An answer under way, of an application that the private server knows by `Host`. */
  async function watch(id: string) {
    const call = get({
      ...{ host: '127.0.0.1', port: world.port, agent: false, path: `/${id}` },
      headers: { host: `${id}.example` },
    })
    const [response] = (await once(call, 'response')) as [IncomingMessage]
    call.on('error', () => undefined)
    const told = { text: '', isWhole: false, isOver: false }
    response.on('data', (bytes: Buffer) => (told.text += bytes.toString()))
    response.on('end', () => (told.isWhole = true)).on('close', () => (told.isOver = true))
    response.on('error', () => undefined)
    return told
  }

  test('R7.3e a watch that is silent for longer than is usual is cut where nothing says that it may be, and goes on where its application says so', async () => {
    const patient = await watch('patient')
    const mine = [...streams.values()].at(-1)!
    const usual = await watch('usual')
    await until(() => usual.isOver)
    expect(usual.isWhole).toBe(false)
    // As long again: the other began before.
    const later = await watch('usual')
    await until(() => later.isOver)
    expect(patient.isOver).toBe(false)
    mine.end('1}')
    await until(() => patient.isOver)
    expect(patient).toMatchObject({ text: '{"watch":1}', isWhole: true })
  })

  /** A body of two parts, the second of which comes when the test says so. */
  function upload(id: string) {
    const socket = connect(world.port, '127.0.0.1')
    const told = { text: '' }
    socket.on('data', (bytes: Buffer) => (told.text += bytes.toString('latin1')))
    socket.on('error', () => undefined)
    socket.write(`POST / HTTP/1.1\r\nHost: ${id}.example\r\nContent-Length: 4\r\n\r\nab`)
    return { told, goOn: () => socket.write('cd') }
  }

  test('R7.3e so is an upload that stands still', async () => {
    const patient = upload('patient')
    const usual = upload('usual')
    await until(() => usual.told.text !== '')
    expect(usual.told.text).toMatch(/^HTTP\/1\.1 408 /)
    const later = upload('usual')
    await until(() => later.told.text !== '')
    expect(patient.told.text).toBe('')
    patient.goOn()
    await until(() => patient.told.text.includes('read'))
    expect(patient.told.text).toMatch(/^HTTP\/1\.1 200 /)
  })
})

describe('R7.3e shorter limits', () => {
  test('R7.3e cut sooner than is usual', async () => {
    const world = await publishedWorld({
      features: KNOWN,
      applications: [published('hasty', { responseIdleMs: 300, requestIdleMs: 300 })],
      serve: (_request, response) => void response.write('begun'),
    })
    const call = get({
      ...{ host: '127.0.0.1', port: world.port, agent: false },
      headers: { host: 'hasty.example' },
    })
    const [response] = (await once(call, 'response')) as [IncomingMessage]
    call.on('error', () => undefined)
    const told = { isWhole: false, isOver: false }
    response.resume().on('error', () => undefined)
    response.on('end', () => (told.isWhole = true)).on('close', () => (told.isOver = true))
    await until(() => told.isOver)
    expect(told.isWhole).toBe(false)
    await world.close()
  })
})

test('R7.3e a connector that does not know such limits is not offered the application', async () => {
  const world = await publishedWorld({
    applications: [published('patient', { responseIdleMs: 60_000 }), published('usual')],
  })
  expect(codeOf(await world.ask('HTTP/1.1', 'patient.example'))).toBe('connector-too-old')
  expect((await world.ask('HTTP/1.1', 'usual.example')).status).toBe(200)
  await world.close()
})
