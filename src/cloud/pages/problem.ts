/**
 * The answer for programs: problem details, the same words as the page.
 *
 * @see RFC 9457
 * @module
 */
import type { Failure } from './answer.ts'

/**
 * What `type` begins with unless the embedder says otherwise; the code follows. It is a name, and
 * nothing is to be fetched there: the code is a heading of the error catalogue.
 */
export const PROBLEM_TYPE = 'urn:app-proxy:problem:'

/** The problem as JSON. */
export function problem(failure: Failure, types = PROBLEM_TYPE): string {
  const { status, code, title, detail, source, requestId, delivery = 'none', members } = failure
  const type = types + code
  // Members of the caller never replace these.
  return JSON.stringify({
    type,
    title,
    status,
    detail,
    code,
    source,
    requestId,
    // Only an error needs to say whether the request may be repeated.
    ...(status >= 400 && { delivery }),
    ...without(members),
  })
}

const OURS = ['type', 'title', 'status', 'detail', 'code', 'source', 'requestId', 'delivery']
const without = (members: Failure['members'] = {}) =>
  Object.fromEntries(Object.entries(members).filter(([name]) => !OURS.includes(name)))
