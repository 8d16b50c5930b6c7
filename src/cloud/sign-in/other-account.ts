/**
 * Signing in as somebody else: whoever is refused is signed out here and at the issuer, with a
 * session here or without one, and then the issuer is told to ask for an account.
 *
 * @module
 */
import { headerValues } from '../../protocol/internal.ts'
import { publishedOf, selectApplication } from '../directory/published.ts'
import { setCookies } from '../request/edge-request.ts'
import { nothingHere, type OwnCall, type OwnPathTable } from '../request/own-paths.ts'
import { isForm, readForm } from '../request/request-body.ts'
import { OTHER_ACCOUNT_PATH, returnTarget } from '../pages/return-target.ts'
import { OWN_ANSWERS } from '../pages/own-answers.ts'
import type { Application } from '../directory/directory-port.ts'
import { isFromOwnPage, withSignIn } from '../sign-out/own-pages.ts'
import type { SignOut } from '../sign-out/sign-out.ts'
import { sendToIssuer } from './fragment-page.ts'
import type { PreAuthentication } from './sign-in.ts'

/** Issuers that announce it let the user choose; every issuer knows `login`. */
export function promptForOther(
  metadata: Readonly<Record<string, unknown>>,
): 'select_account' | 'login' {
  const { prompt_values_supported: known } = metadata
  return Array.isArray(known) && known.includes('select_account') ? 'select_account' : 'login'
}

export function otherAccountPaths(
  preAuthentication: PreAuthentication,
  signOut: SignOut,
): OwnPathTable {
  return { [OTHER_ACCOUNT_PATH]: { POST: (call) => leave(preAuthentication, signOut, call) } }
}

/** The button's form names the address that was refused. */
async function leave(
  preAuthentication: PreAuthentication,
  signOut: SignOut,
  call: OwnCall,
): Promise<void> {
  const { request } = call
  const { headers } = request.user.head
  const applications = withSignIn(call)
  if (applications.length === 0) return nothingHere(call)
  if (!isFromOwnPage(call)) return request.answer(OWN_ANSWERS['other-account-refused'])
  const form = isForm(headers) ? new URLSearchParams(await readForm(request)) : undefined
  const wanted = returnTarget(form?.get('to') ?? '')
  const application = applicationAt(applications, wanted)
  request.asked = application
  const returnTo = wanted ?? new URL(application.externalUrl).pathname
  const answer = { kind: 'other-account', returnTo } as const
  const state = await preAuthentication.answers.seal(application, answer)
  const cookies = headerValues(headers, 'cookie')
  const left = await signOut.signOut([application], cookies, request.id, { application, state })
  request.reply(303, ['Location', left.location, ...setCookies(left.setCookies)])
}

/**
 * Comes back from the issuer's sign-out: true, when it was one to sign in as somebody else, and the
 * user is on the way.
 */
export async function signInAgain(
  preAuthentication: PreAuthentication,
  call: OwnCall,
): Promise<boolean> {
  const { request, target } = call
  const state = new URLSearchParams(target.query).get('state')
  const opened = await preAuthentication.answers.open(withSignIn(call), state)
  if (opened?.answer.kind !== 'other-account') return false
  const { application, answer } = opened
  request.asked = application
  const begun = await preAuthentication.begin(
    ...([application, publishedOf(application).host, answer.returnTo] as const),
    ...([headerValues(request.user.head.headers, 'cookie'), request.id] as const),
    { otherAccount: true },
  )
  if (begun.kind === 'redirect') sendToIssuer(request, begun)
  else {
    request.returnTo = answer.returnTo
    const headers = setCookies(begun.setCookies)
    request.answer({ ...begun, code: begun.reason, headers, isAudited: true })
  }
  return true
}

/** The one that a target of the host belongs to, or the one with the longest path. */
export function applicationAt(applications: readonly Application[], target = ''): Application {
  try {
    const [path = ''] = target.split('?', 1)
    return selectApplication(applications, path)?.application ?? applications[0]!
  } catch {
    // An ambiguous path belongs to no application.
    return applications[0]!
  }
}
