/**
 * Sign-ins that come back to the service's own host: the issuer knows one address for all hosts of
 * a wildcard. What it answered is handed over, by a one-time code, to the host where the sign-in
 * was begun.
 *
 * The service's host looks at nothing but `state`, which only we can seal, for one application on
 * one host: so it leads nowhere else. It redeems nothing and sets no cookie. The answer goes along
 * sealed, for that application, host and attempt, good for half a minute and once; and there the
 * attempt's cookie has to be, as if the issuer had come by itself.
 *
 *     issuer ── code, state ─▶ service host ── sealed(code), state ─▶ host ◀── attempt's cookie
 *
 * @see docs/publishing.md
 * @module
 */
import { base64url } from 'jose'
import * as v from 'valibot'
import type { CryptoProvider } from '../../runtime/crypto-provider.ts'
import type { CallbackParameters } from '../../protocol/machines/sign-in.ts'
import type { Application } from '../directory/directory-port.ts'
import { publishedOf } from '../directory/published.ts'
import { SignInDenied } from '../identity/sign-in-errors.ts'
import { HANDED_OVER_PATH } from '../pages/return-target.ts'
import type { KeyRing } from '../session/key-ring.ts'
import { seal, unseal, type SealScope } from '../session/sealed-cookie.ts'
import type { SpentCodes } from '../session/spent-codes.ts'
import type { Attempts } from './attempts.ts'
import { callbackParameters } from './callback-parameters.ts'

/** A redirect takes less; a slow phone may take this. Milliseconds. */
export const HAND_OVER_MS = 30_000

const text = v.string()
const HandedOver = v.object({
  v: v.literal(1),
  id: text,
  attempt: text,
  code: v.exactOptional(text),
  issuer: v.exactOptional(text),
  error: v.exactOptional(text),
  expiresAt: v.number(),
})

export interface HandOversOptions {
  readonly keyRing: KeyRing
  readonly crypto: CryptoProvider
  readonly attempts: Attempts
  readonly spent: SpentCodes
}

export class HandOvers {
  readonly #options: HandOversOptions

  constructor(options: HandOversOptions) {
    this.#options = options
  }

  /**
   * Where the issuer's answer goes: the address of ours on the application's host. `query` is what
   * came to the service's own host.
   *
   * @throws SignInDenied
   */
  async begin(application: Application, query: string, wallNow: number): Promise<string> {
    const { keyRing, crypto, attempts } = this.#options
    const { scheme, host } = publishedOf(application)
    const { state, ...answer } = callbackParameters(query)
    const attempt = await attempts.named(application, host, state)
    if (attempt === undefined) throw new SignInDenied('state-mismatch')
    const handedOver: v.InferOutput<typeof HandedOver> = {
      ...{ v: 1, id: base64url.encode(crypto.getRandomValues(new Uint8Array(16))), attempt },
      ...answer,
      expiresAt: wallNow + HAND_OVER_MS,
    }
    const code = await seal(keyRing, scopeOf(application, host), handedOver)
    return `${scheme}://${host}${HANDED_OVER_PATH}?${new URLSearchParams({ code, state }).toString()}`
  }

  /** What the issuer said, whether it came by itself or was handed over. */
  async answer(
    application: Application,
    host: string,
    came: CallbackParameters & { readonly state: string },
    wallNow: number,
  ): Promise<CallbackParameters> {
    if (application.callback !== 'serviceHost') return came
    return this.redeem(application, host, came, wallNow)
  }

  /**
   * What the issuer said, as it was handed over for this application, host and attempt, whose
   * cookie was there. Good once.
   *
   * @param came what came with the visit; a code that cannot be opened here is none
   * @throws SignInDenied
   */
  async redeem(
    application: Application,
    host: string,
    { state, code = '' }: { readonly state: string; readonly code?: string },
    wallNow: number,
  ): Promise<CallbackParameters> {
    const { keyRing, spent } = this.#options
    const parsed = v.safeParse(HandedOver, await unseal(keyRing, scopeOf(application, host), code))
    if (!parsed.success) throw new SignInDenied('callback-malformed', 'hand-over')
    const { id, attempt, expiresAt, v: _v, ...answer } = parsed.output
    if (attempt !== state.split('.', 1)[0]) throw new SignInDenied('state-mismatch', 'hand-over')
    if (wallNow >= expiresAt) throw new SignInDenied('attempt-expired', 'hand-over')
    // Of all who come with it at once, on whatever instance, one is the first.
    if (!(await spent.spend(id, expiresAt))) throw new SignInDenied('attempt-used', 'hand-over')
    return { state, ...answer }
  }
}

const scopeOf = ({ id, tenantId }: Application, host: string): SealScope => ({
  ...{ purpose: 'hand-over', tenantId, applicationId: id, host },
})
