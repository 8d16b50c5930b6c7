/**
 * Control calls over HTTPS: `POST {url}/registration`, `/configuration`, `/application`.
 *
 * @see spec/PROTOCOL.md, "Control calls over HTTP"
 * @module
 */
import type { IncomingMessage } from 'node:http'
import { request as httpsRequest, type Agent } from 'node:https'
import type { TLSSocket } from 'node:tls'
import { ConfigurationInvalid, PeerViolation, Refused } from '../../protocol/wire/errors.ts'
import { MAX_MESSAGE_BYTES, TIME_LIMITS } from '../../protocol/wire/limits.ts'
import {
  decodeMessage,
  encodeMessage,
  MESSAGE_MEDIA_TYPE,
  type ApplicationReply,
  type ApplicationRequest,
  type ConfigurationReply,
  type ConfigurationRequest,
  type ControlMessages,
  type RegistrationReply,
  type RegistrationRequest,
} from '../../protocol/wire/messages.ts'
import type { ConnectorIdentity, ControlCall, ControlChannel, IdentifiedCall } from '../ports.ts'
import { readCertificates } from '../../runtime/certificates.ts'
import type { CryptoProvider } from '../../runtime/crypto-provider.ts'
import { CONNECTOR_VERSION } from '../connector-version.ts'
import { refusalReason } from '../refusal-reasons.ts'
import { cloudAgent, TlsOverDial, type Dial } from './own-dial.ts'
import { tlsOptions, type CloudTrust } from './tls-options.ts'

const PROBLEM_MEDIA_TYPE = 'application/problem+json'
const MAX_PROBLEM_BYTES = 16 * 1024

/** Options of {@link HttpsControlChannel}. */
export interface HttpsControlChannelOptions extends CloudTrust {
  /** Base URL of the cloud's connector listener, https. */
  readonly url: string
  /**
   * Base URLs of the cloud's instances, asked for at each call: whoever has an identity is served
   * by any of them, where the last that was called does not answer. Default: none.
   */
  readonly instances?: (() => readonly string[]) | undefined
  /** The provider that made the identity's keys. Default: the runtime's Web Crypto. */
  readonly crypto?: CryptoProvider
  /** Makes the connections, below TLS. Default: TCP. */
  readonly dial?: Dial | undefined
}

/**
 * A {@link ControlChannel} over HTTPS. Calls of one identity share its connections; another
 * identity gets new ones, while the calls under way end on the old.
 */
export class HttpsControlChannel implements ControlChannel {
  readonly #options: HttpsControlChannelOptions
  readonly #base: string
  /** Where calls with an identity go first. */
  #called: string
  readonly #over: TlsOverDial | undefined
  /** Registration has no identity yet. */
  readonly #agents = new Map<ConnectorIdentity | undefined, Promise<Agent>>()

  /** @throws ConfigurationInvalid if `url` is not an https URL, or `ca` neither PEM nor DER */
  constructor(options: HttpsControlChannelOptions) {
    const { url } = options
    refuseUrl(url)
    // What cannot be read will not be readable at the next try.
    if (options.ca !== undefined) readCertificates(options.ca, 'ca')
    this.#options = options
    this.#base = url.replace(/\/$/, '')
    this.#called = this.#base
    this.#over = options.dial && new TlsOverDial(options.dial)
  }

  register(request: RegistrationRequest, call: ControlCall): Promise<RegistrationReply> {
    return this.#call('registration', request, 'RegistrationReply', call.signal, undefined)
  }

  configuration(request: ConfigurationRequest, call: IdentifiedCall): Promise<ConfigurationReply> {
    return this.#call('configuration', request, 'ConfigurationReply', call.signal, call.identity)
  }

  application(request: ApplicationRequest, call: IdentifiedCall): Promise<ApplicationReply> {
    return this.#call('application', request, 'ApplicationReply', call.signal, call.identity)
  }

  /** Ends all connections; calls under way fail. */
  async close(): Promise<void> {
    this.#over?.end()
    const agents = [...this.#agents.values()]
    this.#agents.clear()
    for (const agent of await Promise.allSettled(agents))
      if (agent.status === 'fulfilled') agent.value.destroy()
  }

  async #call<Reply extends keyof ControlMessages>(
    name: string,
    message: RegistrationRequest | ConfigurationRequest | ApplicationRequest,
    reply: Reply,
    signal: AbortSignal,
    identity: ConnectorIdentity | undefined,
  ): Promise<ControlMessages[Reply]> {
    const agent = await this.#agent(identity)
    const body = encodeMessage(message)
    const response =
      identity === undefined
        ? await post(`${this.#base}/${name}`, body, agent, signal)
        : await this.#reach((base) => post(`${base}/${name}`, body, agent, signal), signal)
    if (response.statusCode !== 200) throw await refusal(response)
    if (mediaType(response) !== MESSAGE_MEDIA_TYPE) {
      response.destroy()
      throw new PeerViolation('MALFORMED_MESSAGE', `the answer is not ${MESSAGE_MEDIA_TYPE}`)
    }
    return decodeMessage(reply, await read(response, MAX_MESSAGE_BYTES))
  }

