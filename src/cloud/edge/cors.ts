/**
 * Cross-origin requests: which pages of other sites may read an application's answers.
 *
 * A preflight carries no cookie by design, so it cannot be asked who it is: it is answered here, by
 * the application's rule, and is never sent on in anybody's name. Where there is a rule it decides
 * alone, for our own answers as well; what an application says about CORS by itself is dropped.
 *
 * @see spec/PROTOCOL.md, "Cross-origin requests"; Fetch, section 3.3
 * @module
 */
import type { HeaderList } from '../../protocol/internal.ts'
import { isPreflight } from '../directory/cors-rule.ts'
import type { EdgeRequest } from '../request/edge-request.ts'
import { OWN_ANSWERS } from '../pages/own-answers.ts'
import type { Published } from '../directory/published.ts'

/**
 * Answers a preflight, and says what every other answer to this request grants. True: it was
 * answered.
 *
 * Costs nothing for applications without a rule but for OPTIONS.
 */
export function answerCors(request: EdgeRequest, application: Published, path: string): boolean {
  const { cors } = application
  const { head } = request.user
  request.isCorsDecided = true
  if (cors === undefined || !cors.covers(path)) {
    const { preAuthentication } = application.application
    // A passthrough application answers for itself: nobody is identified there.
    if (head.method !== 'OPTIONS' || preAuthentication === 'passthrough') return false
    if (!isPreflight(head)) return false
    request.answer(OWN_ANSWERS['cors-not-configured'])
    return true
  }
  if (!isPreflight(head)) {
    request.cors = cors.grants(head)
    return false
  }
  const outcome = cors.preflight(head)
  if (typeof outcome === 'string') {
    request.cors = cors.grantsNothing
    request.answer(OWN_ANSWERS[outcome])
  } else request.empty(204, outcome)
  return true
}

/** A response's list with what our rule grants, in the place of what the application would. */
export function withGrants(headers: HeaderList, grants: HeaderList): HeaderList {
  const kept: string[] = []
  for (let i = 0; i < headers.length; i += 2)
    if (!CORS_ANSWER.test(headers[i]!)) kept.push(headers[i]!, headers[i + 1]!)
  return [...kept, ...grants]
}

const CORS_ANSWER = /^access-control-(?:allow-|expose-|max-age$)/i
