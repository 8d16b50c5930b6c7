/**
 * Connectors written from `spec/layouts.json` and PROTOCOL.md alone: nothing of `src` is imported
 * here, neither a frame's layout nor a writer or reader of MessagePack.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { Agent, request as httpsRequest } from 'node:https'
import { connect, type TLSSocket } from 'node:tls'

interface Layout {
  readonly octet: number
  readonly payload:
    | { readonly form: 'array'; readonly elements: readonly { readonly name: string }[] }
    | { readonly form: 'octets' | 'body' | 'nothing' }
}

const SPEC = JSON.parse(
  readFileSync(new URL('../../spec/layouts.json', import.meta.url), 'utf8'),
) as {
  readonly version: number
  readonly headerBytes: number
  readonly flags: Readonly<Record<'END' | 'ACK', number>>
  readonly frames: Readonly<Record<string, Layout>>
  readonly features: Readonly<Record<string, unknown>>
  readonly helloQuery: Readonly<Record<string, { readonly key: string }>>
}
const { END, ACK } = SPEC.flags

/** What one element may be. */
export type Value =
  | string
  | number
  | boolean
  | undefined
  | Buffer
  | readonly Value[]
  | { readonly [key: string]: Value }

/** A frame, with its elements by name. */
export interface Frame {
  readonly name: string
  readonly flags: number
  readonly number: number
  readonly payload: Buffer
  readonly elements: Readonly<Record<string, Value>>
}

/** What a greeting says, but for what is a link's own. */
const HELLO = {
  versions: [SPEC.version],
  run: 'independent',
  index: 0,
  epoch: 1,
  offers: 10,
  granted: 10,
  maxDataBytes: 16_384,
}

/** How a peer answers what it is offered. */
export type Serve = (offer: Readonly<Record<string, Value>>, body: Buffer) => string

// ── the link binding ─────────────────────────────────────────────────────────────────────────

/** Opens a link, and answers every offer with what `serve` says. */
export class IndependentLink {
  readonly received: Frame[] = []
  isClosed = false
  readonly #socket: TLSSocket
  readonly #serve: Serve
  #number = 0
  /** By number, those that wait for CONFIRM, and what has come of their bodies. */
  readonly #open = new Map<number, { offer: Frame['elements']; chunks: Buffer[] }>()

  constructor(url: string, tls: { ca: string; key: string; cert: string }, serve: Serve) {
    const { hostname: host, port } = new URL(url)
    this.#serve = serve
    this.#socket = connect({ host, port: Number(port), ...tls })
    this.#socket.on('error', () => undefined)
    this.#socket.on('close', () => (this.isClosed = true))
    this.#socket.write(
      `GET /link HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: app-proxy/1\r\n\r\n`,
    )
    this.#send('HELLO', 0, 0, { ...HELLO, features: Object.keys(SPEC.features) })
    let rest: Buffer = Buffer.alloc(0)
    let isSwitched = false
    this.#socket.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk])
      if (!isSwitched) {
        const end = rest.indexOf('\r\n\r\n')
        if (end === -1) return
        isSwitched = rest.toString('latin1').startsWith('HTTP/1.1 101 ')
        rest = rest.subarray(end + 4)
      }
      const [frames, left] = framesOf(rest)
      rest = left
      for (const frame of frames) this.#received(frame)
    })
  }

  close(): void {
    this.#socket.destroy()
  }

  #received(frame: Frame): void {
    this.received.push(frame)
    const { name, number, flags, payload, elements } = frame
    if (name === 'PING' && (flags & ACK) === 0) this.#write('PING', ACK, 0, payload)
    if (name === 'OFFER') this.#claim(elements)
    const exchange = this.#open.get(number)
    if (name !== 'DATA' || exchange === undefined) return
    exchange.chunks.push(payload)
    if ((flags & END) !== 0) this.#answer(number, exchange.offer, Buffer.concat(exchange.chunks))
  }

  #claim(offer: Frame['elements']): void {
    const number = ++this.#number
    const hasBody = offer['body'] !== false
    const { id, attempt } = offer
    this.#send('CLAIM', 0, number, { id, attempt, credit: hasBody ? 65_536 : 0 })
    if (hasBody) this.#open.set(number, { offer, chunks: [] })
    else this.#answer(number, offer, Buffer.alloc(0))
  }

  #answer(number: number, offer: Frame['elements'], body: Buffer): void {
    const answer = Buffer.from(this.#serve(offer, body))
    this.#send('RESPONSE', 0, number, { status: 200, headers: ['Content-Type', 'text/plain'] })
    this.#write('DATA', END, number, answer)
    // The slot is free again.
    this.#write('CREDIT', 0, 0, Buffer.from([0, 0, 0, 1]))
  }

  #send(name: string, flags: number, number: number, elements: Frame['elements']): void {
    this.#write(name, flags, number, written(name, elements))
  }

  #write(name: string, flags: number, number: number, payload: Buffer): void {
    this.#socket.write(frameOf(name, flags, number, payload))
  }
}

