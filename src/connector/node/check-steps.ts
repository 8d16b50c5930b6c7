/**
 * The steps of a look at somebody on the way: a name, a connection, TLS, an answer. Each has a
 * deadline, and fails with the code that the system would give.
 *
 * @module
 */
import { lookup } from 'node:dns/promises'
import { connect as connectTcp, isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls'
import type { Dial } from './own-dial.ts'

/** The addresses of a name; of an address, itself. */
export async function addressesOf(host: string, patienceMs: number): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [host]
  const found = await within(patienceMs, 'EAI_AGAIN', () => lookup(host, { all: true }))
  return found.map(({ address }) => address)
}

/** A connection below TLS. */
export async function connection(
  { host, port, dial = byTcp }: { host: string; port: number; dial?: Dial | undefined },
  patienceMs: number,
): Promise<Duplex> {
  const giveUp = new AbortController()
  try {
    return await within(patienceMs, 'ETIMEDOUT', async () => {
      const socket = await dial({ host, port, signal: giveUp.signal })
      // Whoever looks at it next listens to its errors; between two steps nobody would.
      return socket.on('error', () => undefined)
    })
  } catch (error) {
    giveUp.abort()
    throw error
  }
}

const byTcp: Dial = ({ host, port, signal }) =>
  new Promise((resolve, reject) => {
    const socket = connectTcp({ host, port, signal })
    socket.once('error', reject)
    socket.once('connect', () => resolve(socket))
  })

/** What TLS has shown: also of a server that is not to be trusted, which is said. */
export interface Shown {
  readonly socket: TLSSocket
  /** Who its certificate is for, and who signed it. */
  readonly subject: string
  readonly issuer: string
  readonly validTo: string
  /** Why it is not to be trusted; `undefined`: it is. */
  readonly code: string | undefined
}

/** Nothing is sent to a server that is not trusted: the connection is only looked at. */
export async function tls(
  socket: Duplex,
  host: string,
  options: Pick<ConnectionOptions, 'ca' | 'minVersion'>,
  patienceMs: number,
): Promise<Shown> {
  const secured = connectTls({
    ...options,
    ...{ socket, rejectUnauthorized: false },
    ...(isIP(host) === 0 ? { servername: host } : { host }),
  })
  secured.on('error', () => undefined)
  await within(
    patienceMs,
    'ETIMEDOUT',
    () =>
      new Promise<void>((resolve, reject) => {
        secured.once('secureConnect', resolve)
        secured.once('error', reject)
        secured.once('close', () => reject(failure('ECONNRESET')))
      }),
  )
  const { subject, issuer, valid_to: validTo } = secured.getPeerCertificate()
  const { authorized, authorizationError } = secured
  return {
    ...{ socket: secured, subject: named(subject), issuer: named(issuer), validTo },
    code: authorized ? undefined : String(authorizationError),
  }
}

/** The head of an answer to `HEAD`. */
export interface Answered {
  readonly status: number
  /** By its `Date`, milliseconds since 1970. */
  readonly date: number | undefined
}

const MAX_HEAD_OCTETS = 16 * 1024

/** `undefined`: what came is no HTTP, or the connection ended before anything did. */
export async function headOf(
  socket: Duplex,
  { host, path }: { readonly host: string; readonly path: string },
  patienceMs: number,
): Promise<Answered | undefined> {
  socket.write(`HEAD ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
  const text = await within(
    patienceMs,
    'ETIMEDOUT',
    () =>
      new Promise<string>((resolve) => {
        let head = ''
        const over = () => resolve(head)
        socket.on('data', (part: Buffer) => {
          head += part.toString('latin1')
          if (head.includes('\r\n\r\n') || head.length > MAX_HEAD_OCTETS) over()
        })
        socket.once('end', over).once('close', over).once('error', over)
      }),
  )
  const [, status] = /^HTTP\/1\.\d (\d{3})\b/.exec(text) ?? []
  if (status === undefined) return undefined
  const date = Date.parse(/^date: *(.+?)\r?$/im.exec(text)?.[1] ?? '')
  return { status: Number(status), date: Number.isNaN(date) ? undefined : date }
}

/** The system's own code where it gives one in time, else `code`. */
async function within<T>(ms: number, code: string, work: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(failure(code)), ms)
  })
  try {
    return await Promise.race([work(), late])
  } finally {
    clearTimeout(timer)
  }
}

const failure = (code: string) => Object.assign(new Error(code), { code })

function named(name: Record<string, unknown> | undefined): string {
  const { CN, O } = (name ?? {}) as { CN?: string; O?: string }
  return CN ?? O ?? 'nobody'
}
