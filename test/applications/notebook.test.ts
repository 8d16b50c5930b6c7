/**
 * A notebook server with its default configuration: it takes requests for its own name alone, and
 * those that change something from its own pages alone, by `Origin` and `Host`. Debian's Jupyter.
 */
import { connect } from 'node:net'
import { connect as connectByTls } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { describeWithPackages, fileOf } from '../debian-packages.ts'
import { UserAgent } from '../examples/demo-process.ts'
import { freePort, ServedProcess } from '../served-process.ts'
import { NOTES, Publication } from './publication.ts'

const TOKEN = 'a-token-for-tests'

describeWithPackages('a notebook server', ['jupyter-server'], () => {
  let server: ServedProcess
  let publication: Publication
  let internalUrl: string
  beforeAll(async () => {
    server = await ServedProcess.inFolder('notebook')
    const port = await freePort()
    internalUrl = `http://127.0.0.1:${port}/`
    const where = ['--allow-root', '--no-browser', `--port=${port}`]
    const root = `--ServerApp.root_dir=${server.folder}`
    const environment = { JUPYTER_TOKEN: TOKEN, HOME: server.folder }
    await server.start(fileOf('jupyter-server'), [...where, root], `${internalUrl}api`, environment)
    publication = await Publication.start()
  })
  afterAll(async () => {
    await publication?.close()
    await server?.stop('SIGTERM')
  })

  describe.each(['http', 'https'] as const)('over %s', (scheme) => {
    test('creates a document for its own pages, and says where it is', async () => {
      const { url, agent, xsrf } = await signedIn(scheme)
      const created = await agent.post(
        `${url}api/contents`,
        { 'x-xsrftoken': xsrf, origin: new URL(url).origin, 'content-type': 'application/json' },
        '{"type":"notebook"}',
      )
      expect([created.status, created.text]).toEqual([201, expect.stringContaining('.ipynb')])
      const { path } = JSON.parse(created.text) as { path: string }
      expect(new URL(created.headers.location!, url).href).toBe(`${url}api/contents/${path}`)
      expect((await agent.get(`${url}api/contents/${path}`)).status).toBe(200)
    })

    test('creates none for pages of others', async () => {
      const { url, agent, xsrf } = await signedIn(scheme)
      const created = await agent.post(
        `${url}api/contents`,
        { 'x-xsrftoken': xsrf, origin: 'https://elsewhere.example', 'content-type': 'x/y' },
        '{"type":"notebook"}',
      )
      expect(created.status).toBe(404)
    })

    test('opens a terminal for its own pages, by a WebSocket', async () => {
      const { url, agent, xsrf } = await signedIn(scheme)
      const made = await agent.post(`${url}api/terminals`, {
        'x-xsrftoken': xsrf,
        origin: new URL(url).origin,
      })
      const { name } = JSON.parse(made.text) as { name: string }
      const told = await typed(`${url}terminals/websocket/${name}`, agent.cookie)
      expect(told).toContain('the answer is 42')
      const gone = `${url}api/terminals/${name}`
      expect(made.status).toBe(200)
      expect((await agent.get(gone)).status).toBe(200)
    })
  })

  /** Somebody who has given the token on the sign-in page. */
  async function signedIn(scheme: 'http' | 'https') {
    const url = publication.publish(scheme, internalUrl, {}, NOTES)
    const agent = new UserAgent(scheme === 'https' ? publication.tunnel.ca : undefined)
    const page = await agent.get(`${url}login`)
    expect(page.status).toBe(200)
    const secret = () => /_xsrf=([^;]+)/.exec(agent.cookie)![1]!
    const form = new URLSearchParams({ password: TOKEN, _xsrf: secret() })
    const given = await agent.post(
      `${url}login?next=%2F`,
      {
        'content-type': 'application/x-www-form-urlencoded',
        origin: new URL(url).origin,
        referer: `${url}login`,
      },
      form.toString(),
    )
    expect([given.status, given.headers.location]).toEqual([302, '/'])
    return { url, agent, xsrf: secret() }
  }

  /** What a terminal says to a sum. */
  async function typed(address: string, cookie: string): Promise<string> {
    const { origin, port, protocol, hostname } = new URL(address)
    const socket = new WebSocket(address.replace(/^http/, 'ws'), {
      ...{ origin, headers: { cookie } },
      createConnection: () => {
        const at = { host: '127.0.0.1', port: Number(port) }
        return protocol === 'https:'
          ? connectByTls({ ...at, servername: hostname, ca: publication.tunnel.ca })
          : connect(at)
      },
    })
    let told = ''
    try {
      return await new Promise((resolve, reject) => {
        socket.on('error', reject)
        socket.on('close', () => reject(new Error(`closed: ${told}`)))
        socket.on('open', () =>
          socket.send(JSON.stringify(['stdin', 'echo the answer is $((6*7))\r'])),
        )
        socket.on('message', (data: Buffer) => {
          const [kind, text] = JSON.parse(data.toString()) as [string, string]
          if (kind === 'stdout') told += text
          if (told.includes('the answer is 42')) resolve(told)
        })
      })
    } finally {
      socket.removeAllListeners('close')
      socket.terminate()
    }
  }
})
