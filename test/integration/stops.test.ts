import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startProcesses, type Example, type Processes } from './processes.ts'
import { RawUser } from './raw-user.ts'
import { listen, until } from './tunnel.ts'

const KIB = 1024
const MIB = 1024 * KIB
const GIB = 1024 * MIB
const ANSWERS = [
  ['of known length', '/begin?length'],
  ['of unknown length', '/begin'],
] as const

/** One request as the application sees it. */
class Asked {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** Body bytes that arrived. */
  bytes = 0
  /** Whoever asked has gone before it was over. */
  cancelled = false

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.request = request
    this.response = response
    response.on('close', () => (this.cancelled = !response.writableFinished))
  }
}

let backend: Server
let backendPort: number
let asked: Asked[] = []
const last = () => asked.at(-1)!

beforeAll(async () => {
  backend = createServer({ requestTimeout: 0 }, (request, response) => {
    const one = new Asked(request, response)
    asked.push(one)
    answer(one)
  })
  backendPort = await listen(backend)
})
beforeEach(() => {
  asked = []
})
afterAll(() => {
  backend.closeAllConnections()
  backend.close()
})

function answer(one: Asked): void {
  const { request, response } = one
  const { pathname, searchParams } = new URL(request.url!, 'http://backend')
  switch (pathname) {
    case '/quick':
      response.end('quick')
      return
    case '/slow':
      setTimeout(() => response.end('at last'), Number(searchParams.get('ms')))
      return
    case '/upload': {
      const hash = createHash('sha256')
      request.on('data', (chunk: Buffer) => {
        one.bytes += chunk.length
        hash.update(chunk)
      })
      request.on('end', () => response.end(hash.digest('hex')))
      return
    }
    case '/gigabyte':
    case '/endless': {
      if (pathname === '/gigabyte') response.setHeader('content-length', GIB)
      const block = Buffer.alloc(64 * KIB)
      const more = () => {
        while (!response.destroyed && response.write(block));
      }
      response.on('drain', more)
      return more()
    }
    case '/begin':
      if (searchParams.has('length')) response.setHeader('content-length', 1000)
      response.write('the first part')
      return
    // `/stuck` reads nothing and says nothing.
  }
}

