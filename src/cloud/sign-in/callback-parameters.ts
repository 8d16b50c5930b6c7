/**
 * What the issuer's answer says: a query, or a form posted by its page.
 *
 * @module
 */
import type { CallbackParameters } from '../../protocol/machines/sign-in.ts'
import { SignInDenied } from '../identity/sign-in-errors.ts'

/** A longer answer is not looked at. */
const MAX_CHARACTERS = 8 * 1024
/** Sealed, it is as much longer as base64url is. */
const MAX_HANDED_OVER = 12 * 1024

/** The parameters; one that comes twice spoils them all. */
export function callbackParameters(
  text: string,
  isHandedOver = false,
): CallbackParameters & { readonly state: string } {
  if (text.length > (isHandedOver ? MAX_HANDED_OVER : MAX_CHARACTERS))
    throw new SignInDenied('callback-malformed')
  const parameters = new URLSearchParams(text)
  const names = [...parameters.keys()]
  if (new Set(names).size !== names.length) throw new SignInDenied('callback-malformed')
  // We never ask for a token in the front channel: refuse one.
  if (['id_token', 'token', 'access_token', 'response'].some((name) => parameters.has(name)))
    throw new SignInDenied('callback-malformed')
  const state = parameters.get('state')
  if (state === null) throw new SignInDenied('callback-malformed')
  const all = {
    code: parameters.get('code'),
    issuer: parameters.get('iss'),
    error: parameters.get('error'),
  }
  const known = Object.entries(all).filter(([, value]) => value !== null)
  return { state, ...Object.fromEntries(known) }
}
