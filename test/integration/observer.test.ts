/** The moments of an exchange, at both of its ends. */
import type { RequestListener } from 'node:http'
import { afterEach, expect, test } from 'vitest'
import type { ExchangeEnding, ExchangeMoment, ExchangeObserver } from '../../src/cloud/index.ts'
import type { PortFailure } from '../../src/connector/index.ts'
import { RawUser } from './raw-user.ts'
import { startTunnel, until, type Transport, type Tunnel, type TunnelOptions } from './tunnel.ts'

interface Told {
  readonly name: string
  readonly moment: ExchangeMoment
  readonly ending: ExchangeEnding | undefined
}

const NAMES = ['submitted', 'queued', 'offered', 'claimed', 'head', 'body', 'ended'] as const

/** Writes down what it is told. */
class Recorded {
  readonly told: Told[] = []
  readonly observer: ExchangeObserver = Object.fromEntries(
    NAMES.map((name) => [
      name,
      (moment: ExchangeMoment, ending?: ExchangeEnding) => this.told.push({ name, moment, ending }),
    ]),
  )

  /** Each moment by its name, with the attempt; the end with how it was. */
  get story(): string[] {
    return this.told.map(({ name, moment, ending }) => {
      const how = ending && [ending.kind, ending.reason].filter(Boolean).join(' ')
      return how === undefined ? `${name} ${moment.attempt}` : `${name} ${moment.attempt} ${how}`
    })
  }

  get isOver(): boolean {
    return this.told.at(-1)?.name === 'ended'
  }
}

let tunnel: Tunnel
let cloud: Recorded
let connector: Recorded
/** What the application does with the next requests. */
let isSilent = false
let asked = 0
const backend: RequestListener = (request, response) => {
  asked += 1
  if (isSilent) return
  request.resume().on('end', () => response.end('answer'))
}

async function start(transport: Transport, options: Partial<TunnelOptions> = {}): Promise<void> {
  cloud = new Recorded()
  connector = new Recorded()
  isSilent = false
  asked = 0
  tunnel = await startTunnel({
    ...{ transport, backend, observer: cloud.observer },
    connector: { observer: connector.observer },
    ...options,
  })
}

afterEach(() => tunnel.close())

const head = (method: string, more = '') =>
  `${method} /secret?key=1 HTTP/1.1\r\nHost: open.localhost\r\nConnection: close\r\n${more}\r\n`

async function ask(text: string): Promise<string> {
  const user = new RawUser(tunnel.port)
  user.socket.write(text)
  await user.closed
  return user.received
}

const WHOLE = ['offered 1', 'claimed 1', 'head 1', 'body 1', 'ended 1 done']

test.each(['link over TLS', 'plain over TLS'] as const)(
  '%s: both ends tell a GET and a POST in order',
  async (transport) => {
    await start(transport)
    for (const text of [head('GET'), head('POST', 'Content-Length: 4\r\n') + 'body']) {
      cloud.told.length = connector.told.length = 0
      expect(await ask(text)).toContain('answer')
      await until(() => cloud.isOver && connector.isOver)
      expect(cloud.story).toEqual(['submitted 0', 'queued 0', ...WHOLE])
      expect(connector.story).toEqual(WHOLE)
    }
    const [first, last] = [cloud.told[0]!.moment, cloud.told.at(-1)!.moment]
    expect(first).toEqual({
      ...{ exchangeId: first.exchangeId, requestNumber: first.requestNumber, attempt: 0 },
      ...{ tenantId: 'contoso', applicationId: 'open', connectorId: undefined, at: first.at },
    })
    expect(last.connectorId).toBe(tunnel.connector.identity.connectorId)
    const there = connector.told[0]!.moment
    expect(there).toEqual({ ...last, attempt: 1, at: there.at })
    const times = cloud.told.map(({ moment }) => moment.at)
    expect(times).toEqual(times.toSorted((a, b) => a - b))
    expect(JSON.stringify([cloud.told, connector.told])).not.toContain('secret')
  },
)

test('in memory: the cloud tells a GET in order', async () => {
  await start('in memory')
  expect(await ask(head('GET'))).toContain('answer')
  await until(() => cloud.isOver)
  expect(cloud.story).toEqual(['submitted 0', 'queued 0', ...WHOLE])
})

test('a user who leaves has cancelled it at both ends', async () => {
  await start('link over TLS')
  isSilent = true
  const user = new RawUser(tunnel.port)
  user.socket.write(head('GET'))
  await until(() => asked === 1)
  user.leave()
  await until(() => cloud.isOver && connector.isOver)
  expect(cloud.story.slice(2)).toEqual(['offered 1', 'claimed 1', 'ended 1 cancelled'])
  expect(connector.story).toEqual(['offered 1', 'claimed 1', 'ended 1 cancelled'])
})

test('what is offered again goes back to the queue', async () => {
  await start('link over TLS')
  isSilent = true
  const answer = ask(head('GET'))
  await until(() => asked === 1)
  isSilent = false
  tunnel.cut()
  expect(await answer).toContain('answer')
  await until(() => cloud.isOver && connector.story.at(-1) === 'ended 2 done')
  const again = ['offered 2', 'claimed 2', 'head 2', 'body 2', 'ended 2 done']
  expect(cloud.story.slice(2)).toEqual(['offered 1', 'claimed 1', 'queued 1', ...again])
  expect(connector.story).toEqual(['offered 1', 'claimed 1', 'ended 1 cancelled', ...again])
})

test('what nobody takes ends with why', async () => {
  await start('link over TLS', { noConnector: true, limits: { queueWaitMs: 50 } })
  expect(await ask(head('GET'))).toContain('no-connector')
  await until(() => cloud.isOver)
  expect(cloud.story).toEqual(['submitted 0', 'queued 0', 'ended 0 failed no-connector'])
})

test('an observer that throws changes nothing, and is told of', async () => {
  const failures: PortFailure[] = []
  const bad = Object.fromEntries(
    NAMES.map((name) => [
      name,
      () => {
        throw new Error(name)
      },
    ]),
  ) as ExchangeObserver
  await start('link over TLS', {
    observer: bad,
    connector: { observer: bad, onError: (failure) => failures.push(failure) },
  })
  expect(await ask(head('GET'))).toContain('answer')
  const expected = NAMES.slice(2).map((name) => `observer.${name}`)
  await until(() => failures.length === expected.length)
  expect(failures.map(({ port, contained }) => [port, contained])).toEqual(
    expected.map((port) => [port, true]),
  )
})
