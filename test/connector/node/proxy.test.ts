/**
 * A connector behind a proxy: Debian's tinyproxy, with and without passwords, and one that is reached by TLS.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer as createHttpServer, request as httpRequest } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { connect as connectTcp, type AddressInfo, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createServerAuthority } from '../../../src/cloud/index.ts'
import {
  proxyFromEnvironment,
  startConnector,
  type ConnectorEvent,
  type ConnectorOptions,
  type ProxyOptions,
  type RunningConnector,
} from '../../../src/connector/node/index.ts'
import { readProxy } from '../../../src/connector/node/proxy-settings.ts'
import { memoryAuthorityStore } from '../../cloud/authority/memory-authority-store.ts'
import { describeWithPackages } from '../../debian-packages.ts'
import { registrarToken, startTunnel, until, type Tunnel } from '../../integration/tunnel.ts'
import { freePort } from '../../served-process.ts'

const url = 'http://proxy.example:3128'
/** Tinyproxy takes few characters. */
const PASSWORD = 'p-ss_w.rd'
const ODD_PASSWORD = 'p@ss:w%rd/ü'

describe('hosts that are reached past a proxy', () => {
  // prettier-ignore
  const ROWS: readonly (readonly [except: string, spared: string, others: string])[] = [
    ['',                          '',                                          'a.example:1 127.0.0.1:1'],
    ['*',                         'a.example:1 127.0.0.1:1 [::1]:1',           ''],
    ['corp.example',              'corp.example:1 a.corp.example:1 A.Corp.Example.:1', 'corp.example.org:1 xcorp.example:1 127.0.0.1:1'],
    ['.corp.example',             'corp.example:1 a.corp.example:1',           'xcorp.example:1'],
    ['corp.example:8443',         'a.corp.example:8443',                       'a.corp.example:443'],
    ['a.example, b.example',      'a.example:1 b.example:1',                   'c.example:1'],
    ['a.example b.example',       'a.example:1 b.example:1',                   'c.example:1'],
    ['10.0.0.0/8',                '10.1.2.3:1',                                '11.1.2.3:1 ten.example:1 [::ffff:10.1.2.3]:1'],
    ['10.0.0.0/8:8443',           '10.1.2.3:8443',                             '10.1.2.3:443'],
    ['127.0.0.1',                 '127.0.0.1:1',                               '127.0.0.2:1 localhost:1'],
    ['127.0.0.1:8443',            '127.0.0.1:8443',                            '127.0.0.1:8080'],
    ['::1',                       '[::1]:1 ::1:1',                             '[::2]:1'],
    ['[::1]:8443',                '[::1]:8443',                                '[::1]:443'],
    ['fd00::/8',                  '[fd12::1]:1',                               '[fe80::1]:1'],
    ['1',                         'a.1:1',                                     '127.0.0.1:1'],
  ]
  test.each(ROWS)('%j spares %j, and not %j', (except, spared, others) => {
    const { spares } = readProxy({ url, except })
    const asked = (list: string) =>
      list
        .split(' ')
        .filter(Boolean)
        .map((one) => {
          const at = one.lastIndexOf(':')
          return spares(one.slice(0, at), Number(one.slice(at + 1)))
        })
    expect(asked(spared)).not.toContain(false)
    expect(asked(others)).not.toContain(true)
  })

  test.each([
    'http://a.example',
    '10.0.0.0/33',
    'a.example/8',
    '::1/129',
    '[a]',
    'a:b',
    '.',
    '[::1',
  ])('one of %j is refused, as the setting that it is', (except) =>
    expect(() => readProxy({ url, except: [except] })).toThrow(
      expect.objectContaining({ code: 'ERR_CONFIGURATION_INVALID', path: 'proxy.except' }) as Error,
    ),
  )
})

