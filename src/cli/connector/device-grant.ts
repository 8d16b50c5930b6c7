/**
 * A registrar's token for a machine without a browser: whoever may register connectors confirms a
 * code at the issuer, in a browser of their own.
 *
 * @see RFC 8628
 */
import * as oauth from 'oauth4webapi'
import type { ProxyOptions } from 'app-proxy/connector/node'
import { ConfigurationInvalid } from 'app-proxy/protocol'
import { issuerCalls, type IssuerCalls } from './issuer-calls.ts'
import { CommandFailed, interrupted } from '../program/exit-codes.ts'

export interface DeviceGrantOptions {
  readonly issuer: string
  /** A public client of the issuer that may use this grant. */
  readonly clientId: string
  /** The service that the token is for (RFC 8707). Default: not said. */
  readonly audience?: string | undefined
  readonly scope: string
  /** On the way to an issuer elsewhere. */
  readonly proxy: ProxyOptions | undefined
  readonly signal: AbortSignal
  /** Tells a person what to do. */
  readonly ask: (asked: AskedAtIssuer) => void
}

/** What a person does at the issuer. */
export interface AskedAtIssuer {
  readonly verificationUri: string
  /** The same with the code in it. */
  readonly verificationUriComplete?: string | undefined
  readonly userCode: string
  /** Milliseconds since 1970. */
  readonly expiresAt: number
}

/** RFC 8628, section 3.2: where the issuer does not say. */
const INTERVAL_SECONDS = 5
/** RFC 8628, section 3.5. */
const SLOWER_SECONDS = 5

/**
 * The access token.
 *
 * @throws ConfigurationInvalid where the issuer is none, or has no such grant; CommandFailed where
 *   it says no, cannot be reached, or a signal came first
 */
export async function deviceToken(options: DeviceGrantOptions): Promise<string> {
  const calls = issuerCalls(options.proxy)
  try {
    return await tokenBy(calls, options)
  } finally {
    await calls.close()
  }
}

async function tokenBy({ fetch }: IssuerCalls, options: DeviceGrantOptions): Promise<string> {
  const { issuer, clientId, audience, scope, signal, ask } = options
  const http = {
    signal,
    [oauth.customFetch]: fetch,
    [oauth.allowInsecureRequests]: isLocal(issuer),
  }
  const server = await discovered(issuer, http)
  const client: oauth.Client = { client_id: clientId }
  const resource = audience === undefined ? {} : { resource: audience }
  const device = await answered(issuer, signal, async () =>
    oauth.processDeviceAuthorizationResponse(
      server,
      client,
      await oauth.deviceAuthorizationRequest(
        server,
        client,
        oauth.None(),
        { scope, ...resource },
        http,
      ),
    ),
  )
  const expiresAt = Date.now() + device.expires_in * 1000
  ask({
    verificationUri: device.verification_uri,
    verificationUriComplete: device.verification_uri_complete,
    userCode: device.user_code,
    expiresAt,
  })
  let seconds = device.interval ?? INTERVAL_SECONDS
  while (Date.now() < expiresAt) {
    await pause(seconds, signal)
    const token = await answered(issuer, signal, async () => {
      const asked = await oauth.deviceCodeGrantRequest(
        server,
        client,
        oauth.None(),
        device.device_code,
        { ...http, additionalParameters: resource },
      )
      return oauth.processDeviceCodeResponse(server, client, asked).catch(waiting)
    })
    if (typeof token !== 'string') return token.access_token
    if (token === 'slow_down') seconds += SLOWER_SECONDS
  }
  throw new CommandFailed('refused', 'the code has expired: nobody confirmed it in time')
}

/** The two answers that say: ask again. */
function waiting(error: unknown): 'authorization_pending' | 'slow_down' {
  const code = error instanceof oauth.ResponseBodyError ? error.error : undefined
  if (code === 'authorization_pending' || code === 'slow_down') return code
  throw error
}

async function discovered(
  issuer: string,
  http: oauth.HttpRequestOptions<'GET'> & { readonly signal: AbortSignal },
): Promise<oauth.AuthorizationServer> {
  const wrong = (detail: string, cause?: unknown) =>
    new ConfigurationInvalid([{ path: '--issuer', detail, value: JSON.stringify(issuer) }], {
      cause,
    })
  if (!URL.canParse(issuer)) throw wrong('must be an absolute URL')
  const url = new URL(issuer)
  if (url.protocol !== 'https:' && !isLocal(issuer))
    throw wrong('must be an https URL, except on this machine')
  const server = await answered(issuer, http.signal, async () => {
    const response = await oauth.discoveryRequest(url, { ...http, algorithm: 'oidc' })
    return oauth.processDiscoveryResponse(url, response).catch((cause: unknown) => {
      throw wrong(`is no issuer: its metadata cannot be used (status ${response.status})`, cause)
    })
  })
  if (server.device_authorization_endpoint === undefined)
    throw wrong('has no device authorization grant: register with --token-file or --ticket-file')
  return server
}

/** What an issuer says no to is told as its no; one that does not answer, as out of reach. */
async function answered<T>(issuer: string, signal: AbortSignal, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (cause) {
    if (signal.aborted) throw interrupted(signal)
    if (cause instanceof ConfigurationInvalid) throw cause
    if (cause instanceof oauth.ResponseBodyError)
      throw new CommandFailed(
        'refused',
        `the issuer said no: ${REFUSALS[cause.error] ?? cause.error}`,
        {
          cause,
        },
      )
    if (cause instanceof TypeError) {
      const { code = 'no answer', message } = (cause.cause ?? {}) as Partial<NodeJS.ErrnoException>
      if (code === 'ERR_PROXY_FAILED')
        throw new CommandFailed('unreachable', `--issuer: ${message}: ${PROXY_REMEDY}`, { cause })
      const line = `--issuer: cannot be reached (${code}) (is ${JSON.stringify(issuer)})`
      throw new CommandFailed('unreachable', line, { cause })
    }
    const line = `--issuer: answers as no issuer does (is ${JSON.stringify(issuer)})`
    throw new CommandFailed('refused', line, { cause })
  }
}

const PROXY_REMEDY =
  'correct HTTPS_PROXY, with user and password where it wants them (407); or name the host in NO_PROXY, if it can be reached without'

const REFUSALS: Readonly<Record<string, string>> = {
  access_denied: 'whoever was asked did not confirm the code (access_denied)',
  expired_token: 'the code has expired: nobody confirmed it in time (expired_token)',
  invalid_client: 'it does not know --client-id (invalid_client)',
  unauthorized_client: '--client-id may not use this grant (unauthorized_client)',
  invalid_target: 'it has no service that is called --audience (invalid_target)',
  invalid_scope: 'it does not give --scope (invalid_scope)',
}

const isLocal = (issuer: string) =>
  /^http:\/\/(?:127(?:\.\d+){3}|\[::1\]|(?:[\w-]+\.)*localhost)(?::\d+)?(?:\/|$)/.test(issuer)

function pause(seconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer)
      reject(interrupted(signal))
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', end)
      resolve()
    }, seconds * 1000)
    signal.addEventListener('abort', end, { once: true })
    if (signal.aborted) end()
  })
}