describe('a patient cloud', () => {
  let processes: Processes
  let connector: Example
  beforeAll(async () => {
    processes = await startProcesses({
      internalUrl: `http://127.0.0.1:${backendPort}/`,
      limits: { claimMs: 1_000, queueWaitMs: 1_000 },
    })
    connector = await processes.startConnector()
  })
  afterAll(() => processes.close())

  const user = () => new RawUser(processes.port)
  const taken = async ({ port }: RawUser) => (await processes.cloud.observe()).taken[port] ?? -1

  const slowMs = process.env['SLOW'] === '1' ? 60_000 : 3_000
  test(`a page of ${slowMs} ms is asked for once, whatever the claim limit`, async () => {
    const one = user().ask('GET', `/slow?ms=${slowMs}`)
    await until(() => one.received.endsWith('at last'), slowMs + 10_000)
    expect(asked).toHaveLength(1)
    one.leave()
  }, 90_000)

  test('a connector that is stopped before the pull: at most 128 KiB are taken, then 504', async () => {
    connector.signal('SIGSTOP')
    const one = user().ask('POST', '/upload', { 'content-length': 64 * MIB })
    one.socket.write(Buffer.alloc(64 * MIB))
    // What is thrown away after the answer, so that the user can read it, is another matter.
    let bytes = 0
    await until(async () => (bytes = await taken(one)) > 0)
    await pause(300)
    bytes = await taken(one)
    expect(one.status).toBeUndefined()
    await until(() => one.status !== undefined)
    connector.signal('SIGCONT')
    expect([one.status, one.code]).toEqual([504, 'claim-timeout'])
    expect(bytes).toBeLessThanOrEqual(128 * KIB)
    expect(asked).toHaveLength(0)
  })

  test('a connector that is stopped mid-body: the cloud stops reading, and goes on with it', async () => {
    const body = Buffer.alloc(256 * MIB, 'some bytes that do not repeat with a power of two')
    const one = user().ask('POST', '/upload', { 'content-length': body.length })
    one.socket.write(body)
    await until(() => (asked.at(-1)?.bytes ?? 0) > MIB)
    connector.signal('SIGSTOP')
    const before = processes.cloud.residentBytes
    let at = -1
    await until(async () => {
      const now = await taken(one)
      await pause(300)
      const stands = now === at
      at = now
      return stands
    })
    // What was granted, and what the kernel holds between the processes.
    expect(at - last().bytes).toBeLessThan(16 * MIB)
    expect(processes.cloud.residentBytes - before).toBeLessThan(32 * MIB)
    connector.signal('SIGCONT')
    await until(() => one.received.includes('\r\n\r\n'), 20_000)
    expect(one.status).toBe(200)
    const hash = createHash('sha256').update(body).digest('hex')
    await until(() => one.received.includes(hash))
    one.leave()
  })

  test('a user who leaves while the body flows: the request is cancelled within a second', async () => {
    const one = user().ask('POST', '/upload', { 'content-length': GIB })
    const block = Buffer.alloc(MIB)
    const more = () => {
      while (one.socket.write(block));
    }
    one.socket.on('drain', more)
    more()
    await until(() => (asked.at(-1)?.bytes ?? 0) > 8 * MIB)
    one.leave()
    await until(() => last().cancelled, 1_000)
  })

  test('a user who leaves while the answer flows: the request is cancelled within a second', async () => {
    const one = user().ask('GET', '/endless')
    await until(() => one.received.length > MIB)
    one.leave()
    await until(() => last().cancelled, 1_000)
  })

  test('a user who leaves after its body, before the answer: the request is cancelled within a second', async () => {
    const one = user().ask('POST', '/stuck', { 'content-length': 3 })
    one.socket.write('abc')
    await until(() => asked.length === 1)
    one.leave()
    await until(() => last().cancelled, 1_000)
  })

  test.each(ANSWERS)(
    'an application that dies in an answer %s: the user is broken off',
    async (_, target) => {
      const one = user().ask('GET', target)
      await until(() => one.received.includes('the first part'))
      last().request.socket.destroy()
      expect(await one.closed).toBe('broken')
      expect(one.isComplete).toBe(false)
    },
  )

  test('who takes 10 KiB a second of 1 GiB: 50 others a second go on, and nobody holds what it does not take', async () => {
    const watched = [processes.cloud, connector]
    const before = watched.map(({ residentBytes }) => residentBytes)
    const grown = watched.map(() => 0)
    const look = setInterval(() => {
      watched.forEach(({ residentBytes }, i) => {
        grown[i] = Math.max(grown[i]!, residentBytes - before[i]!)
      })
    }, 100)
    const one = user().ask('GET', '/gigabyte')
    await until(() => one.status === 200)
    one.socket.pause()
    const begun = one.received.length
    const sip = setInterval(() => one.socket.read(KIB), 100)
    const quick: RawUser[] = []
    for (let second = 0; second < 8; second++) {
      for (let tick = 0; tick < 10; tick++) {
        for (let n = 0; n < 5; n++) quick.push(user().ask('GET', '/quick', { connection: 'close' }))
        await pause(100)
      }
    }
    for (const other of quick) expect([await other.closed, other.status]).toEqual(['whole', 200])
    clearInterval(look)
    clearInterval(sip)
    expect(one.received.length - begun).toBeGreaterThan(40 * KIB)
    expect(asked.find(({ request }) => request.url === '/gigabyte')!.cancelled).toBe(false)
    for (const bytes of grown) expect(bytes).toBeLessThan(64 * MIB)
    one.leave()
    await until(() => asked.find(({ request }) => request.url === '/gigabyte')!.cancelled)
  })

  test('an application that refuses connections: 502', async () => {
    const one = user().ask('GET', '/', { host: 'refusing.localhost' })
    await until(() => one.status !== undefined)
    expect([one.status, one.code]).toEqual([502, 'application-unreachable'])
    one.leave()
    const two = user().ask('POST', '/', { host: 'refusing.localhost', 'content-length': 3 })
    two.socket.write('abc')
    await until(() => two.status !== undefined)
    expect([two.status, two.code]).toEqual([502, 'application-unreachable'])
    two.leave()
  })

  test('a connector that is stopped before it claims: another one serves, whatever the method', async () => {
    const other = await processes.startConnector()
    connector.signal('SIGSTOP')
    // Whichever of the two is asked first, and however often.
    const gets = Array.from({ length: 10 }, () => user().ask('GET', '/quick'))
    const posts = Array.from({ length: 10 }, () =>
      user().ask('POST', '/upload', { 'content-length': 0 }),
    )
    const all = [...gets, ...posts]
    await until(() => all.every(({ status }) => status === 200))
    expect(asked).toHaveLength(20)
    for (const one of all) one.leave()
    connector.signal('SIGCONT')
    await other.stop()
  })

  test('a connector that is killed mid-answer: the user is broken off', async () => {
    const one = user().ask('GET', '/begin')
    await until(() => one.received.includes('the first part'))
    connector.signal('SIGKILL')
    expect(await one.closed).toBe('broken')
    connector = await processes.startConnector()
  })

  test('a connector that is killed before the answer: another one answers what is replayable', async () => {
    const one = user().ask('GET', '/stuck')
    await until(() => asked.length === 1)
    const other = await processes.startConnector()
    connector.signal('SIGKILL')
    await until(() => asked.length === 2)
    last().response.end('at last')
    await until(() => one.received.includes('at last'))
    expect(one.status).toBe(200)
    expect(asked.map(({ cancelled }) => cancelled)).toEqual([true, false])
    one.leave()
    connector = other
  })

  test('a connector that is killed before the answer: what is not replayable is 502', async () => {
    const one = user().ask('POST', '/stuck', { 'content-length': 3 })
    one.socket.write('abc')
    await until(() => asked.length === 1)
    connector.signal('SIGKILL')
    await until(() => one.status !== undefined)
    expect([one.status, one.code]).toEqual([502, 'connector-lost'])
    expect(one.received).toContain('"source":"connector"')
    one.leave()
  })

  test('no connector: 504 after the wait for one', async () => {
    const one = user().ask('GET', '/quick')
    await until(() => one.status !== undefined)
    expect([one.status, one.code]).toEqual([504, 'no-connector'])
    one.leave()
    expect(processes.cloud.isRunning).toBe(true)
  })
})

