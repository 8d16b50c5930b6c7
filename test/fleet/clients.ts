/**
 * Users of a fleet: each asks without end, over connections that it keeps, whichever instance it finds. Whether every answer is whole, its own, and what failed.
 */
import { createHash, randomBytes } from 'node:crypto'
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import WebSocket from 'ws'
import { answerTo } from './application.ts'
import { randomNumbers, type Random } from './random.ts'

export type ClientKind = 'GET' | 'POST' | 'WebSocket'

/** A request that did not go well. */
export interface ClientFailure {
  readonly kind: ClientKind
  readonly path: string
  /** Which instance was asked. */
  readonly port: number
  /** When it was asked, and when that was over. Milliseconds since 1970. */
  readonly from: number
  readonly at: number
  /** What the page said; absent: the answer, or the tunnel, was broken off. */
  readonly said?: { readonly status: number; readonly code: string; readonly requestNumber: string }
  readonly because: string
}

export interface ClientsOptions {
  readonly ports: readonly number[]
  /** Published hosts, one for each group. */
  readonly hosts: readonly string[]
  readonly count: number
  readonly seed: number
  /** Between two requests of a client, at most. Milliseconds. */
  readonly pauseMs: number
  /** Default: all three kinds. */
  readonly kinds?: readonly ClientKind[]
}

/** Many users at once. */
export class Clients {
  readonly failures: ClientFailure[] = []
  /** Answers that are not what was asked for: must stay empty. */
  readonly wrong: string[] = []
  readonly answered: Record<ClientKind, number> = { GET: 0, POST: 0, WebSocket: 0 }
  /** When each request that went well was asked. Milliseconds since 1970. */
  readonly well: number[] = []
  /** When each tunnel was closed, as both ends wanted. Milliseconds since 1970. */
  readonly closed: number[] = []
  readonly #options: ClientsOptions
  readonly #working: Promise<unknown>
  #isStopping = false

  constructor(options: ClientsOptions) {
    this.#options = options
    this.#working = Promise.all(Array.from({ length: options.count }, (_, i) => this.#work(i)))
  }

  /** Resolves when every request that is under way is over. */
  async stop(): Promise<void> {
    this.#isStopping = true
    await this.#working
  }

  async #work(client: number): Promise<void> {
    const {
      hosts,
      seed,
      pauseMs,
      kinds = ['GET', 'GET', 'GET', 'POST', 'WebSocket'],
    } = this.#options
    const random = randomNumbers(seed * 1_000 + client)
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const kind = kinds[client % kinds.length]! as ClientKind
    const host = hosts[client % hosts.length]!
    for (let i = 0; !this.#isStopping; i++) {
      const path = `/${kind}/${client}/${i}`
      await this.#ask({ kind, host, path, client, agent, random })
      await sleep(pauseMs * random())
    }
    agent.destroy()
  }

  /** At an instance that takes connections: one that is stopped does not, and then it is another's. */
  async #ask(asked: Asked): Promise<void> {
    const { ports } = this.#options
    const { kind, path, random } = asked
    const first = Math.floor(random() * ports.length)
    for (let i = 0; ; i++) {
      const port = ports[(first + i) % ports.length]!
      const from = Date.now()
      const failed = (because: string, said?: ClientFailure['said']) =>
        void this.failures.push({
          ...{ kind, path, port, from, at: Date.now(), because },
          ...(said && { said }),
        })
      try {
        const wrong =
          kind === 'WebSocket' ? await talk(asked, port) : await exchange(asked, port, failed)
        if (wrong !== undefined) this.wrong.push(`${kind} ${path}: ${wrong}`)
        else if (this.failures.at(-1)?.path !== path) {
          this.answered[kind] += 1
          if (kind === 'WebSocket') this.closed.push(Date.now())
          this.well.push(from)
        }
        return
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException
        // Nobody listens, or no more: nothing was heard.
        if (code === 'ECONNREFUSED' && i < 200) {
          if ((i + 1) % ports.length === 0) await sleep(50)
          continue
        }
        return failed(code ?? message, error instanceof Told ? error.said : undefined)
      }
    }
  }
}

