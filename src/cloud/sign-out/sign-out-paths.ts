/**
 * The paths of ours that end sessions: the user's own sign-out, the page after it, and the issuer's
 * back channel.
 *
 * Only the application's own pages sign a user out at once; whoever else leads there is asked
 * whether they mean it (threat: another site signs users out).
 *
 * @module
 */
import { headerValue, headerValues } from '../../protocol/internal.ts'
import type { BackChannelLogout } from './back-channel-logout.ts'
import { setCookies } from '../request/edge-request.ts'
import { nothingHere, type OwnCall, type OwnPathTable } from '../request/own-paths.ts'
import { OWN_ANSWERS } from '../pages/own-answers.ts'
import { isForm, readForm } from '../request/request-body.ts'
import type { FrontChannelLogout } from './front-channel-logout.ts'
import { OWN_PATH } from '../pages/return-target.ts'
import { isFromOwnPage, withSignIn } from './own-pages.ts'
import { SIGN_OUT_PATH } from './token-hint.ts'
import { SIGNED_OUT_PATH, signedOutOf, type SignOut } from './sign-out.ts'

/** Where the issuer posts its logout tokens; register it as `backchannel_logout_uri`. */
export const BACK_CHANNEL_LOGOUT_PATH = `${OWN_PATH}back-channel-logout`

/** What the issuer's sign-out page opens in a frame; register it as `frontchannel_logout_uri`. */
export const FRONT_CHANNEL_LOGOUT_PATH = `${OWN_PATH}front-channel-logout`

/**
 * What a browser may have kept of private pages goes; its cookies are the application's own
 * business.
 */
const CLEAR = ['Clear-Site-Data', '"cache"']

/** `goesOn` answers users who come back from the issuer for another purpose than signing out. */
export function signOutPaths(
  signOut: SignOut,
  backChannel: BackChannelLogout,
  frontChannel: FrontChannelLogout,
  goesOn: (call: OwnCall) => Promise<boolean>,
): OwnPathTable {
  return {
    [SIGN_OUT_PATH]: {
      GET: (call) => (isOwnNavigation(call) ? leave(signOut, call) : confirm(call, 200)),
      POST: (call) => (isFromOwnPage(call) ? leave(signOut, call) : confirm(call, 403)),
    },
    [SIGNED_OUT_PATH]: {
      GET: async (call) => {
        if (!(await goesOn(call))) await signedOut(signOut, call)
      },
    },
    [FRONT_CHANNEL_LOGOUT_PATH]: { GET: (call) => endFramed(frontChannel, call) },
    [BACK_CHANNEL_LOGOUT_PATH]: { POST: (call) => takeLogoutToken(backChannel, call) },
  }
}

async function leave(signOut: SignOut, call: OwnCall): Promise<void> {
  const { request } = call
  const applications = withSignIn(call)
  if (applications.length === 0) return nothingHere(call)
  const { headers } = request.user.head
  const cookies = headerValues(headers, 'cookie')
  const where = isForm(headers) ? new URLSearchParams(await readForm(request)).get('at') : null
  const issuer = { application: call.request.asked ?? applications[0]! }
  const left = await signOut.signOut(
    ...([applications, cookies, request.id] as const),
    where === 'here' ? 'here' : where === 'issuer' ? issuer : undefined,
  )
  const cleared = [...CLEAR, ...setCookies(left.setCookies)]
  // A script cannot navigate to the issuer: only the session here ends.
  const mode = headerValue(headers, 'sec-fetch-mode')
  if (mode !== undefined && mode !== 'navigate') return request.empty(204, cleared)
  request.reply(303, ['Location', left.location, ...cleared])
}

/**
 * Asks first: nothing shows yet that the user wants this. The session here and the one at the sign-
 * in service are two.
 */
function confirm(call: OwnCall, status: 200 | 403): void {
  const { request } = call
  const applications = withSignIn(call)
  if (applications.length === 0) return nothingHere(call)
  request.answer({
    ...OWN_ANSWERS['sign-out'],
    ...(status === 403 && { status, code: 'origin-refused' }),
    actions: [
      { label: 'Sign out', post: SIGN_OUT_PATH, leavesHost: true },
      { label: 'End the session here only', post: SIGN_OUT_PATH, fields: { at: 'here' } },
      { label: 'Stay signed in', href: applications[0]!.externalUrl },
    ],
  })
}

/**
 * Says that the session here is over. Whether the one at the sign-in service is over, only that
 * service says.
 */
async function signedOut(signOut: SignOut, call: OwnCall): Promise<void> {
  const { request, target } = call
  const applications = withSignIn(call)
  const application = signedOutOf(applications, target.query.slice(1))
  if (application === undefined) return nothingHere(call)
  request.asked = application
  const cookies = headerValues(request.user.head.headers, 'cookie')
  const isStill = await signOut.isSignedIn(applications, cookies)
  if (isStill) return confirm(call, 200)
  const actions = [
    { label: 'Sign in again', href: application.externalUrl },
    {
      ...{ label: 'Sign out at the sign-in service', post: SIGN_OUT_PATH },
      ...({ fields: { at: 'issuer' }, leavesHost: true } as const),
    },
  ]
  const title = `You are signed out of ${named(applications)}`
  request.answer({ ...OWN_ANSWERS['signed-out'], title, actions, headers: CLEAR })
}

/** A sign-out ends the sessions of all applications of the host. */
const named = (applications: readonly { readonly name: string }[]) =>
  applications.map(({ name }) => name).join(', ')

async function takeLogoutToken(backChannel: BackChannelLogout, call: OwnCall): Promise<void> {
  const { request } = call
  const form = isForm(request.user.head.headers)
    ? new URLSearchParams(await readForm(request))
    : undefined
  const [token, ...more] = form?.getAll('logout_token') ?? []
  const isTaken =
    token !== undefined &&
    more.length === 0 &&
    (await backChannel.take(withSignIn(call), token, request.id))
  if (isTaken) return request.reply(200, [])
  const body = JSON.stringify({ error: 'invalid_request' })
  request.reply(400, ['Content-Type', 'application/json'], body)
}

/** The answer is empty: it is for a frame that nobody sees, on the issuer's page alone. */
async function endFramed(frontChannel: FrontChannelLogout, call: OwnCall): Promise<void> {
  const { request, target } = call
  const applications = withSignIn(call)
  if (applications.length === 0) return nothingHere(call)
  const { id: requestId, address, user } = request
  const cookieFields = headerValues(user.head.headers, 'cookie')
  const query = new URLSearchParams(target.query.slice(1))
  const visit = { query, cookieFields, address, requestId }
  const result = await frontChannel.take(applications, visit)
  if (result.kind === 'refused') return request.reply(400, [])
  if (result.kind === 'too-many')
    return request.reply(429, ['Retry-After', String(Math.ceil(result.retryAfterMs / 1000))])
  const ancestors = await frontChannel.framedBy(applications[0]!, result.issuer)
  const policy = `default-src 'none'; frame-ancestors ${ancestors.join(' ')}`
  request.reply(200, ['Content-Security-Policy', policy, ...setCookies(result.setCookies)])
}

/**
 * A link on a page of this host that the user followed: not an image, not a frame, not a prefetch.
 */
function isOwnNavigation({ request }: OwnCall): boolean {
  const { headers } = request.user.head
  const says = (name: string) => headerValue(headers, name)
  return (
    says('sec-fetch-site') === 'same-origin' &&
    says('sec-fetch-mode') === 'navigate' &&
    says('sec-fetch-dest') === 'document' &&
    says('sec-purpose') === undefined
  )
}