describe('a proxy’s URL', () => {
  test.each(['proxy', 'socks5://p:1080', 'http://p:3128/path', 'http://u:100%@p', 'ftp://p', ''])(
    'that is %j is refused',
    (wrong) =>
      expect(() => readProxy({ url: wrong })).toThrow(
        expect.objectContaining({ code: 'ERR_CONFIGURATION_INVALID', path: 'proxy.url' }) as Error,
      ),
  )

  test('is quoted by no refusal, for it may hold a password', () => {
    expect(() => readProxy({ url: 'http://u:secret@p/x' })).toThrow(
      expect.not.objectContaining({
        message: expect.stringContaining('secret') as string,
      }) as Error,
    )
  })

  // prettier-ignore
  const ENVIRONMENTS: readonly (readonly [Record<string, string>, ProxyOptions | undefined])[] = [
    [{}, undefined],
    [{ HTTPS_PROXY: '' }, undefined],
    [{ HTTP_PROXY: 'http://other' }, undefined],
    [{ HTTPS_PROXY: url, NO_PROXY: 'a' }, { url, except: 'a' }],
    [{ HTTPS_PROXY: 'proxy.example:3128' }, { url, except: undefined }],
    [{ https_proxy: url, HTTPS_PROXY: 'http://other', no_proxy: 'a', NO_PROXY: 'b' }, { url, except: 'a' }],
    [{ ALL_PROXY: url }, { url, except: undefined }],
    [{ all_proxy: 'http://other', HTTPS_PROXY: url }, { url, except: undefined }],
  ]
  test.each(ENVIRONMENTS)('is read of the environment %j', (environment, proxy) =>
    expect(proxyFromEnvironment(environment)).toEqual(proxy),
  )
})

