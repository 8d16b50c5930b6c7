/**
 * What the admin API says where it does not do what was asked: problem details.
 *
 * @see RFC 9457
 * @module
 */
import {
  ConfigurationInvalid,
  PortFailed,
  Refused,
  type ConfigurationMistake,
  type RefusalReason,
} from '../../protocol/internal.ts'
import { PROBLEM_TYPE } from '../pages/problem.ts'

/** A no, and why. */
export interface AdminProblem {
  readonly status: number
  readonly code: string
  readonly title: string
  readonly mistakes?: readonly Pick<ConfigurationMistake, 'path' | 'detail' | 'meant'>[]
  readonly retryAfterMs?: number | undefined
  /** What `WWW-Authenticate` says. */
  readonly challenge?: string
}

const BEARER = { status: 401, challenge: 'Bearer' } as const

/** Those that are always the same. */
export const ADMIN_PROBLEMS = {
  unauthenticated: {
    ...BEARER,
    code: 'unauthenticated',
    title: 'Show a token: Authorization: Bearer',
  },
  'token-refused': {
    ...{ status: 401, challenge: 'Bearer error="invalid_token"', code: 'token-refused' },
    title: 'The token is not good here',
  },
  forbidden: { status: 403, code: 'forbidden', title: 'The caller’s roles do not include this' },
  'other-origin': { status: 403, code: 'other-origin', title: 'Pages of browsers are not served' },
  misdirected: { status: 421, code: 'misdirected', title: 'The admin API has another host' },
  'not-found': { status: 404, code: 'not-found', title: 'There is nothing here' },
  'method-not-allowed': { status: 405, code: 'method-not-allowed', title: 'Not by this method' },
  'malformed-body': { status: 400, code: 'malformed-body', title: 'The body is no JSON object' },
  'too-large': { status: 413, code: 'too-large', title: 'The body is too large' },
  'media-type': { status: 415, code: 'media-type', title: 'The body must be application/json' },
  'condition-required': {
    ...{ status: 428, code: 'condition-required' },
    title: 'Say what is to be changed: If-Match, with the ETag that was looked at, or *',
  },
  'own-registration': {
    ...{ status: 403, code: 'own-registration' },
    title: 'Whoever registered a connector may not approve it: somebody else must',
  },
  conflict: { status: 412, code: 'conflict', title: 'It is not what it was: look at it again' },
  unrecorded: {
    ...{ status: 503, code: 'unrecorded', retryAfterMs: 10_000 },
    title: 'The audit takes no event, so nothing is done',
  },
  'too-many': { status: 429, code: 'too-many', title: 'Too many at once or in a while' },
  internal: { status: 500, code: 'internal', title: 'A fault of the service' },
} as const satisfies Readonly<Record<string, AdminProblem>>

const REFUSALS: Partial<Readonly<Record<RefusalReason, AdminProblem>>> = {
  'not-found': ADMIN_PROBLEMS['not-found'],
  conflict: ADMIN_PROBLEMS.conflict,
  'own-registration': ADMIN_PROBLEMS['own-registration'],
  'too-large': ADMIN_PROBLEMS['too-large'],
}

/** What a caller is told of an error; `undefined`: it was none that was expected. */
export function adminProblem(error: unknown): AdminProblem | undefined {
  if (error instanceof ConfigurationInvalid)
    return {
      ...{ status: 422, code: 'invalid', title: 'It is not as it must be' },
      mistakes: error.mistakes.map(({ path, detail, meant }) => ({
        ...{ path, detail },
        ...(meant !== undefined && { meant }),
      })),
    }
  if (error instanceof Refused) {
    const { reason, retryAfterMs } = error
    const known = REFUSALS[reason]
    if (known !== undefined) return known
    if (reason === 'unavailable' || reason === 'issuer-unavailable')
      return { status: 503, code: reason, title: 'It cannot be done now', retryAfterMs }
    return { status: 422, code: reason, title: 'It was refused' }
  }
  if (error instanceof PortFailed)
    return { status: 503, code: 'unavailable', title: 'A part of the service fails' }
  return undefined
}

/** The problem as an answer. */
export function problemResponse(problem: AdminProblem): Response {
  const { status, code, title, mistakes, retryAfterMs, challenge } = problem
  return new Response(
    JSON.stringify({ type: PROBLEM_TYPE + code, title, status, code, mistakes }),
    {
      status,
      headers: {
        'content-type': 'application/problem+json',
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        ...(retryAfterMs !== undefined && { 'retry-after': `${Math.ceil(retryAfterMs / 1000)}` }),
        ...(challenge !== undefined && { 'www-authenticate': challenge }),
      },
    },
  )
}
