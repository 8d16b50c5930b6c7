/**
 * What came of a callback, at an address that may be loaded again: the callback's own holds a code
 * that is good once, and says nothing true the second time.
 *
 * @module
 */
import { headerValues } from '../../protocol/internal.ts'
import { SIGN_IN_DENIALS } from '../../protocol/machines/sign-in-denials.ts'
import { publishedOf } from '../directory/published.ts'
import { setCookies, type EdgeRequest } from '../request/edge-request.ts'
import type { OwnCall, OwnPathTable } from '../request/own-paths.ts'
import { OWN_PATH, returnTarget } from '../pages/return-target.ts'
import { prefersHtml } from '../pages/negotiation.ts'
import { OWN_ANSWERS } from '../pages/own-answers.ts'
import type { Application } from '../directory/directory-port.ts'
import { withSignIn } from '../sign-out/own-pages.ts'
import type { SealedAnswer } from './sealed-answers.ts'
import type { SignedIn, SignInRefusal } from './sign-in-outcome.ts'
import type { PreAuthentication } from './sign-in.ts'

export const RESULT_PATH = `${OWN_PATH}sign-in/result`
/** Longer ones do without the way back: an address of ours stays below what a request's may be. */
const MAX_ANSWER = 6 * 1024

/** Tells a person by a page of its own address, a program at once. */
export async function tellDenied(
  { answers }: PreAuthentication,
  request: EdgeRequest,
  application: Application,
  denied: SignInRefusal,
): Promise<void> {
  const { reason, detail, returnTo } = denied
  if (!prefersHtml(request.user.head.headers)) {
    const headers = setCookies(denied.setCookies)
    return request.answer({ ...denied, code: reason, headers, isAudited: true })
  }
  const answer = { kind: 'denied', reason, detail, requestId: request.id } as const
  const whole = returnTo === undefined ? answer : { ...answer, returnTo }
  let sealed = await answers.seal(application, whole)
  if (sealed.length > MAX_ANSWER) sealed = await answers.seal(application, answer)
  goTo(request, sealed, denied.setCookies)
}

/**
 * In a frame browsers may drop the session's cookie: one more redirect shows whether they bring it.
 */
export async function checkArrival(
  { answers }: PreAuthentication,
  request: EdgeRequest,
  application: Application,
  { location, setCookies: cookies }: SignedIn,
): Promise<void> {
  const { origin } = new URL(location)
  const answer = { kind: 'arrival', returnTo: location.slice(origin.length) } as const
  goTo(request, await answers.seal(application, answer), cookies)
}

function goTo(request: EdgeRequest, sealed: string, cookies: readonly string[]): void {
  request.reply(303, ['Location', `${RESULT_PATH}?answer=${sealed}`, ...setCookies(cookies)])
}

export function resultPaths(preAuthentication: PreAuthentication): OwnPathTable {
  return { [RESULT_PATH]: { GET: (call) => result(preAuthentication, call) } }
}

async function result(preAuthentication: PreAuthentication, call: OwnCall): Promise<void> {
  const { request, target } = call
  const value = new URLSearchParams(target.query).get('answer')
  const opened = await preAuthentication.answers.open(withSignIn(call), value)
  if (opened === undefined) return request.answer(OWN_ANSWERS['result-unreadable'])
  request.asked = opened.application
  return tell(preAuthentication, request, opened.application, opened.answer)
}

async function tell(
  preAuthentication: PreAuthentication,
  request: EdgeRequest,
  application: Application,
  answer: SealedAnswer,
): Promise<void> {
  const returnTo = answer.returnTo === undefined ? undefined : returnTarget(answer.returnTo)
  request.returnTo = returnTo
  if (answer.kind === 'denied') {
    const { reason, detail, requestId } = answer
    const denial = SIGN_IN_DENIALS[reason]
    return request.answer({ ...denial, code: reason, detail, requestId, isAudited: true })
  }
  const { host } = publishedOf(application)
  const cookies = headerValues(request.user.head.headers, 'cookie')
  const session = await preAuthentication.session(application, host, cookies)
  if (session === undefined) return request.answer(OWN_ANSWERS['session-not-kept'])
  request.redirect(returnTo ?? new URL(application.externalUrl).pathname, [])
}
