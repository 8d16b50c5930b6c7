/**
 * Calls of the admin API: where it is, what it is shown, and what its answers mean.
 */
import { readFileSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Agent, fetch, type RequestInit, type Response } from 'undici'
import { preparePrivateDirectory } from 'app-proxy/cloud/node'
import { ConfigurationInvalid } from 'app-proxy/protocol'
import { ADMIN_SOCKET, ADMIN_TOKEN } from '../cloud/admin-configuration.ts'
import { readCloudServerConfiguration } from '../cloud/configuration.ts'
import { readAuthorities } from '../program/certificates.ts'
import { CommandFailed, interrupted } from '../program/exit-codes.ts'
import { readSecretFile } from '../program/files.ts'
import { allOf } from '../program/mistakes.ts'
import { printable } from '../program/printable.ts'
import type { Surroundings } from '../program/program.ts'

/** Where the unit that `cloud service` prints keeps its state. */
const USUAL_STATE = '/var/lib/app-proxy-cloud'
/** What is called by a socket has no host of its own. */
const BY_SOCKET = 'http://localhost/'
const PATIENCE_MS = 30_000
const LOOPBACK = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/

/** What every command about it is given. */
export interface ApiGiven {
  readonly config: string | undefined
  readonly 'state-dir': string | undefined
  readonly url: string | undefined
  readonly ca: string | undefined
  readonly 'token-file': string | undefined
}

/** Something that was looked at, by its tag. */
export interface Tagged {
  readonly etag: string
}

/** What is asked of the admin API. */
export interface Ask {
  readonly query?: Readonly<Record<string, string | undefined>>
  readonly body?: object
  /** The tag of what is to be changed. */
  readonly ifMatch?: string
}

/** Where it is called. */
interface Way {
  readonly url: URL
  /** The same for people. */
  readonly place: string
  readonly agent: Agent
}

/** The admin API, as a command calls it. */
export class AdminApiCalls {
  readonly #way: Way
  readonly #token: string
  readonly #signal: AbortSignal

  private constructor(way: Way, token: string, signal: AbortSignal) {
    this.#way = way
    this.#token = token
    this.#signal = signal
  }

  /** @throws ConfigurationInvalid when it is not known where it is, or the token cannot be read */
  static async open(given: ApiGiven, { signal }: Pick<Surroundings, 'signal'>) {
    const { url: written, 'token-file': tokenFile } = given
    if (written === undefined) {
      const [stateDir] = await allOf(
        () => stateDirectoryOf(given),
        () => authoritiesOf(given),
      )
      const token = await readToken(tokenFile ?? join(stateDir, ADMIN_TOKEN))
      return new AdminApiCalls(await wayIn(stateDir), token, signal)
    }
    const [url, ca, token] = await allOf(
      () => apiUrl(written),
      () => authoritiesOf(given),
      () => readTokenOfIssuer(tokenFile),
    )
    const agent = new Agent(ca === undefined ? {} : { connect: { ca: [...ca] } })
    return new AdminApiCalls({ url, place: url.origin, agent }, token, signal)
  }

  get<T>(path: string, query: Ask['query'] = {}): Promise<T> {
    return this.#call('GET', path, { query }) as Promise<T>
  }

  /** `undefined`: the answer has no body. */
  post(path: string, ask: Ask = {}): Promise<unknown> {
    return this.#call('POST', path, { ...ask, body: ask.body ?? {} })
  }

  put(path: string, ask: Ask): Promise<unknown> {
    return this.#call('PUT', path, ask)
  }