describeWithPackages('a connector', ['tinyproxy'], () => {
  let tunnel: Tunnel
  let folder: string
  let stateDirectory: string
  const running: RunningConnector[] = []
  const proxies: ChildProcess[] = []
  const closing: (() => unknown)[] = []
  const events: ConnectorEvent[] = []
  beforeAll(async () => {
    tunnel = await startTunnel({
      noConnector: true,
      backend: async (request, response) => response.end(`inside: ${await text(request)}`),
    })
  })
  afterAll(() => tunnel.close())
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'app-proxy-'))
    stateDirectory = join(folder, 'state')
    events.length = 0
  })
  afterEach(async () => {
    await Promise.all(running.splice(0).map((connector) => connector.stop()))
    for (const proxy of proxies.splice(0)) {
      proxy.kill('SIGKILL')
      if (proxy.exitCode === null && proxy.signalCode === null) await once(proxy, 'exit')
    }
    for (const close of closing.splice(0)) await close()
    await rm(folder, { recursive: true, force: true })
  })

  /** Resolves with its port once it takes connections. */
  async function tinyproxy(lines: readonly string[] = [], port?: number) {
    const at = port ?? (await freePort())
    const log = join(folder, 'proxy.log')
    const file = join(folder, 'proxy.conf')
    const settings = [`Port ${at}`, 'Listen 127.0.0.1', 'LogLevel Info', `LogFile "${log}"`]
    await writeFile(file, [...settings, 'MaxClients 50', ...lines, ''].join('\n'))
    const child = spawn('tinyproxy', ['-d', '-c', file], { stdio: 'ignore' })
    proxies.push(child)
    for (;;) {
      const socket = connectTcp(at, '127.0.0.1')
      const stands = await once(socket, 'connect').then(
        () => true,
        () => false,
      )
      socket.destroy()
      if (stands) break
      if (child.exitCode !== null) expect.fail('the proxy ended')
      await wait(20)
    }
    return { port: at, child, log: () => readFile(log, 'utf8') }
  }

  function begin(options: Partial<ConnectorOptions>): Promise<RunningConnector> {
    const giveUp = new AbortController()
    closing.push(() => giveUp.abort())
    return startConnector({
      url: tunnel.connectorUrl,
      ca: tunnel.ca,
      stateDirectory,
      token: () => registrarToken(tunnel.issuer),
      limits: { backoffMinMs: 20, backoffMaxMs: 100 },
      onEvent: (event) => events.push(event),
      signal: giveUp.signal,
      ...options,
    })
  }

  async function start(options: Partial<ConnectorOptions>): Promise<RunningConnector> {
    const connector = await begin(options)
    running.push(connector)
    await until(() => connector.isReady)
    return connector
  }

  /** What a user gets who sends a body; `undefined`: the connection broke. */
  async function answer(): Promise<string> {
    const call = httpRequest(`http://127.0.0.1:${tunnel.port}/`, {
      method: 'POST',
      headers: { host: 'open.localhost' },
      agent: false,
    })
    call.end('hello')
    const [response] = (await once(call, 'response')) as [AsyncIterable<Buffer>]
    return text(response)
  }

  /** The first mistake that is told. */
  async function mistake(options: Partial<ConnectorOptions>) {
    const starting = begin(options).catch(() => undefined)
    const told = () => events.find((event) => event.type === 'mistake')
    await until(() => told() !== undefined)
    for (const close of closing.splice(0)) await close()
    await starting
    return told()
  }

  const WAYS = (['link', 'plain'] as const).flatMap((binding) => [
    { binding, password: false },
    { binding, password: true },
  ])
  test.each(WAYS)(
    'calls the cloud through it by $binding (password: $password), and applications past it',
    async ({ binding, password }) => {
      const lines = password ? [`BasicAuth operator ${PASSWORD}`] : []
      const { port, log } = await tinyproxy(lines)
      const url = `http://${password ? `operator:${PASSWORD}@` : ''}127.0.0.1:${port}`
      await start({ binding, proxy: { url } })
      expect(await answer()).toBe('inside: hello')
      const asked = [...(await log()).matchAll(/CONNECT (\S+)/g)].map((found) => found[1])
      const { hostname, port: listener } = new URL(tunnel.connectorUrl)
      expect(asked.length).toBeGreaterThan(1)
      expect(new Set(asked)).toEqual(new Set([`${hostname}:${listener}`]))
      expect(JSON.stringify(events)).not.toContain(PASSWORD)
    },
  )

  test('calls a cloud past it that the settings spare', async () => {
    const { hostname } = new URL(tunnel.connectorUrl)
    const url = `http://127.0.0.1:${await freePort()}`
    await start({ proxy: { url, except: hostname } })
    expect(await answer()).toBe('inside: hello')
  })

  test.each(['link', 'plain'] as const)(
    'is there again, by %s, when its proxy was killed under load and came back',
    async (binding) => {
      const first = await tinyproxy()
      const connector = await start({ binding, proxy: { url: `http://127.0.0.1:${first.port}` } })
      const before = tunnel.links.length
      const answers: string[] = []
      let isOver = false
      const users = Array.from({ length: 4 }, async () => {
        while (!isOver) answers.push(await answer().catch(() => 'broken'))
      })
      await until(() => answers.includes('inside: hello'))
      first.child.kill('SIGKILL')
      await until(() => !connector.isReady)
      await tinyproxy([], first.port)
      await until(() => connector.isReady)
      answers.length = 0
      await until(() => answers.filter((one) => one === 'inside: hello').length > 8)
      isOver = true
      await Promise.all(users)
      expect(tunnel.links.length).toBeGreaterThan(before)
    },
  )

  const MISTAKES: Readonly<
    Record<string, { lines?: readonly string[]; url: string; cloud?: string; words: RegExp }>
  > = {
    'proxy-credentials': {
      lines: [`BasicAuth operator ${PASSWORD}`],
      url: 'http://operator:wrong-one@HERE',
      words: /does not take the user and password/,
    },
    'proxy-credentials, for none was shown': {
      lines: [`BasicAuth operator ${PASSWORD}`],
      url: 'http://HERE',
      words: /wants to know who asks.*http:\/\/USER:PASSWORD@127/,
    },
    'proxy-refuses': { lines: ['ConnectPort 1'], url: 'http://HERE', words: /says 403/ },
    'proxy-target': {
      url: 'http://HERE',
      cloud: 'https://127.0.0.1:1',
      words: /does not reach 127\.0\.0\.1:1: it says 50\d/,
    },
    'proxy-unreachable': {
      url: 'http://operator:secret@127.0.0.1:1',
      words: /127\.0\.0\.1:1 gives no connection.*ECONNREFUSED/,
    },
    'proxy-unreachable, for its name is none': {
      url: 'http://proxy.invalid:1',
      words: /cannot be resolved/,
    },
  }
  test.each(Object.keys(MISTAKES))('says what is wrong: %s', async (name) => {
    const { lines = [], url, cloud, words } = MISTAKES[name]!
    const { port } = await tinyproxy(lines)
    const proxy = { url: url.replace('HERE', `127.0.0.1:${port}`) }
    const told = await mistake({ proxy, ...(cloud !== undefined && { url: cloud }) })
    expect(told).toMatchObject({
      kind: name.split(',')[0],
      owner: 'connector',
      setting: 'proxy',
      message: expect.stringMatching(words) as string,
    })
    expect(JSON.stringify(events)).not.toMatch(/wrong-one|secret/)
  })

  describe('whose proxy is reached by TLS', () => {
    let server: Server
    let ca: string
    const sockets = new Set<Socket>()
    const shown: (string | undefined)[] = []
    beforeEach(async () => {
      shown.length = 0
      const issued = await (
        await createServerAuthority({ store: memoryAuthorityStore() })
      ).issue({ dnsNames: ['localhost'] })
      ca = issued.ca
      server = createHttpsServer({ key: issued.key, cert: issued.certificate }).on(
        'connect',
        ({ url = '', headers }, user: Socket) => {
          shown.push(headers['proxy-authorization'])
          const { hostname, port } = new URL(`http://${url}`)
          const inner = connectTcp(Number(port), hostname, () => {
            user.write('HTTP/1.1 200 Connection Established\r\n\r\n')
            inner.pipe(user).pipe(inner)
          })
          for (const socket of [user, inner]) {
            sockets.add(socket)
            socket.on('error', () => undefined)
          }
        },
      )
      await once(server.listen(0, '127.0.0.1'), 'listening')
    })
    afterEach(async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((closed) => server.close(closed))
    })
    const at = () => `https://localhost:${(server.address() as AddressInfo).port}`

    test('has TLS within TLS, trusts the proxy’s own authority, and shows it any password', async () => {
      const named = at().replace('//', `//operator:${encodeURIComponent(ODD_PASSWORD)}@`)
      await start({ proxy: { url: named, ca } })
      expect(await answer()).toBe('inside: hello')
      const pair = Buffer.from(`operator:${ODD_PASSWORD}`).toString('base64')
      expect(new Set(shown)).toEqual(new Set([`Basic ${pair}`]))
    })

    test('says so where that is not trusted', async () => {
      expect(await mistake({ proxy: { url: at() } })).toMatchObject({ kind: 'proxy-certificate' })
    })
  })

  test('whose proxy breaks off, or never answers, is told so and goes on trying', async () => {
    let connections = 0
    const server = createHttpServer().on('connect', (_request, socket: Socket) => {
      connections += 1
      socket.destroy()
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    closing.push(() => new Promise((closed) => server.close(closed)))
    const { port } = server.address() as AddressInfo
    const starting = begin({ proxy: { url: `http://127.0.0.1:${port}` } }).catch(() => undefined)
    await until(() => connections > 2)
    expect(events.filter((event) => event.type === 'mistake')).toMatchObject([
      { kind: 'proxy-unreachable', message: expect.stringContaining('ECONNRESET') as string },
    ])
    for (const close of closing.splice(0)) await close()
    await starting
  })

  test('whose proxy speaks no TLS is told so', async () => {
    const server = createHttpServer()
    await once(server.listen(0, '127.0.0.1'), 'listening')
    closing.push(() => new Promise((closed) => server.close(closed)))
    const { port } = server.address() as AddressInfo
    expect(await mistake({ proxy: { url: `https://127.0.0.1:${port}` } })).toMatchObject({
      kind: 'proxy-unreachable',
      message: expect.stringContaining('speaks no TLS') as string,
    })
  })

  test('is given one way or the other, not both', async () => {
    const dial = () => expect.fail('nobody is to be dialled')
    await expect(begin({ proxy: { url }, dial })).rejects.toMatchObject({ code: 'ERR_API_MISUSE' })
  })
})
