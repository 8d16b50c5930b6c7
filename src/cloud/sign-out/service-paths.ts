/**
 * Sign-out at the service's own host, for applications that are called back there: the issuer knows
 * that host alone, by all three of its addresses.
 *
 * @module
 */
import type { Directory } from '../directory/directory-port.ts'
import { decodedId } from '../directory/encoded-id.ts'
import { nothingHere, type OwnCall, type OwnPathTable } from '../request/own-paths.ts'
import { BACK_CHANNEL_LOGOUT_PATH, FRONT_CHANNEL_LOGOUT_PATH } from './sign-out-paths.ts'
import { SIGNED_OUT_PATH } from './sign-out.ts'

/** `paths`: those that every external host has. */
export function serviceSignOutPaths(
  directory: Pick<Directory, 'application'>,
  paths: OwnPathTable,
): OwnPathTable {
  return {
    [SIGNED_OUT_PATH]: { GET: (call) => goBack(directory, call) },
    [FRONT_CHANNEL_LOGOUT_PATH]: paths[FRONT_CHANNEL_LOGOUT_PATH]!,
    [BACK_CHANNEL_LOGOUT_PATH]: paths[BACK_CHANNEL_LOGOUT_PATH]!,
  }
}

/** To the page of the application's own host that says so: nowhere else, whatever is asked. */
function goBack(directory: Pick<Directory, 'application'>, call: OwnCall): void {
  const state = new URLSearchParams(call.target.query).get('state') ?? ''
  const application = directory.application(decodedId(state.split('.', 1)[0]) ?? '')
  if (application?.callback !== 'serviceHost' || !/^[\w.-]{1,8192}$/.test(state))
    return nothingHere(call)
  const { origin } = new URL(application.externalUrl)
  call.request.reply(303, ['Location', `${origin}${SIGNED_OUT_PATH}?state=${state}`])
}