// ── the plain binding ────────────────────────────────────────────────────────────────────────

/** Opens a stream of offers, and answers every one by calls. */
export class IndependentPlain {
  readonly received: Frame[] = []
  /** Status of every answering call. */
  readonly answered: number[] = []
  readonly #url: string
  readonly #agent: Agent
  readonly #serve: Serve

  constructor(url: string, tls: { ca: string; key: string; cert: string }, serve: Serve) {
    this.#url = url
    this.#serve = serve
    this.#agent = new Agent({ ...tls, keepAlive: true, maxCachedSessions: 0 })
    const hello: Record<string, unknown> = { ...HELLO, features: ['plain'] }
    const query = Object.entries(SPEC.helloQuery).flatMap(([element, { key }]) =>
      hello[element] === undefined ? [] : [`${key}=${String(hello[element])}`],
    )
    const call = this.#call('GET', `/links/independent-0/offers?${query.join('&')}`)
    call.on('response', (response) => {
      void readFrames(response, (frame) => {
        this.received.push(frame)
        if (frame.name === 'OFFER') void this.#take(frame.elements)
      })
    })
    call.end()
  }

  close(): void {
    this.#agent.destroy()
  }

  async #take(offer: Frame['elements']): Promise<void> {
    const { attempt, body } = offer
    const id = offer['id'] as Buffer
    const path = `/exchanges/${id.toString('hex')}`
    const claim = frameOf('CLAIM', 0, 0, written('CLAIM', { id, attempt, credit: 0 }))
    if (body === false) return this.#answer(path, {}, [claim], offer, Buffer.alloc(0))
    const call = this.#call('POST', `${path}/body?attempt=${String(attempt)}`)
    call.end()
    const pulled = await new Promise<IncomingMessage>((resolve) => call.on('response', resolve))
    const token = { 'app-proxy-exchange': String(pulled.headers['app-proxy-exchange']) }
    const chunks: Buffer[] = []
    await new Promise<void>((resolve) => {
      void readFrames(pulled, ({ name, flags, payload }) => {
        if (name === 'DATA') chunks.push(payload)
        if ((flags & END) !== 0) resolve()
      })
    })
    return this.#answer(path, token, [], offer, Buffer.concat(chunks))
  }

  #answer(
    path: string,
    headers: Record<string, string>,
    before: readonly Buffer[],
    offer: Frame['elements'],
    body: Buffer,
  ): void {
    const call = this.#call('POST', `${path}/response`, headers)
    call.on('response', (response) => {
      response.resume()
      this.answered.push(response.statusCode!)
    })
    const head = written('RESPONSE', { status: 200, headers: ['Content-Type', 'text/plain'] })
    const answer = Buffer.from(this.#serve(offer, body))
    call.end(
      Buffer.concat([...before, frameOf('RESPONSE', 0, 0, head), frameOf('DATA', END, 0, answer)]),
    )
  }

  #call(method: string, path: string, headers: Record<string, string> = {}) {
    const agent = this.#agent
    const call = httpsRequest(`${this.#url}${path}`, { method, headers, agent })
    // The test ends it, or the cloud: what was answered says enough.
    return call.on('error', () => undefined)
  }
}

async function readFrames(stream: IncomingMessage, told: (frame: Frame) => void): Promise<void> {
  let rest: Buffer = Buffer.alloc(0)
  try {
    for await (const chunk of stream) {
      const [frames, left] = framesOf(Buffer.concat([rest, chunk as Buffer]))
      rest = left
      frames.forEach(told)
    }
  } catch {
    // The test ends it.
  }
}

// ── frames ───────────────────────────────────────────────────────────────────────────────────

function frameOf(name: string, flags: number, number: number, payload: Buffer): Buffer {
  const frame = Buffer.alloc(SPEC.headerBytes + payload.length)
  frame.writeUIntBE(payload.length, 0, 3)
  frame.writeUInt8(SPEC.frames[name]!.octet, 3)
  frame.writeUInt8(flags, 4)
  frame.writeUInt32BE(number, 5)
  payload.copy(frame, SPEC.headerBytes)
  return frame
}