describe('a cloud that pings often', () => {
  let processes: Processes
  let connector: Example
  beforeAll(async () => {
    processes = await startProcesses({
      internalUrl: `http://127.0.0.1:${backendPort}/`,
      limits: { pingMs: 300 },
    })
    connector = await processes.startConnector()
  })
  afterAll(() => processes.close())

  const user = () => new RawUser(processes.port)
  const linkStates = (one: Example) =>
    one.said.flatMap(
      (line) => /"link".*"(connecting|up|backoff|plain-fallback)"/.exec(line)?.[1] ?? [],
    )

  test('it is served by the link', () => expect(linkStates(connector).at(-1)).toBe('up'))

  test('a stopped connector is noticed: what it claimed is 502 that names it, and it dials again', async () => {
    const one = user().ask('POST', '/stuck', { 'content-length': 3 })
    one.socket.write('abc')
    await until(() => asked.length === 1)
    connector.signal('SIGSTOP')
    await until(() => one.code !== undefined)
    expect([one.status, one.code]).toEqual([502, 'connector-lost'])
    expect(one.received).toContain('"source":"connector"')
    const before = linkStates(connector).length
    connector.signal('SIGCONT')
    await until(() => linkStates(connector).slice(before).includes('up'))
    expect(linkStates(connector).slice(before)[0]).toBe('backoff')
    await until(() => last().cancelled)
    const two = user().ask('GET', '/quick')
    await until(() => two.received.endsWith('quick'))
    for (const each of [one, two]) each.leave()
  })

  test('a stopped connector: what it claimed and is replayable, another one answers', async () => {
    const one = user().ask('GET', '/stuck')
    await until(() => asked.length === 1)
    const other = await processes.startConnector()
    connector.signal('SIGSTOP')
    await until(() => asked.length === 2)
    last().response.end('at last')
    await until(() => one.received.includes('at last'))
    expect(one.status).toBe(200)
    connector.signal('SIGCONT')
    one.leave()
    await other.stop()
  })
})

describe('an impatient cloud, users by TLS', () => {
  let processes: Processes
  let connector: Example
  beforeAll(async () => {
    processes = await startProcesses({
      internalUrl: `http://127.0.0.1:${backendPort}/`,
      limits: { idleMs: 1_000, stalledMs: 1_000 },
      responseHeadMs: 1_000,
      tls: true,
    })
    connector = await processes.startConnector()
  })
  afterAll(() => processes.close())

  const user = () => new RawUser(processes.port, { tls: true })

  test('a user who leaves behind a body that nobody reads: cancelled at the limit', async () => {
    const one = user().ask('POST', '/stuck', { 'content-length': 64 * MIB })
    one.socket.write(Buffer.alloc(64 * MIB))
    await until(() => asked.length === 1)
    one.leave()
    await until(() => connector.said.some((line) => line.includes('exchange-failed')))
    // Node sees that its peer has gone only while it reads.
    last().request.resume()
    await until(() => last().cancelled)
  })

  test('no answer from the application: 504, and its request is cancelled', async () => {
    const one = user().ask('GET', '/stuck')
    await until(() => one.status !== undefined)
    expect([one.status, one.code]).toEqual([504, 'application-timeout'])
    await until(() => last().cancelled)
    one.leave()
  })

  test('an answer that stands still: the user is broken off', async () => {
    const one = user().ask('GET', '/begin')
    await one.closed
    expect(one.isComplete).toBe(false)
    await until(() => last().cancelled)
  })

  test('a user who stops to read: broken off, and the request is cancelled', async () => {
    const one = user().ask('GET', '/endless')
    one.socket.pause()
    await until(() => asked.length === 1)
    await until(() => last().cancelled)
    one.leave()
  })

  test('a user who does not send its body: told so, and the request is cancelled', async () => {
    const one = user().ask('POST', '/upload', { 'content-length': 10 })
    one.socket.write('a')
    await until(() => one.status !== undefined)
    expect([one.status, one.code]).toEqual([408, 'user-too-slow'])
    await until(() => last().cancelled)
    one.leave()
  })

  test.each(ANSWERS)(
    'an application that dies in an answer %s: the user is broken off',
    async (_, target) => {
      const one = user().ask('GET', target)
      await until(() => one.received.includes('the first part'))
      last().request.socket.destroy()
      await one.closed
      expect(one.status).toBe(200)
      expect(one.isComplete).toBe(false)
    },
  )

  test('both are still there', async () => {
    const one = user().ask('GET', '/quick')
    await until(() => one.received.includes('quick'))
    expect([processes.cloud.isRunning, connector.isRunning]).toEqual([true, true])
    one.leave()
  })
})

const pause = (ms: number) => new Promise((later) => setTimeout(later, ms))
