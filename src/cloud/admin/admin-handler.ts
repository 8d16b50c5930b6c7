/**
 * The admin API as a function from `Request` to `Response`.
 *
 * 1. is it from no page of a browser, and for a host of ours
 * 2. who calls: the token
 * 3. which operation, and may they
 * 4. what goes in: path, query, body, `If-Match`
 * 5. it is written down
 * 6. it is done
 *
 * Nothing of a step is told before the steps before it are passed.
 *
 * @module
 */
import type { ConnectorRegistry } from '../connectors/connector-registry.ts'
import { checkConfiguration } from '../../runtime/check-configuration.ts'
import type { Clocks } from '../../runtime/clocks.ts'
import type { Containment } from '../../runtime/containment.ts'
import { CountedWindow } from '../../runtime/counted-window.ts'
import type { Timer } from '../../runtime/scheduler.ts'
import type { AuditSink } from '../audit/audit-sink.ts'
import { SignInDenied } from '../identity/sign-in-errors.ts'
import { AdminAudit } from './admin-audit.ts'
import { hasRole, type AdminCaller } from './admin-caller.ts'
import {
  ADMIN_PROBLEMS,
  adminProblem,
  problemResponse,
  type AdminProblem,
} from './admin-problems.ts'
import { ADMIN_ROUTES, type AdminCall, type AdminRoute } from './admin-routes.ts'
import type { AdminService } from './admin-service.ts'
import type { AdminTokens } from './admin-tokens.ts'
import { ConnectorWatches } from './connector-watch.ts'

/** What a `Request` does not say of itself. */
export interface AdminRequestInfo {
  /** The IP address of the connection's other end. */
  readonly remoteAddress: string
  /** Whether that is this machine: the local token is for no other. */
  readonly isLocal: boolean
}

export interface AdminHandlerOptions {
  readonly admin: AdminService
  readonly tokens: AdminTokens
  /** Throws where it fails: then nothing is done. */
  readonly audit: AuditSink
  readonly registry: Pick<ConnectorRegistry, 'onChange'>
  readonly clocks: Clocks
  readonly timer: Timer
  readonly containment: Containment
  /** Hosts, as `host[:port]`, that calls are for; others are refused. */
  readonly hosts: (host: string) => boolean
}

/** Answers one call; never rejects. */
export type AdminHandler = (request: Request, info: AdminRequestInfo) => Promise<Response>

/** Octets of a body that are read. */
const MAX_BODY_BYTES = 4 * 1024 * 1024
/** Tokens of one address that are refused in a while, before others of it have to wait. */
const REFUSED = { most: 20, windowMs: 60_000 } as const

export function createAdminHandler(options: AdminHandlerOptions): AdminHandler {
  const handling = new AdminHandling(options)
  return (request, info) => handling.answer(request, info)
}

class AdminHandling {
  readonly #options: AdminHandlerOptions
  readonly #audit: AdminAudit
  readonly #refused: CountedWindow
  readonly #watches: ConnectorWatches

  constructor(options: AdminHandlerOptions) {
    this.#options = options
    this.#audit = new AdminAudit(options)
    this.#refused = new CountedWindow({ now: () => options.clocks.now(), ...REFUSED })
    this.#watches = new ConnectorWatches(options)
  }

  async answer(request: Request, info: AdminRequestInfo): Promise<Response> {
    try {
      const answer = await this.#answer(request, info)
      return answer instanceof Response ? answer : problemResponse(answer)
    } catch (error) {
      this.#options.containment.tellInternal('admin', error)
      return problemResponse(ADMIN_PROBLEMS.internal)
    }
  }

  async #answer(request: Request, info: AdminRequestInfo): Promise<Response | AdminProblem> {
    const { headers, method } = request
    const { host, pathname, searchParams } = new URL(request.url)
    if (!this.#options.hosts(headers.get('host') ?? host)) return ADMIN_PROBLEMS.misdirected
    const isPage = headers.has('origin') || (headers.get('sec-fetch-site') ?? 'none') !== 'none'
    if (isPage) return ADMIN_PROBLEMS['other-origin']

    const waitMs = this.#refused.waitMs(info.remoteAddress)
    if (waitMs > 0) return { ...ADMIN_PROBLEMS['too-many'], retryAfterMs: waitMs }
    const caller = await this.#caller(headers, info)
    if ('status' in caller) return caller

    const found = routeOf(method, pathname)
    const refused = (problem: AdminProblem) => {
      this.#audit.refused({ caller, info, method, operation: found.route?.operation }, problem)
      return problem
    }
    if (found.route === undefined) return refused(ADMIN_PROBLEMS[found.problem])
    const { route, id } = found
    if (!mayCall(caller, route)) return refused(ADMIN_PROBLEMS.forbidden)

    const call = await readCall(request, route, { caller, id, searchParams })
    if ('status' in call) return refused(call)
    return this.#serve(request, route, call, info)
  }