interface Asked {
  readonly kind: ClientKind
  readonly host: string
  readonly path: string
  readonly client: number
  readonly agent: Agent
  readonly random: Random
}

class Told extends Error {
  readonly said: NonNullable<ClientFailure['said']>
  constructor(said: NonNullable<ClientFailure['said']>) {
    super(`${said.status} ${said.code}`)
    this.said = said
  }
}

/** What is wrong with the answer; undefined: nothing, or it failed, and that was told. */
async function exchange(
  { kind, host, path, client, agent, random }: Asked,
  port: number,
  failed: (because: string, said?: ClientFailure['said']) => void,
): Promise<string | undefined> {
  const body = kind === 'POST' ? randomBytes(Math.floor(random() * 60_000)) : undefined
  const headers = { host, 'x-user': `user-${client}`, accept: 'application/problem+json' }
  let hasBegun = false
  const [response, octets] = await new Promise<[IncomingMessage, Buffer]>((resolve, reject) => {
    const request = httpRequest({ port, host: '127.0.0.1', path, agent, method: kind, headers })
    request.on('error', (error: NodeJS.ErrnoException) => {
      // A kept connection was closed as it was used again: clients ask on another one. Whether it was heard is seen by what is executed twice.
      const isUnheard = request.reusedSocket && error.code === 'ECONNRESET' && !hasBegun
      reject(isUnheard ? Object.assign(new Error('unheard'), { code: 'ECONNREFUSED' }) : error)
    })
    request.on('response', (incoming) => {
      hasBegun = true
      const parts: Buffer[] = []
      incoming.on('data', (part: Buffer) => parts.push(part))
      incoming.on('error', reject).on('end', () => resolve([incoming, Buffer.concat(parts)]))
    })
    request.end(body)
  })
  const status = response.statusCode!
  if (response.headers['content-type']?.startsWith('application/problem+json') === true) {
    const said = JSON.parse(octets.toString()) as { code?: string; requestId?: string }
    const { code = '', requestId = '' } = said
    failed(code, { status, code, requestNumber: requestId })
    return undefined
  }
  const wanted = answerTo(`user-${client}`, path, body)
  if (status !== 200) return `status ${status} ${octets.subarray(0, 200).toString()}`
  return octets.equals(wanted) ? undefined : `${octets.length} octets, wanted ${wanted.length}`
}

/** Says five things in a tunnel, and is told each again. */
async function talk({ host, path, client, random }: Asked, port: number) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, {
    headers: { host, 'x-user': `user-${client}`, accept: 'application/problem+json' },
  })
  try {
    await new Promise<void>((open, reject) => {
      socket.on('open', open).on('error', reject)
      socket.on('unexpected-response', (_request, response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (part: string) => (text += part))
        response.on('end', () => {
          const { code = text, requestId = '' } = parse(text)
          reject(new Told({ status: response.statusCode!, code, requestNumber: requestId }))
        })
      })
    })
    for (let i = 0; i < 5; i++) {
      const said = createHash('sha256').update(`${client} ${path} ${i}`).digest('hex')
      const heard = await new Promise<string>((resolve, reject) => {
        socket.once('message', (data: Buffer) => resolve(data.toString()))
        socket.once('close', () => reject(new Error('the tunnel was broken off')))
        socket.once('error', reject)
        // It may have been broken off meanwhile.
        if (socket.readyState !== WebSocket.OPEN) return reject(new Error('it is broken off'))
        socket.send(said)
      })
      if (heard !== `user-${client} ${said}`) return `heard ${heard}`
      socket.removeAllListeners('close').removeAllListeners('error')
      socket.on('error', () => undefined)
      await sleep(60 * random())
    }
    if (socket.readyState !== WebSocket.OPEN) throw new Error('the tunnel was broken off')
    const code = await new Promise<number>((closed) => {
      socket.once('close', closed)
      socket.close(1000)
    })
    // Nobody has said goodbye.
    if (code === 1006) throw new Error('the tunnel was broken off')
    return undefined
  } finally {
    socket.on('error', () => undefined)
    socket.terminate()
  }
}

function parse(text: string): { code?: string; requestId?: string } {
  try {
    return JSON.parse(text) as { code?: string; requestId?: string }
  } catch {
    return {}
  }
}
