/** An application, and users of it who know every octet that they should get. */
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, request, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { WebSocket, WebSocketServer } from 'ws'
import type { Workspace } from '../../../bench/harness/workspace.ts'
import { exactly, type Figure } from '../campaign.ts'

const POSTS = 64
/** More than is sent before a connector gives credit. */
const LARGE_BYTES = 2 * 1024 * 1024 + 1
const MESSAGES = 100

/** Sends back what it is sent, after as long as `wait` says; on a WebSocket too. */
export async function startEcho(workspace: Workspace): Promise<{ readonly url: string }> {
  const server = createServer((incoming, response) => {
    const { searchParams } = new URL(incoming.url!, 'http://application')
    const waitMs = Number(searchParams.get('wait') ?? 0)
    response.setHeader('x-method', incoming.method!)
    setTimeout(() => incoming.pipe(response), waitMs)
  })
  const sockets = new WebSocketServer({ server })
  sockets.on('connection', (socket) =>
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })),
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  workspace.onClose(() => {
    for (const socket of sockets.clients) socket.terminate()
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

/** The users of an application of that name. */
export class Users {
  readonly #port: number
  readonly #host: string

  constructor(usersUrl: string, name: string) {
    this.#port = Number(new URL(usersUrl).port)
    this.#host = `${name}.localhost:${this.#port}`
  }

  /** Status and body. */
  async ask(
    path: string,
    body?: Buffer,
  ): Promise<{ readonly status: number; readonly body: Buffer }> {
    const asked = request({
      ...{ host: '127.0.0.1', port: this.#port, path, agent: false },
      ...{ method: body === undefined ? 'GET' : 'POST', headers: { host: this.#host } },
    })
    asked.end(body)
    const [response] = (await once(asked, 'response')) as [IncomingMessage]
    return { status: response.statusCode!, body: await buffer(response) }
  }

  async #isEchoed(body: Buffer): Promise<boolean> {
    const answer = await this.ask('/echo', body)
    return answer.status === 200 && digest(answer.body) === digest(body)
  }

  async #echoedMessages(): Promise<number> {
    const headers = { host: this.#host }
    const socket = new WebSocket(`ws://127.0.0.1:${this.#port}/socket`, { headers })
    await once(socket, 'open')
    let echoed = 0
    for (let i = 0; i < MESSAGES; i++) {
      const message = randomBytes(1 + i * 300)
      socket.send(message)
      const [data] = (await once(socket, 'message')) as [Buffer]
      if (message.equals(data)) echoed += 1
    }
    const closed = once(socket, 'close')
    socket.close(1000)
    const [code] = (await closed) as [number]
    return code === 1000 ? echoed : 0
  }

  /** What is carried, of each kind; `by` names who carries it. */
  async carried(by: string): Promise<readonly Figure[]> {
    const small = Array.from({ length: POSTS }, (_, i) => this.#isEchoed(randomBytes(i * 97)))
    const echoed = (await Promise.all(small)).filter(Boolean).length
    const large = await this.#isEchoed(randomBytes(LARGE_BYTES))
    return [
      exactly(`status of a page (${by})`, (await this.ask('/')).status, 200),
      exactly(`bodies of up to 6 KB that came back whole (${by})`, echoed, POSTS),
      exactly(`bodies of 2 MiB that came back whole (${by})`, Number(large), 1),
      exactly(
        `messages of a WebSocket that came back (${by})`,
        await this.#echoedMessages(),
        MESSAGES,
      ),
    ]
  }
}

const digest = (octets: Buffer) => createHash('sha256').update(octets).digest('hex')
