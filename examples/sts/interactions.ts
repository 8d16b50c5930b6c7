/**
 * What the example issuer asks of a user: a name and a password, a PIN, consent. Only what is
 * missing is asked for.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { default as Provider } from 'oidc-provider'
import type { Consents } from './consents.ts'
import { consentPage, loginPage, page, pinPage, send } from './pages.ts'
import { isPinMissing, isTwoFactorAsked, ONE_FACTOR, TWO_FACTOR } from './strength.ts'
import type { PasswordCheck, PinCheck, StsUser } from './users.ts'

const MAX_FORM_BYTES = 8 * 1024

export interface InteractionPagesOptions {
  readonly provider: Provider
  readonly consents: Consents
  readonly check: PasswordCheck
  readonly pins: PinCheck
  readonly subjectOf: (user: StsUser) => string
}

type Interaction = Awaited<ReturnType<Provider['interactionDetails']>>

/** What a sign-in form has to ask. */
interface Asked {
  readonly client: string
  readonly needsPin: boolean
  /** Who has signed in already, and lacks the PIN alone. */
  readonly lacksPin: { readonly subject: string; readonly name: string } | undefined
}

export class InteractionPages {
  readonly #options: InteractionPagesOptions

  constructor(options: InteractionPagesOptions) {
    this.#options = options
  }

  /** Handles `/interaction/…`: GET shows what is asked, POST takes the form. */
  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { provider } = this.#options
    const interaction = await provider.interactionDetails(request, response)
    const asked = await this.#asked(interaction)
    const isLogin = interaction.prompt.name === 'login'
    if (request.method === 'GET' || request.method === 'HEAD')
      return send(response, 200, isLogin ? form(asked) : consentPage(asked.client))
    if (request.method !== 'POST') return send(response, 405, page('Not allowed', ''))
    const given = await readForm(request)
    if (given.get('action') === 'cancel') {
      const result = { error: 'access_denied', error_description: 'The user cancelled.' }
      return provider.interactionFinished(request, response, result)
    }
    if (!isLogin) {
      const grantId = await this.#grant(interaction)
      const merge = { mergeWithLastSubmission: true }
      return provider.interactionFinished(request, response, { consent: { grantId } }, merge)
    }
    const accountId = await this.#signedIn(asked, given)
    if (accountId === undefined)
      return send(response, 401, form(await this.#asked(interaction), true))
    const strength = asked.needsPin ? TWO_FACTOR : ONE_FACTOR
    const result = { login: { accountId, ...strength, remember: false } }
    return provider.interactionFinished(request, response, result)
  }

  async #asked({ prompt, params, session }: Interaction): Promise<Asked> {
    const id = String(params['client_id'])
    const client = (await this.#options.provider.Client.find(id))?.clientName ?? id
    const needsPin = isTwoFactorAsked(params['acr_values'])
    const subject = isPinMissing(prompt.reasons) ? session?.accountId : undefined
    const name = subject === undefined ? undefined : this.#options.pins.nameOf(subject)
    const lacksPin = subject === undefined || name === undefined ? undefined : { subject, name }
    return { client, needsPin, lacksPin }
  }

  /** The `sub` of whoever has shown all that was asked. */
  async #signedIn({ needsPin, lacksPin }: Asked, form: URLSearchParams) {
    const { check, pins, subjectOf } = this.#options
    const given = (name: string) => form.get(name) ?? ''
    if (lacksPin !== undefined)
      return pins.isRight(lacksPin.subject, given('pin')) ? lacksPin.subject : undefined
    const pin = needsPin ? given('pin') : undefined
    const user = await check(given('username'), given('password'), pin)
    if (user === undefined) return undefined
    if (needsPin) pins.forgive(subjectOf(user))
    return subjectOf(user)
  }

  /** Records what the user agreed to. */
  async #grant({ grantId, session, params, prompt }: Interaction): Promise<string> {
    const { provider, consents } = this.#options
    const existing = grantId === undefined ? undefined : await provider.Grant.find(grantId)
    const record =
      existing ??
      new provider.Grant({ accountId: session!.accountId, clientId: String(params['client_id']) })
    const missing = prompt.details as {
      missingOIDCScope?: string[]
      missingOIDCClaims?: string[]
      missingResourceScopes?: Record<string, string[]>
    }
    if (missing.missingOIDCScope) record.addOIDCScope(missing.missingOIDCScope.join(' '))
    if (missing.missingOIDCClaims) record.addOIDCClaims(missing.missingOIDCClaims)
    for (const [resource, scopes] of Object.entries(missing.missingResourceScopes ?? {}))
      record.addResourceScope(resource, scopes.join(' '))
    const saved = await record.save()
    consents.remember(record)
    return saved
  }
}

const form = ({ client, needsPin, lacksPin }: Asked, isWrong = false) =>
  lacksPin === undefined
    ? loginPage(client, needsPin, isWrong)
    : pinPage(client, lacksPin.name, isWrong)

async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  const parts: Buffer[] = []
  let length = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length
    if (length > MAX_FORM_BYTES) throw new Error('the form is too large')
    parts.push(part)
  }
  return new URLSearchParams(Buffer.concat(parts).toString('utf8'))
}