  async #call(method: string, path: string, { query = {}, body, ifMatch }: Ask): Promise<unknown> {
    const url = new URL(`.${path}`, this.#way.url)
    for (const [name, value] of Object.entries(query))
      if (value !== undefined) url.searchParams.set(name, value)
    const answer = await this.#asked(url, {
      method,
      // The token is for nobody else.
      redirect: 'manual',
      headers: {
        authorization: `Bearer ${this.#token}`,
        ...(body && { 'content-type': 'application/json' }),
        ...(ifMatch !== undefined && { 'if-match': `"${ifMatch}"` }),
      },
      ...(body && { body: JSON.stringify(body) }),
    })
    if (answer.status === 204) return undefined
    const text = await answer.text().catch(() => '')
    if (answer.ok && isOf(answer, 'application/json')) return parsed(text) ?? this.#stranger()
    if (!isOf(answer, 'application/problem+json')) return this.#stranger()
    throw saidNo(answer, (parsed(text) ?? {}) as Problem)
  }

  async #asked(url: URL, init: RequestInit): Promise<Response> {
    const late = AbortSignal.timeout(PATIENCE_MS)
    try {
      const signal = AbortSignal.any([this.#signal, late])
      return await fetch(url, { ...init, signal, dispatcher: this.#way.agent })
    } catch (cause) {
      if (this.#signal.aborted) throw interrupted(this.#signal)
      const { code } = ((cause as Error).cause ?? {}) as NodeJS.ErrnoException
      const why = late.aborted ? `it was silent for ${PATIENCE_MS / 1000} s` : (code ?? 'no answer')
      throw new CommandFailed(
        'unreachable',
        `the admin API at ${this.#way.place} cannot be reached (${why}): does the cloud run, with "admin" in its configuration? --config or --url says where it is`,
        { cause },
      )
    }
  }

  #stranger(): never {
    throw new CommandFailed(
      'failed',
      `what answers at ${this.#way.place} is no admin API: --url must be that of "admin" in the cloud's configuration`,
    )
  }
}

interface Problem {
  readonly code?: string
  readonly title?: string
  readonly mistakes?: readonly { readonly path: string; readonly detail: string }[]
}

/** What is to be done about it, by the code of the problem. */
const REMEDIES: Readonly<Record<string, string>> = {
  unauthenticated: '--token-file must name a file with a token',
  'token-refused':
    '--token-file must be the admin-token in the state directory of this very cloud, or a token for its admin API',
  conflict: 'somebody else changed it, and nothing was changed now; "show" tells what it is',
  'own-registration': '"show" tells who registered it',
  'not-found': '"list" tells what there is',
  unrecorded: 'mend what its audit is written to',
  misdirected: 'use a name that "admin.hosts" has in its configuration',
}

function saidNo({ status, headers }: Response, { code = '', title, mistakes }: Problem) {
  const wait = headers.get('retry-after')
  const remedy =
    REMEDIES[code] ?? (wait === null ? undefined : `try again in ${printable(wait)} seconds`)
  const what = printable(title ?? `status ${status}`)
  const line = `the cloud said no: ${what}${remedy === undefined ? '' : ` (${remedy})`}`
  const lines = mistakes?.map(({ path, detail }) => printable(`${path}: ${detail}`))
  const exit = status >= 500 || status === 429 ? 'failed' : 'refused'
  return new CommandFailed(
    exit,
    lines?.length ? lines.map((one) => `the cloud said no: ${one}`) : line,
  )
}

const isOf = ({ headers }: Response, type: string) =>
  headers.get('content-type')?.split(';')[0]?.trim() === type

function parsed(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}

/** Who may have certified the port; `undefined`: whom everybody knows. */
async function authoritiesOf({ ca }: ApiGiven): Promise<readonly string[] | undefined> {
  return ca === undefined ? undefined : readAuthorities(ca, { path: '--ca' })
}

/** Plain HTTP is for this machine alone: others could read the token. */
function apiUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isGood =
    url?.protocol === 'https:' || (url?.protocol === 'http:' && LOOPBACK.test(url.hostname))
  if (url === undefined || !isGood || url.username !== '' || url.password !== '')
    throw new ConfigurationInvalid([
      { path: '--url', detail: 'must be an https URL, or http on this machine' },
    ])
  url.pathname = url.pathname.replace(/\/*$/, '/')
  return url
}

/** By the socket. Where others may enter, one of theirs may be in its place. */
async function wayIn(stateDir: string): Promise<Way> {
  // One that is not there is not made.
  await stat(stateDir)
  await preparePrivateDirectory(stateDir)
  const socketPath = join(stateDir, ADMIN_SOCKET)
  const agent = new Agent({ connect: { socketPath } })
  return { url: new URL(BY_SOCKET), place: socketPath, agent }
}

async function stateDirectoryOf(given: ApiGiven): Promise<string> {
  const { config: file, 'state-dir': told = USUAL_STATE } = given
  if (file === undefined) return told
  const { admin, stateDir } = await readCloudServerConfiguration(file)
  if (admin === undefined)
    throw new ConfigurationInvalid([
      { file, path: 'admin', detail: 'is missing: without it the cloud has no admin API' },
    ])
  return stateDir
}

async function readToken(file: string): Promise<string> {
  const path = '--token-file'
  const text = file === '-' ? readFileSync(0, 'utf8') : await readSecretFile(file, { path })
  const token = text.trim()
  // What it holds is not told: it may be another secret.
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new ConfigurationInvalid([{ path, detail: 'must hold one token, in one line' }])
  return token
}

/** At a port anybody may listen while the cloud does not: a local token is not for there. */
async function readTokenOfIssuer(file: string | undefined): Promise<string> {
  const path = '--token-file'
  if (file === undefined) throw new ConfigurationInvalid([{ path, detail: 'is needed with --url' }])
  const token = await readToken(file)
  if (token.includes('.')) return token
  const detail =
    "must hold an issuer's token: the local token is shown at the socket alone (leave out --url)"
  throw new ConfigurationInvalid([{ path, detail }])
}
