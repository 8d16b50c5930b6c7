import { Agent, request as httpRequest, type IncomingMessage } from 'node:http'
import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2'
import { Agent as SecureAgent, request as httpsRequest } from 'node:https'
import { answerTo, opening } from './handshake-application.ts'

export interface Wish {
  readonly host: string
  readonly method?: string
  readonly path?: string
  readonly body?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly isWebSocket?: boolean
}

export interface Told {
  readonly status: number
  /** Whom the application saw. */
  readonly seen: string
  /** On which of its connections. */
  readonly connection: string
  readonly challenge: string
  readonly code: string
}

/** HTTP_1_1_REQUIRED */
const HTTP_1_1_REQUIRED = 13
const WEBSOCKET = {
  ...{ connection: 'Upgrade', upgrade: 'websocket' },
  ...{ 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==', 'sec-websocket-version': '13' },
}

/** Somebody whose browser answers NTLM as browsers do: on one connection, as often as it is asked. */
export class ConnectionUser {
  readonly name: string
  /** Handshakes that were gone through. */
  handshakes = 0
  /** How often HTTP/2 was refused. */
  refusals = 0
  readonly #port: number
  readonly #agent: Agent
  readonly #isSecure: boolean
  #session: ClientHttp2Session | undefined
  /** Requests until HTTP/2 is tried again; a browser that was refused knows. */
  #patience = 0
  readonly #every: number

  /** @param http2 they come by HTTP/2 first, and by HTTP/1.1 where they are told so, `every` requests */
  constructor(name: string, port: number, { http2 = false, every = 20, isSecure = false } = {}) {
    this.name = name
    this.#port = port
    this.#isSecure = isSecure || http2
    this.#every = every
    const kept = { keepAlive: true, maxSockets: 1 }
    this.#agent = this.#isSecure
      ? new SecureAgent({ ...kept, rejectUnauthorized: false })
      : new Agent(kept)
    if (!http2) return
    this.#session = connectHttp2(`https://127.0.0.1:${port}`, { rejectUnauthorized: false })
    this.#session.on('error', () => undefined)
  }

  close(): void {
    this.#agent.destroy()
    this.#session?.destroy()
  }

  /** What they get in the end, with the handshake that it takes; `most` requests at the most. */
  async visit(wish: Wish, most = 8): Promise<Told> {
    let told = await this.ask(wish)
    for (let i = 1; i < most && told.status === 401; i++) {
      const { challenge } = told
      if (!/^ntlm/i.test(challenge)) return told
      const token = challenge.slice(5)
      if (token !== '') this.handshakes += 1
      const authorization = `NTLM ${token === '' ? opening : answerTo(token, this.name)}`
      told = await this.ask(wish, authorization)
    }
    return told
  }

  /** One request, by HTTP/2 where that is not refused. */
  async ask(wish: Wish, authorization?: string): Promise<Told> {
    const fields = { ...wish.headers, ...(authorization !== undefined && { authorization }) }
    if (this.#session !== undefined && wish.isWebSocket !== true && --this.#patience < 0) {
      const told = await this.#byHttp2(this.#session, wish, fields)
      if (told !== HTTP_1_1_REQUIRED) return told
      this.refusals += 1
      this.#patience = this.#every
    }
    return this.#byHttp1(wish, fields)
  }

  #byHttp1(wish: Wish, fields: Record<string, string>): Promise<Told> {
    const { host, method = 'GET', path = '/', body, isWebSocket = false } = wish
    return new Promise((answered, failed) => {
      const request = (this.#isSecure ? httpsRequest : httpRequest)({
        ...{ host: '127.0.0.1', port: this.#port, path, method, agent: this.#agent },
        ...(this.#isSecure && { rejectUnauthorized: false }),
        headers: { host, ...(isWebSocket && WEBSOCKET), ...fields },
      })
      request.on('response', (response) => {
        let text = ''
        response.setEncoding('latin1').on('data', (piece: string) => (text += piece))
        response.on('end', () => answered(toldBy(response.statusCode!, response.headers, text)))
        response.on('error', failed)
      })
      request.on('upgrade', (response: IncomingMessage, socket) => {
        socket.on('error', () => undefined).destroy()
        answered(toldBy(response.statusCode!, response.headers, ''))
      })
      request.on('error', failed)
      request.end(body)
    })
  }

  #byHttp2(
    session: ClientHttp2Session,
    { host, method = 'GET', path = '/', body }: Wish,
    fields: Record<string, string>,
  ): Promise<Told | typeof HTTP_1_1_REQUIRED> {
    return new Promise((answered, failed) => {
      const stream = session.request(
        { ':authority': host, ':method': method, ':path': path, ...fields },
        { endStream: body === undefined },
      )
      let head: Record<string, unknown> = {}
      let text = ''
      stream.on('response', (fields) => (head = fields))
      stream.setEncoding('latin1').on('data', (piece: string) => (text += piece))
      stream.on('error', () => undefined)
      stream.on('close', () => {
        if (stream.rstCode === HTTP_1_1_REQUIRED) answered(HTTP_1_1_REQUIRED)
        else if (stream.rstCode !== 0) failed(new Error(`reset ${stream.rstCode}`))
        else answered(toldBy(head[':status'] as number, head, text))
      })
      if (body !== undefined) stream.end(body)
    })
  }
}

function toldBy(status: number, headers: Record<string, unknown>, body: string): Told {
  const text = (name: string) => String(headers[name] ?? '')
  const code = /"code":\s*"([^"]+)"/.exec(body)?.[1] ?? ''
  const [seen, connection] = [text('x-seen'), text('x-connection')]
  return { status, seen, connection, challenge: text('www-authenticate'), code }
}
