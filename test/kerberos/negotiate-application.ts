/**
 * An application on Node that lets in whom Kerberos vouches for: what `mod_auth_gssapi` is for
 * Apache, by `gss_accept_sec_context`.
 */
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { text } from 'node:stream/consumers'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import {
  openForeignLibrary,
  type ForeignFunction,
  type Handle,
} from '../../src/connector/kerberos/foreign-library.ts'
import { gssapiTypes, objectId } from '../../src/connector/kerberos/gssapi.ts'

/** Who shows a token, and what the application answers to it. */
export interface Accepted {
  readonly user: string
  readonly answer: string
}

const ACCEPT = 2
const SPNEGO = objectId([0x2b, 6, 1, 5, 5, 2])

// prettier-ignore
const SIGNATURES = {
  gss_acquire_cred_from:  ['outNumber', 'handle', 'number', 'inOids', 'int', 'inStore', 'outHandle', 'handle', 'handle'],
  gss_accept_sec_context: ['outNumber', 'inOutHandle', 'handle', 'inOctets', 'handle', 'outHandle', 'handle', 'outOctets', 'handle', 'handle', 'handle'],
  gss_display_name:       ['outNumber', 'handle', 'outOctets', 'handle'],
  gss_release_name:       ['outNumber', 'inOutHandle'],
  gss_release_buffer:     ['outNumber', 'inOutOctets'],
  gss_delete_sec_context: ['outNumber', 'inOutHandle', 'handle'],
} as const

interface Octets {
  readonly length: number | bigint
  readonly value: Handle
}

/** Reads tokens with the keys of a keytab; a token is taken once. */
export async function acceptor(keytab: string, replayCache: string) {
  const library = await openForeignLibrary()
  const types = gssapiTypes(library)
  const call = Object.fromEntries(
    Object.entries(SIGNATURES).map(([name, parameters]) => [
      name,
      library.func(
        name,
        parameters.map((parameter) => types[parameter]!),
      ),
    ]),
  ) as Record<string, ForeignFunction> as Record<keyof typeof SIGNATURES, ForeignFunction>
  const take = ([octets]: readonly Octets[]) => {
    if (Number(octets!.length) === 0) return Buffer.alloc(0)
    const there = library.koffi.decode(octets!.value, 'uint8_t', Number(octets!.length))
    const copy = Buffer.from(there as Uint8Array)
    call.gss_release_buffer([0], [octets])
    return copy
  }
  const must = (major: number) => {
    if (major !== 0) throw new Error(`status 0x${major.toString(16)}`)
  }
  const credential: Handle[] = [null]
  const store = [
    { key: 'keytab', value: keytab },
    { key: 'rcache', value: replayCache },
  ]
  must(
    call.gss_acquire_cred_from(
      ...[[0], null, 0xffffffff, { count: 1, elements: [SPNEGO] }, ACCEPT],
      ...[{ count: store.length, elements: store }, credential, null, null],
    ),
  )
  return (token: Uint8Array): Accepted => {
    const context: Handle[] = [null]
    const name: Handle[] = [null]
    const answer: Octets[] = [{ length: 0, value: null }]
    try {
      const given = { length: token.length, value: token }
      must(
        call.gss_accept_sec_context(
          ...[[0], context, credential[0], given, null, name, null, answer, null, null, null],
        ),
      )
      const shown: Octets[] = [{ length: 0, value: null }]
      must(call.gss_display_name([0], name[0], shown, null))
      return { user: take(shown).toString(), answer: take(answer).toString('base64') }
    } finally {
      if (name[0] !== null) call.gss_release_name([0], name)
      if (context[0] !== null) call.gss_delete_sec_context([0], context, null)
    }
  }
}

/** What it says of a request: who asked, and with which body. */
export interface Seen {
  readonly user: string
  readonly method: string
  readonly url: string
  readonly body: string
}

/**
 * Says who asked, over HTTP and over WebSockets; whoever shows no token is asked for one.
 *
 * `/silent` shows no token of its own, `/foreign` shows one that is none.
 */
export async function negotiateApplication(keytab: string, replayCache: string): Promise<Server> {
  const accept = await acceptor(keytab, replayCache)
  const allow = ({ headers: { authorization = '' } }: IncomingMessage): Accepted | undefined => {
    const [scheme, token = ''] = authorization.split(' ')
    if (scheme !== 'Negotiate') return undefined
    try {
      return accept(Buffer.from(token, 'base64'))
    } catch {
      return undefined
    }
  }
  const server = createServer(async (request, response) => {
    const accepted = allow(request)
    const { method = '', url = '' } = request
    const body = await text(request)
    if (accepted === undefined || url === '/refused')
      return void response
        .writeHead(401, { 'WWW-Authenticate': ['Negotiate', 'Basic realm="there"'] })
        .end('who are you?')
    const { user, answer } = accepted
    const shown = url === '/foreign' ? 'AAAA' : answer
    if (url !== '/silent') response.setHeader('WWW-Authenticate', `Negotiate ${shown}`)
    const seen: Seen = { user, method, url, body }
    response.setHeader('Content-Type', 'application/json')
    response.end(JSON.stringify(seen))
  })
  const sockets = new WebSocketServer({ noServer: true })
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const accepted = allow(request)
    if (accepted === undefined)
      return void socket.end('HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Negotiate\r\n\r\n')
    sockets.once('headers', (list: string[]) =>
      list.push(`WWW-Authenticate: Negotiate ${accepted.answer}`),
    )
    sockets.handleUpgrade(request, socket, head, (client) => client.send(accepted.user))
  })
  server.on('close', () => sockets.close())
  return server
}