  async #caller(headers: Headers, info: AdminRequestInfo): Promise<AdminCaller | AdminProblem> {
    const [scheme = '', token = ''] = (headers.get('authorization') ?? '').split(' ', 2)
    if (scheme.toLowerCase() !== 'bearer' || token === '') return ADMIN_PROBLEMS.unauthenticated
    const caller = await this.#options.tokens.verify(token, info.isLocal)
    if (!(caller instanceof SignInDenied)) return caller
    this.#refused.count(info.remoteAddress)
    this.#audit.unknown(info, caller)
    if (caller.reason.startsWith('issuer-'))
      return { status: 503, code: 'issuer-unavailable', title: 'The issuer cannot be asked now' }
    return ADMIN_PROBLEMS['token-refused']
  }

  async #serve(
    request: Request,
    route: AdminRoute,
    call: AdminCall,
    info: AdminRequestInfo,
  ): Promise<Response | AdminProblem> {
    const { admin, containment } = this.#options
    const { operation, method, status } = route
    const audited = { caller: call.caller, info, method, operation, call }
    if (!this.#audit.begun(audited)) return ADMIN_PROBLEMS.unrecorded
    const isWatch =
      operation === 'listConnectors' && request.headers.get('accept') === 'text/event-stream'
    if (isWatch) return this.#watches.open(call) ?? ADMIN_PROBLEMS['too-many']
    try {
      const output = await route.serve(admin, call)
      return status === 204 ? new Response(null, { status, headers: PLAIN }) : json(status, output)
    } catch (error) {
      const problem = adminProblem(error) ?? ADMIN_PROBLEMS.internal
      if (problem === ADMIN_PROBLEMS.internal) containment.tellInternal('admin', error)
      this.#audit.failed(audited, problem)
      return problem
    }
  }
}

const PLAIN = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }

function json(status: number, output: unknown): Response {
  const tag = (output as { readonly etag?: unknown } | undefined)?.etag
  return new Response(JSON.stringify(output), {
    status,
    headers: {
      ...{ ...PLAIN, 'content-type': 'application/json' },
      ...(typeof tag === 'string' && { etag: `"${tag}"` }),
    },
  })
}

/** Whether a caller may call an operation at all; whose things it shows is the service's. */
export function mayCall(caller: AdminCaller, { role, scope }: AdminRoute): boolean {
  if (scope === 'service' && caller.tenantId !== undefined) return false
  return role === 'any' || hasRole(caller, role)
}

type Found =
  | { readonly route: AdminRoute; readonly id: string }
  | { readonly route?: undefined; readonly problem: 'not-found' | 'method-not-allowed' }

function routeOf(method: string, path: string): Found {
  let isKnown = false
  for (const route of ADMIN_ROUTES) {
    const id = matched(route.path, path)
    if (id === undefined) continue
    if (route.method === method) return { route, id }
    isKnown = true
  }
  return { problem: isKnown ? 'method-not-allowed' : 'not-found' }
}

/** What stands for `{id}`; `undefined`: it is another path. */
function matched(pattern: string, path: string): string | undefined {
  const [wanted, given] = [pattern.split('/'), path.split('/')]
  if (wanted.length !== given.length) return undefined
  let id = ''
  for (const [i, segment] of wanted.entries()) {
    if (segment === '{id}') id = decoded(given[i]!)
    else if (segment !== given[i]) return undefined
  }
  return pattern.includes('{id}') && id === '' ? undefined : id
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return ''
  }
}

async function readCall(
  request: Request,
  route: AdminRoute,
  { caller, id, searchParams }: { caller: AdminCaller; id: string; searchParams: URLSearchParams },
): Promise<AdminCall | AdminProblem> {
  const condition = request.headers.get('if-match')
  if (route.isConditional === true && condition === null)
    return ADMIN_PROBLEMS['condition-required']
  try {
    const query = Object.fromEntries(searchParams)
    const checked = route.query ? checkConfiguration(route.query, query, { at: 'query' }) : {}
    let input: unknown
    if (route.input !== undefined) {
      const body = await readJson(request)
      if ('status' in body) return body
      input = checkConfiguration(route.input, body.value)
    }
    return { caller, id, query: checked, input, expected: tagIn(condition) }
  } catch (error) {
    const problem = adminProblem(error)
    if (problem === undefined) throw error
    return problem
  }
}

/** Whatever it is: `*`. What is no tag of ours names nothing that there is. */
function tagIn(condition: string | null): string | undefined {
  if (condition === null || condition === '*') return undefined
  return /^"([^"]*)"$/.exec(condition)?.[1] ?? 'none'
}

async function readJson(request: Request): Promise<{ value: unknown } | AdminProblem> {
  const text = await readText(request)
  if (text === undefined) return ADMIN_PROBLEMS['too-large']
  if (text === '') return { value: {} }
  const [type = ''] = (request.headers.get('content-type') ?? '').split(';')
  if (type.trim().toLowerCase() !== 'application/json') return ADMIN_PROBLEMS['media-type']
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { value }
  } catch {
    // It is none.
  }
  return ADMIN_PROBLEMS['malformed-body']
}

/** `undefined`: it is too large. */
async function readText(request: Request): Promise<string | undefined> {
  if (request.body === null) return ''
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  const reader = request.body.getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return text + decoder.decode()
    bytes += value.length
    if (bytes > MAX_BODY_BYTES) {
      await reader.cancel()
      return undefined
    }
    text += decoder.decode(value, { stream: true })
  }
}