/** The whole frames in it, and the rest; types that are not known are skipped. */
function framesOf(octets: Buffer): [frames: Frame[], rest: Buffer] {
  const frames: Frame[] = []
  let rest = octets
  while (rest.length >= SPEC.headerBytes) {
    const end = SPEC.headerBytes + rest.readUIntBE(0, 3)
    if (rest.length < end) break
    const octet = rest.readUInt8(3)
    const payload = Buffer.from(rest.subarray(SPEC.headerBytes, end))
    const found = Object.entries(SPEC.frames).find(([, layout]) => layout.octet === octet)
    if (found !== undefined) {
      const [name, layout] = found
      const [flags, number] = [rest.readUInt8(4), rest.readUInt32BE(5)]
      frames.push({ name, flags, number, payload, elements: elementsOf(layout, payload) })
    }
    rest = rest.subarray(end)
  }
  return [frames, rest]
}

/** The payload of a head, its elements in the order of its layout. */
function written(name: string, elements: Frame['elements']): Buffer {
  const { payload } = SPEC.frames[name]!
  if (payload.form !== 'array') throw new Error(`${name} is no array`)
  return packed(payload.elements.map((element) => elements[element.name]))
}

function elementsOf({ payload: layout }: Layout, payload: Buffer): Frame['elements'] {
  if (layout.form !== 'array') return {}
  const values = new Reader(payload).value() as readonly Value[]
  return Object.fromEntries(layout.elements.map(({ name }, at) => [name, values[at]]))
}

// ── MessagePack, as much as heads need; in other forms than the shortest ────────────────────

function packed(value: Value): Buffer {
  if (value === undefined) return Buffer.from([0xc0])
  if (typeof value === 'boolean') return Buffer.from([value ? 0xc3 : 0xc2])
  if (typeof value === 'number') return sized(0xce, value)
  if (typeof value === 'string') {
    const text = Buffer.from(value)
    return Buffer.concat([sized(0xdb, text.length), text])
  }
  if (Buffer.isBuffer(value)) return Buffer.concat([sized(0xc6, value.length), value])
  const list = value as readonly Value[]
  return Buffer.concat([sized(0xdd, list.length), ...list.map(packed)])
}

function sized(type: number, length: number): Buffer {
  const octets = Buffer.from([type, 0, 0, 0, 0])
  octets.writeUInt32BE(length, 1)
  return octets
}

class Reader {
  readonly #octets: Buffer
  #at = 0

  constructor(octets: Buffer) {
    this.#octets = octets
  }

  value(): Value {
    const type = this.#unsigned(1)
    if (type <= 0x7f) return type
    if (type <= 0x8f) return this.#map(type & 0x0f)
    if (type <= 0x9f) return this.#list(type & 0x0f)
    if (type <= 0xbf) return this.#take(type & 0x1f).toString()
    if (type === 0xc0) return undefined
    if (type === 0xc2 || type === 0xc3) return type === 0xc3
    if (type >= 0xc4 && type <= 0xc6) return this.#take(this.#unsigned(2 ** (type - 0xc4)))
    if (type === 0xcb) return this.#take(8).readDoubleBE()
    if (type >= 0xcc && type <= 0xce) return this.#unsigned(2 ** (type - 0xcc))
    if (type >= 0xd9 && type <= 0xdb)
      return this.#take(this.#unsigned(2 ** (type - 0xd9))).toString()
    if (type === 0xdc || type === 0xdd) return this.#list(this.#unsigned(type === 0xdc ? 2 : 4))
    if (type === 0xde || type === 0xdf) return this.#map(this.#unsigned(type === 0xde ? 2 : 4))
    throw new Error(`type 0x${type.toString(16)}`)
  }

  #list(length: number): Value[] {
    return Array.from({ length }, () => this.value())
  }

  #map(length: number): Record<string, Value> {
    const entries = Array.from({ length }, () => [this.value(), this.value()] as const)
    return Object.fromEntries(entries.map(([key, value]) => [String(key), value]))
  }

  #unsigned(octets: number): number {
    return this.#take(octets).readUIntBE(0, octets)
  }

  #take(length: number): Buffer {
    const from = this.#at
    this.#at += length
    return Buffer.from(this.#octets.subarray(from, this.#at))
  }
}
