/**
 * Signing in in a window of its own, while the pages that need it stay as they are: a form that was
 * not delivered, a script whose session nobody can renew without its user.
 *
 * A session there is goes past the issuer first, which asks its user nothing; where that does not
 * renew it, and where there is none, the issuer asks what it needs to. The second way has another
 * end than the first, so nobody is sent round.
 *
 * @see docs/sessions.md
 * @module
 */
import { headerValues } from '../../protocol/internal.ts'
import { challenge } from '../request/challenge.ts'
import { publishedOf } from '../directory/published.ts'
import { setCookies, type EdgeRequest } from '../request/edge-request.ts'
import { wayIn } from '../request/navigation.ts'
import { nothingHere, type OwnCall, type OwnPathTable } from '../request/own-paths.ts'
import {
  FORM_WINDOW_DONE_PATH,
  FORM_WINDOW_PATH,
  returnTarget,
  WINDOW_DONE_PATH,
  WINDOW_PATH,
  WINDOW_RENEWED_PATH,
} from '../pages/return-target.ts'
import type { PageScript } from '../pages/answer.ts'
import { OWN_ANSWERS } from '../pages/own-answers.ts'
import type { Application } from '../directory/directory-port.ts'
import type { Clocks } from '../../runtime/clocks.ts'
import type { Session, Sessions } from '../session/session.ts'
import { withSignIn } from '../sign-out/own-pages.ts'
import { sendToIssuer } from './fragment-page.ts'
import { applicationAt } from './other-account.ts'
import { isDue } from '../session/renewals.ts'
import type { PreAuthentication } from './sign-in.ts'

/** Where a browser does not allow it, the window stays, and its user reads the page. */
export const CLOSE_WINDOW: PageScript = {
  text: 'window.close()',
  hash: 'sha256-jqxtvDkBbRAl9Hpqv68WdNOieepg8tJSYu1xIy7zT34=',
}

export interface WindowPathsOptions {
  readonly preAuthentication: Pick<PreAuthentication, 'begin'>
  readonly sessions: Pick<Sessions, 'read'>
  readonly clocks: Pick<Clocks, 'wallClock'>
}

export function windowPaths(options: WindowPathsOptions): OwnPathTable {
  return {
    [WINDOW_PATH]: { GET: (call) => open(options, call) },
    [WINDOW_RENEWED_PATH]: { GET: (call) => renewed(options, call) },
    [WINDOW_DONE_PATH]: { GET: (call) => done(options, call) },
    [FORM_WINDOW_PATH]: { GET: (call) => openForForm(options, call) },
    [FORM_WINDOW_DONE_PATH]: { GET: (call) => doneForForm(options, call) },
  }
}

async function open(options: WindowPathsOptions, call: OwnCall): Promise<void> {
  const application = meant(call)
  if (application === undefined) return nothingHere(call)
  const session = await sessionOf(options, call, application)
  const end = session === undefined ? WINDOW_DONE_PATH : WINDOW_RENEWED_PATH
  return begin(options, call.request, application, end, session)
}

/** A session that is due still was not renewed. */
async function renewed(options: WindowPathsOptions, call: OwnCall): Promise<void> {
  const now = options.clocks.wallClock()
  for (const application of withSignIn(call)) {
    const session = await sessionOf(options, call, application)
    if (session !== undefined && isDue(session, now))
      return begin(options, call.request, application, WINDOW_DONE_PATH)
  }
  return done(options, call)
}

async function done(options: WindowPathsOptions, call: OwnCall): Promise<void> {
  for (const application of withSignIn(call))
    if ((await sessionOf(options, call, application)) !== undefined)
      return tell(call, application, 'signed-in-window', CLOSE_WINDOW)
  call.request.answer(OWN_ANSWERS['session-none'])
}

/** Somebody who has signed in meanwhile, in another window, need not again. */
async function openForForm(options: WindowPathsOptions, call: OwnCall): Promise<void> {
  const application = meant(call)
  if (application === undefined) return nothingHere(call)
  if ((await sessionOf(options, call, application)) !== undefined)
    return tell(call, application, 'signed-in-form')
  return begin(options, call.request, application, FORM_WINDOW_DONE_PATH)
}

async function doneForForm(options: WindowPathsOptions, call: OwnCall): Promise<void> {
  for (const application of withSignIn(call))
    if ((await sessionOf(options, call, application)) !== undefined)
      return tell(call, application, 'signed-in-form')
  call.request.answer(OWN_ANSWERS['session-none'])
}

function tell(
  { request }: OwnCall,
  application: Application,
  code: 'signed-in-window' | 'signed-in-form',
  script?: PageScript,
): void {
  request.asked = application
  const href = new URL(application.externalUrl).pathname
  const actions = [{ label: 'Go to the start page', href }]
  request.answer({ ...OWN_ANSWERS[code], actions, ...(script && { script }) })
}

/** `?for=PATH` says which application, where several share the host. */
function meant(call: OwnCall): Application | undefined {
  const applications = withSignIn(call)
  const wanted = returnTarget(new URLSearchParams(call.target.query).get('for') ?? '')
  return applications.length === 0 ? undefined : applicationAt(applications, wanted)
}

async function begin(
  { preAuthentication }: WindowPathsOptions,
  request: EdgeRequest,
  application: Application,
  end: string,
  renews?: Session,
): Promise<void> {
  request.asked = application
  const { head } = request.user
  const way = wayIn(head, application)
  const refusal = way === 'window' ? 'sign-in-framed' : 'sign-in-required'
  if (way !== 'page' && way !== 'redirect')
    return request.answer({
      ...OWN_ANSWERS[refusal],
      headers: ['WWW-Authenticate', challenge(publishedOf(application), head.headers)],
    })
  const begun = await preAuthentication.begin(
    ...([application, publishedOf(application).host, end] as const),
    ...([headerValues(head.headers, 'cookie'), request.id] as const),
    renews === undefined ? {} : { renews },
  )
  if (begun.kind === 'redirect') return sendToIssuer(request, begun)
  const headers = setCookies(begun.setCookies)
  request.answer({ ...begun, code: begun.reason, headers, isAudited: true })
}

const sessionOf = (
  { sessions, clocks }: WindowPathsOptions,
  { request }: OwnCall,
  application: Application,
): Promise<Session | undefined> => {
  const cookies = headerValues(request.user.head.headers, 'cookie')
  return sessions.read(application, publishedOf(application).host, cookies, clocks.wallClock())
}