  /**
   * The answer of the first that gives one. The next call goes there; after one that took its whole
   * time for nothing, to another.
   *
   * @throws what the one that was called first failed with
   */
  async #reach(
    call: (base: string) => Promise<IncomingMessage>,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const others = (this.#options.instances?.() ?? []).map((url) => url.replace(/\/$/, ''))
    const bases = [...new Set([this.#called, this.#base, ...others])]
    let first: unknown
    for (const [i, base] of bases.entries()) {
      try {
        const response = await call(base)
        this.#called = base
        return response
      } catch (error) {
        first ??= error
        if (!signal.aborted) continue
        this.#called = bases[(i + 1) % bases.length]!
        break
      }
    }
    throw first
  }

  #agent(identity: ConnectorIdentity | undefined): Promise<Agent> {
    const known = this.#agents.get(identity)
    if (known !== undefined) return known
    const made = tlsOptions(identity, this.#options, this.#options.crypto).then((tls) =>
      cloudAgent(tls, this.#over),
    )
    this.#agents.set(identity, made)
    // The one before may still carry calls; older ones cannot.
    const [oldest] = this.#agents.keys()
    if (this.#agents.size > 2) void this.#retire(oldest)
    return made
  }

  async #retire(identity: ConnectorIdentity | undefined): Promise<void> {
    const agent = this.#agents.get(identity)
    this.#agents.delete(identity)
    await agent?.then((old) => old.destroy()).catch(() => undefined)
  }
}

function refuseUrl(url: string): void {
  const refuse = (detail: string, value?: string): never => {
    throw new ConfigurationInvalid([{ path: 'url', detail, value }])
  }
  // What may be a password is not said again.
  const value = url.includes('@') ? undefined : JSON.stringify(url)
  if (!URL.canParse(url) || new URL(url).protocol !== 'https:')
    return refuse('must be an https URL, such as https://cloud.example:8443', value)
  const { username, password, search, hash } = new URL(url)
  if (username !== '' || password !== '') return refuse('must not hold credentials')
  if (search !== '' || hash !== '') return refuse('must not have a query or a fragment', value)
}

/** Sends head and body only once the cloud has proven who it is: the body may be a token. */
function post(
  url: string,
  body: Uint8Array,
  agent: Agent,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = httpsRequest(url, {
      method: 'POST',
      agent,
      signal,
      headers: {
        'content-type': MESSAGE_MEDIA_TYPE,
        'content-length': body.length,
        accept: `${MESSAGE_MEDIA_TYPE}, ${PROBLEM_MEDIA_TYPE}`,
        'user-agent': `app-proxy-connector/${CONNECTOR_VERSION}`,
      },
    })
    request.on('response', resolve)
    request.on('error', (error: NodeJS.ErrnoException) => {
      // A kept connection that the cloud closed just now. Every control call may be repeated.
      const wasStale = request.reusedSocket && error.code === 'ECONNRESET' && !signal.aborted
      if (wasStale) resolve(post(url, body, agent, signal))
      else reject(error)
    })
    request.on('socket', (socket) => {
      const tls = socket as TLSSocket & { secureConnecting?: boolean }
      if (tls.secureConnecting === false) request.end(body)
      else tls.once('secureConnect', () => request.end(body))
    })
  })
}

/**
 * What an answer other than 200 means: a known problem is a considered no, anything else may pass.
 */
async function refusal(response: IncomingMessage): Promise<Refused> {
  const status = response.statusCode ?? 0
  const retryAfterMs = retryAfter(response)
  const code = await problemCode(response)
  const reason = status >= 400 && status < 500 ? refusalReason(code) : undefined
  if (reason !== undefined) return new Refused(reason, `HTTP ${status}`, { retryAfterMs })
  return new Refused('unavailable', `HTTP ${status}`, {
    retryAfterMs: retryAfterMs ?? TIME_LIMITS.backoffMinMs,
    cause: { status },
  })
}

async function problemCode(response: IncomingMessage): Promise<unknown> {
  if (mediaType(response) !== PROBLEM_MEDIA_TYPE) {
    response.destroy()
    return undefined
  }
  try {
    const problem = JSON.parse(new TextDecoder().decode(await read(response, MAX_PROBLEM_BYTES)))
    return (problem as { code?: unknown } | null)?.code
  } catch {
    return undefined
  }
}

/** `Retry-After` in seconds; dates would need a clock we do not trust. */
function retryAfter({ headers }: IncomingMessage): number | undefined {
  const value = headers['retry-after']
  return value !== undefined && /^\d{1,6}$/.test(value) ? Number(value) * 1000 : undefined
}

function mediaType({ headers }: IncomingMessage): string {
  return (headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase()
}

async function read(response: IncomingMessage, maxBytes: number): Promise<Uint8Array> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > maxBytes) {
      response.destroy()
      throw new PeerViolation('MALFORMED_MESSAGE', `the answer is larger than ${maxBytes} bytes`)
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
