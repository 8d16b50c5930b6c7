/**
 * How a user has authenticated: by a password, or by a password and a PIN. An application asks for
 * the second with `acr_values=two-factor`.
 *
 * @see OpenID Connect Core 1.0 section 3.1.2.1; RFC 8176 for `amr`
 */
import type { interactionPolicy } from 'oidc-provider'

export const ONE_FACTOR = { acr: 'one-factor', amr: ['pwd'] }
export const TWO_FACTOR = { acr: 'two-factor', amr: ['pwd', 'pin', 'mfa'] }

/** Whether one factor would not do. */
export function isTwoFactorAsked(acrValues: unknown): boolean {
  const asked = typeof acrValues === 'string' ? acrValues.split(' ') : []
  return asked.includes(TWO_FACTOR.acr) && !asked.includes(ONE_FACTOR.acr)
}

/** Whether the PIN is all that is missing: this prompt has no other reason. */
export const isPinMissing = (reasons: readonly string[]) =>
  reasons.length === 1 && reasons[0] === STRONGER

const STRONGER = 'stronger_authentication'

/**
 * The provider's own prompts, and one: who signed in with less than is asked for now shows
 * the rest.
 */
export function prompts({
  base,
  Check,
}: typeof interactionPolicy): interactionPolicy.DefaultPolicy {
  const policy = base()
  const stronger = new Check(STRONGER, 'a second factor is asked for', ({ oidc }) =>
    isTwoFactorAsked(oidc.params?.['acr_values']) && oidc.acr !== TWO_FACTOR.acr
      ? Check.REQUEST_PROMPT
      : Check.NO_NEED_TO_PROMPT,
  )
  policy.get('login')!.checks.add(stronger)
  return policy
}
