/**
 * The paths of ours that a sign-in needs.
 *
 * @module
 */
import { headerValues } from '../protocol/index.ts'
import { applicationHint } from './attempts.ts'
import { setCookies } from './edge-request.ts'
import { sendBack, sendToIssuer } from './fragment-page.ts'
import { nothingHere, type OwnCall, type OwnPathTable } from './own-paths.ts'
import { published } from './published.ts'
import { CALLBACK_PATH, type PreAuthentication } from './sign-in.ts'

/** Where the issuer sends users back to. */
export function signInPaths(preAuthentication: PreAuthentication): OwnPathTable {
  return { [CALLBACK_PATH]: { GET: (call) => callback(preAuthentication, call) } }
}

async function callback(preAuthentication: PreAuthentication, call: OwnCall): Promise<void> {
  const { request, applications, target } = call
  const query = target.query.slice(1)
  const hint = applicationHint(query)
  const protectedOnes = applications.filter((one) => one.preAuthentication === 'oidc')
  const application = protectedOnes.find((one) => one.id === hint) ?? protectedOnes[0]
  if (application === undefined) return nothingHere(call)
  const result = await preAuthentication.callback(
    application,
    published(application).host,
    query,
    headerValues(request.user.head.headers, 'cookie'),
    request.id,
    request.address,
  )
  if (result.kind === 'signed-in') return sendBack(request, result, result.keepsFragment)
  if (result.kind === 'redirect') return sendToIssuer(request, result, result.keepsFragment)
  request.answer({ ...result, code: result.reason, headers: setCookies(result.setCookies) })
}
