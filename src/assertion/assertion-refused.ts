/**
 * Why an assertion is not taken.
 *
 * @module
 */
import { AppProxyError } from '../protocol/wire/errors.ts'

/**
 * Why an assertion is not taken. Stable: programs may switch on it.
 *
 * - `missing`: the request carries none
 * - `malformed`: no signed JWT of this kind: not one field, not three parts, a claim missing
 * - `type`: a JWT of another kind, such as an ID token
 * - `algorithm`: not signed with ES256
 * - `key-unknown`: no key of this name is published
 * - `keys-unavailable`: the keys could not be fetched; the only one that time may heal
 * - `signature`: another key signed it, or nobody did
 * - `issuer`: of another service
 * - `audience`: for another application
 * - `expired`, `not-yet-valid`: outside of its 60 seconds
 * - `method`, `url`: made for another request
 * - `replayed`: seen before
 */
export type AssertionRefusal =
  | 'missing'
  | 'malformed'
  | 'type'
  | 'algorithm'
  | 'key-unknown'
  | 'keys-unavailable'
  | 'signature'
  | 'issuer'
  | 'audience'
  | 'expired'
  | 'not-yet-valid'
  | 'method'
  | 'url'
  | 'replayed'

/** An assertion is not taken: nobody may be let in by it. The message never quotes it. */
export class AssertionRefused extends AppProxyError {
  override readonly name = 'AssertionRefused'
  readonly code = 'ERR_ASSERTION_REFUSED'
  readonly reason: AssertionRefusal

  constructor(reason: AssertionRefusal, detail = '', options?: ErrorOptions) {
    super(detail === '' ? reason : `${reason}: ${detail}`, options)
    this.reason = reason
  }
}
