/**
 * What a script may ask about the session it runs in: how long it lasts, and to renew it.
 *
 * Only pages of the same origin are answered, by numbers alone; asking is no use of the session.
 * Where an application shares its host, the answer is about the session that ends first, and all of
 * them are renewed.
 *
 * @see docs/sessions.md
 * @module
 */
import { headerValue, headerValues } from '../../protocol/internal.ts'
import { publishedOf } from '../directory/published.ts'
import { setCookies } from '../request/edge-request.ts'
import type { OwnCall, OwnPathTable } from '../request/own-paths.ts'
import { OWN_PATH } from '../pages/return-target.ts'
import { OWN_ANSWERS } from '../pages/own-answers.ts'
import type { Application } from '../directory/directory-port.ts'
import type { Clocks } from '../../runtime/clocks.ts'
import { BoundedCache } from '../../runtime/bounded-cache.ts'
import { renewalDueAt } from '../session/session-lifetime.ts'
import type { SessionRenewals } from '../session/session-renewals.ts'
import type { Session, Sessions } from '../session/session.ts'

export const SESSION_PATH = `${OWN_PATH}session`
/** A session is renewed no more often than this by a script. Milliseconds. */
const RENEW_EVERY_MS = 30_000
const MAX_REMEMBERED = 4_096

export interface SessionPathsOptions {
  readonly sessions: Sessions
  readonly renewals: SessionRenewals
  readonly clocks: Pick<Clocks, 'wallClock'>
}

/** A session of the host, and the application that it is for. */
interface Held {
  readonly application: Application
  readonly session: Session
}

export function sessionPaths(options: SessionPathsOptions): OwnPathTable {
  const renewedAt = new BoundedCache<number>(MAX_REMEMBERED)
  return {
    [SESSION_PATH]: {
      GET: async (call) => {
        const held = await heldBy(options, call)
        if (held !== undefined) tell(options, call, held)
      },
      POST: async (call) => {
        const held = await heldBy(options, call)
        if (held !== undefined) await renew(options, renewedAt, call, held)
      },
    },
  }
}

/** The sessions that are asked about; `undefined`: the request was answered. */
async function heldBy(
  { sessions, clocks }: SessionPathsOptions,
  { request, applications }: OwnCall,
): Promise<readonly Held[] | undefined> {
  const { headers } = request.user.head
  // Never grant CORS here, not even for the refusal.
  request.isCorsDecided = true
  // Browsers send this field themselves; a page cannot forge it.
  if (headerValue(headers, 'sec-fetch-site') !== 'same-origin') {
    request.answer(OWN_ANSWERS['session-same-origin'])
    return undefined
  }
  const cookies = headerValues(headers, 'cookie')
  const now = clocks.wallClock()
  const held: Held[] = []
  for (const application of applications) {
    if (application.preAuthentication !== 'oidc') continue
    const { host } = publishedOf(application)
    const session = await sessions.read(application, host, cookies, now)
    if (session !== undefined) held.push({ application, session })
  }
  if (held.length > 0) return held
  request.answer(OWN_ANSWERS['session-none'])
  return undefined
}

async function renew(
  options: SessionPathsOptions,
  renewedAt: BoundedCache<number>,
  call: OwnCall,
  held: readonly Held[],
): Promise<void> {
  const { request } = call
  const { renewals, clocks } = options
  const now = clocks.wallClock()
  const waits = held.map(({ session }) => (renewedAt.get(session.id) ?? 0) + RENEW_EVERY_MS - now)
  const waitMs = Math.max(...waits)
  // A wall clock that was put back must not lengthen the wait.
  if (waitMs > 0 && waitMs <= RENEW_EVERY_MS)
    return request.answer({ ...OWN_ANSWERS['session-renewed-lately'], retryAfterMs: waitMs })
  for (const { session } of held) renewedAt.set(session.id, now)
  const renewed: Held[] = []
  const cookies: string[] = []
  for (const { application, session } of held) {
    if (session.hasGrant !== true) continue
    const { host } = publishedOf(application)
    const renewal = await renewals.renew(application, host, session, request, true)
    if (renewal.kind !== 'renewed') continue
    cookies.push(renewal.setCookie)
    renewed.push({ application, session: renewal.session })
  }
  if (renewed.length < held.length)
    return request.answer({ ...OWN_ANSWERS['session-needs-user'], headers: setCookies(cookies) })
  tell(options, call, renewed, cookies)
}

function tell(
  { sessions, clocks }: SessionPathsOptions,
  { request }: OwnCall,
  held: readonly Held[],
  cookies: readonly string[] = [],
): void {
  const now = clocks.wallClock()
  const earliest = (times: readonly number[]) => Math.max(0, Math.round(Math.min(...times) - now))
  const ends = held.map(({ application, session }) => sessions.endOf(application, session))
  const renews = held.map(({ session }, i) => Math.min(ends[i]!, renewalDueAt(session)))
  const body = JSON.stringify({ endsInMs: earliest(ends), renewInMs: earliest(renews) })
  request.reply(200, ['Content-Type', 'application/json', ...setCookies(cookies)], body)
}
