/**
 * The paths of ours that a sign-in needs.
 *
 * @module
 */
import { headerValues } from '../../protocol/internal.ts'
import { applicationHint } from './attempts.ts'
import { sendBack, sendToIssuer } from './fragment-page.ts'
import type { LiveExchanges } from '../request/live-exchanges.ts'
import { isForFrame } from '../request/navigation.ts'
import { HANDED_OVER_PATH } from '../pages/return-target.ts'
import { nothingHere, type OwnCall, type OwnPathTable } from '../request/own-paths.ts'
import { publishedOf } from '../directory/published.ts'
import { isForm, readForm } from '../request/request-body.ts'
import { checkArrival, tellDenied } from './sign-in-result.ts'
import { CALLBACK_PATH } from './parties.ts'
import type { Application } from '../directory/directory-port.ts'
import type { PreAuthentication } from './sign-in.ts'

/**
 * Where the issuer sends users back to, or the service's own host hands them over to: by an
 * address, or by a form that its page posts. */
export function signInPaths(
  preAuthentication: PreAuthentication,
  live: LiveExchanges,
): OwnPathTable {
  return {
    [CALLBACK_PATH]: {
      GET: (call) => callback(preAuthentication, live, call, call.target.query.slice(1)),
      POST: (call) => posted(preAuthentication, live, call),
    },
    [HANDED_OVER_PATH]: {
      GET: (call) =>
        callback(preAuthentication, live, call, call.target.query.slice(1), 'serviceHost'),
    },
  }
}

async function posted(
  preAuthentication: PreAuthentication,
  live: LiveExchanges,
  call: OwnCall,
): Promise<void> {
  const { request, applications } = call
  if (!applications.some((one) => one.responseMode === 'form_post')) return nothingHere(call)
  // An unreadable form is treated as an empty one, and refused as such.
  const form = isForm(request.user.head.headers) ? await readForm(request) : undefined
  return callback(preAuthentication, live, call, form ?? '')
}

async function callback(
  preAuthentication: PreAuthentication,
  live: LiveExchanges,
  call: OwnCall,
  query: string,
  came?: Application['callback'],
): Promise<void> {
  const { request, applications } = call
  const hint = applicationHint(query)
  const protectedOnes = applications.filter(
    (one) => one.preAuthentication === 'oidc' && one.callback === came,
  )
  const application = protectedOnes.find((one) => one.id === hint) ?? protectedOnes[0]
  if (application === undefined) return nothingHere(call)
  request.asked = application
  const result = await preAuthentication.callback(
    application,
    publishedOf(application).host,
    query,
    headerValues(request.user.head.headers, 'cookie'),
    request.id,
    request.address,
  )
  switch (result.kind) {
    case 'signed-in':
      live.renewed(result.session)
      if (isForFrame(request.user.head))
        return checkArrival(preAuthentication, request, application, result)
      return sendBack(request, result)
    case 'returned':
      return sendBack(request, result)
    case 'redirect':
      return sendToIssuer(request, result)
    case 'denied':
      return tellDenied(preAuthentication, request, application, result)
  }
}
