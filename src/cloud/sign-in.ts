/**
 * Pre-authentication (access 1.1–1.5): sends users without a session to their tenant's issuer, takes the callback, and starts the session.
 *
 * The decisions are made by the `sign-in` machine; here its effects are performed: the issuer is asked, tokens are checked, cookies are sealed, and every outcome is
 * written to the audit record. No token, code or cookie is ever part of an error or a record.
 *
 * @see spec/PROTOCOL.md, "Sign-in"
 * @module
 */
import { base64url } from 'jose'
import { TIME_LIMITS } from '../protocol/limits.ts'
import { next } from '../protocol/moves.ts'
import {
  SIGN_IN_DENIALS,
  type SignInReason,
  type SignInSource,
} from '../protocol/sign-in-denials.ts'
import {
  callbackEvent,
  redirected,
  SIGN_IN,
  SIGN_IN_MOVES,
  type CallbackParameters,
  type SignInAttempt,
  type SignInEvent,
  type SignInIdentity,
  type SignInOutput,
  type SignInState,
  type StepUpRequest,
} from '../protocol/sign-in.ts'
import type { AuditEntry, AuditEventType } from './audit-events.ts'
import { Attempts } from './attempts.ts'
import { identityOf, type IssuerClient } from './issuer.ts'
import { Issuers, type IssuersOptions } from './issuers.ts'
import type { KeyRing } from './key-ring.ts'
import type { Application, AuditSink, Clocks, CryptoProvider, Directory, Tenant } from './ports.ts'
import { AccessControl } from './policy/access-control.ts'
import { namedBy } from './policy/named.ts'
import { stepUpParameters } from './policy/step-up.ts'
import { OWN_PATH, returnTarget } from './return-target.ts'
import { isSecure, Sessions, type Session } from './session.ts'
import { denialOf, SignInDenied } from './sign-in-errors.ts'
import { isForTenant } from './tenant-claim.ts'

/** Where the issuer sends users back to, on every external host. */
export const CALLBACK_PATH = `${OWN_PATH}sign-in/callback`
/** A longer callback query is not looked at. */
const MAX_QUERY_CHARACTERS = 8 * 1024

export interface PreAuthenticationOptions extends IssuersOptions {
  readonly directory: Pick<Directory, 'tenant' | 'tenants'>
  readonly keyRing: KeyRing
  readonly sessions: Sessions
  readonly clocks: Clocks
  readonly audit: AuditSink
  /** Default: the runtime's Web Crypto. */
  readonly crypto?: CryptoProvider
  /** Decides who is let in. Default: assignment and policies, without knowing of places and risk. */
  readonly access?: Pick<AccessControl, 'atSignIn'>
  /** The scopes asked for. Default `openid profile email`. */
  readonly scope?: string
}

/** How a sign-in is begun. */
export interface SignInWishes {
  /** The user goes there by a page that keeps the fragment of the address. Default false. */
  readonly keepsFragment?: boolean
  /** A stronger sign-in is needed than before. Default: whatever the issuer finds enough. */
  readonly stepUp?: StepUpRequest
}

/** Send the user there. */
export interface SignInRedirect {
  readonly kind: 'redirect'
  readonly location: string
  /** `Set-Cookie` values. */
  readonly setCookies: readonly string[]
  /** By a page that keeps the fragment. */
  readonly keepsFragment: boolean
}

/** The user is signed in: send them to `location`, the URL they asked for. */
export interface SignedIn {
  readonly kind: 'signed-in'
  readonly location: string
  readonly setCookies: readonly string[]
  readonly session: Session
  /** By a page that adds the fragment again. */
  readonly keepsFragment: boolean
}

/** The user is denied; `source` says whose doing it was. */
export interface SignInRefusal {
  readonly kind: 'denied'
  readonly source: SignInSource
  readonly reason: SignInReason
  /** HTTP status, and words for the user. */
  readonly status: number
  readonly title: string
  readonly detail: string
  readonly setCookies: readonly string[]
}

export class PreAuthentication {
  /** The issuers it sends users to. */
  readonly issuers: Issuers
  readonly #options: PreAuthenticationOptions
  readonly #attempts: Attempts
  readonly #access: Pick<AccessControl, 'atSignIn'>
  readonly #crypto: CryptoProvider

  constructor(options: PreAuthenticationOptions) {
    this.#options = options
    this.issuers = new Issuers(options)
    this.#access = options.access ?? new AccessControl(options)
    this.#crypto = options.crypto ?? crypto
    this.#attempts = new Attempts({ keyRing: options.keyRing, crypto: this.#crypto })
  }

  /**
   * The redirect to the issuer for a user who asked for `target` and has no session. A target that is no safe place to return to becomes the application's front page.
   *
   * `host` is the canonical `host[:port]` of the request; `cookieFields` its `Cookie` fields, of which surplus attempts are cleared.
   */
  async begin(
    application: Application,
    host: string,
    target: string,
    cookieFields: readonly string[] = [],
    requestId?: string,
    wishes: SignInWishes = {},
  ): Promise<SignInRedirect | SignInRefusal> {
    try {
      const { tenant, client } = this.#parties(application, host)
      const metadata = await this.issuers.of(tenant).metadata()
      const { attempt, setCookies } = await this.#attempts.begin(
        application,
        host,
        {
          returnTo: returnTarget(target) ?? new URL(application.externalUrl).pathname,
          issuer: metadata.issuer,
          issuerNamesItself: metadata.authorization_response_iss_parameter_supported === true,
          ...(wishes.stepUp && { isStepUp: true }),
          ...(wishes.keepsFragment && { keepsFragment: true }),
        },
        cookieFields,
        this.#options.clocks.wallClock(),
      )
      const location = new URL(metadata.authorization_endpoint!)
      const parameters = {
        response_type: 'code',
        client_id: client.id,
        redirect_uri: client.redirectUri,
        scope: this.#options.scope ?? 'openid profile email',
        state: attempt.state,
        nonce: attempt.nonce,
        code_challenge: await this.#challenge(attempt.verifier),
        code_challenge_method: 'S256',
        ...stepUpParameters(wishes.stepUp),
      }
      for (const [name, value] of Object.entries(parameters)) location.searchParams.set(name, value)
      this.#write(application, { type: 'sign-in.begun', outcome: 'success', requestId })
      const keepsFragment = wishes.keepsFragment === true
      return { kind: 'redirect', location: location.href, setCookies, keepsFragment }
    } catch (error) {
      return this.#deny(application, denialOf(error), { setCookies: [], requestId })
    }
  }

  /**
   * Takes the issuer's answer, which the browser brings to {@link CALLBACK_PATH}. `query` is the part after `?`; where several applications share a host,
   * {@link applicationHint} says which one to pass.
   */
  async callback(
    application: Application,
    host: string,
    query: string,
    cookieFields: readonly string[],
    requestId?: string,
    address?: string,
  ): Promise<SignedIn | SignInRedirect | SignInRefusal> {
    const outcome: Outcome = { setCookies: [], requestId, address }
    try {
      const parameters = callbackParameters(query)
      const { state } = parameters
      if (state === undefined) throw new SignInDenied('callback-malformed')
      const attempt = await this.#attempts.take(
        application,
        host,
        state,
        cookieFields,
        this.#options.clocks.wallClock(),
      )
      if (typeof attempt === 'string') throw new SignInDenied(`attempt-${attempt}`)
      outcome.setCookies.push(this.#attempts.end(application, state))
      return await this.#continue(application, host, attempt, parameters, cookieFields, outcome)
    } catch (error) {
      return this.#deny(application, denialOf(error), outcome)
    }
  }

  async #continue(
    application: Application,
    host: string,
    attempt: SignInAttempt,
    parameters: CallbackParameters,
    cookieFields: readonly string[],
    outcome: Outcome,
  ): Promise<SignedIn | SignInRedirect | SignInRefusal> {
    const { evidence, end, detail } = await this.#run(
      application,
      host,
      attempt,
      parameters,
      outcome,
    )
    if (end.state === 'signed-in') return this.#start(application, host, end, outcome)
    if (end.state === 'step-up') {
      const keepsFragment = attempt.keepsFragment === true
      const begun = await this.begin(
        application,
        host,
        attempt.returnTo,
        cookieFields,
        outcome.requestId,
        { stepUp: end.stepUp, keepsFragment },
      )
      return { ...begun, setCookies: [...outcome.setCookies, ...begun.setCookies] }
    }
    const denied = end.state === 'denied' ? end : ({ reason: 'internal' } as const)
    const subject = 'subject' in denied ? denied.subject : undefined
    return this.#deny(application, new SignInDenied(denied.reason, evidence, detail), {
      ...outcome,
      subject,
    })
  }

  /** Drives the machine: one event, then the effect it asked for, until nothing is awaited. */
  async #run(
    application: Application,
    host: string,
    attempt: SignInAttempt,
    parameters: CallbackParameters,
    { address, requestId }: Outcome,
  ): Promise<{ end: SignInState } & Pick<SignInDenied, 'evidence' | 'detail'>> {
    const { clocks } = this.#options
    let evidence: string | undefined
    let detail: string | undefined
    let effect: (() => Promise<SignInEvent>) | undefined
    const perform = (
      op: number,
      name: 'redeem' | 'verify' | 'decide',
      work: () => Promise<Done>,
    ) => {
      effect = () =>
        work().then(
          (done) =>
            ('stepUp' in done
              ? { type: 'decideStepUp', op, ...done }
              : { type: `${name}Done`, op, now: clocks.now(), ...done }) as SignInEvent,
          (error: unknown) => {
            const denied = denialOf(error)
            evidence = denied.evidence
            detail = denied.detail
            return { type: `${name}Refused`, op, reason: denied.reason } as const
          },
        )
    }
    const { tenant, client } = this.#parties(application, host)
    const issuer = this.issuers.of(tenant)
    const out: SignInOutput = {
      redeem: (op, _, code) =>
        perform(op, 'redeem', async () => ({ token: await issuer.redeem(client, attempt, code) })),
      verify: (op, _, token) =>
        perform(op, 'verify', async () => {
          const claims = await issuer.verify(client, attempt.nonce, token)
          this.#checkTenant(tenant, claims)
          return { identity: identityOf(claims, namedBy(application).claims) }
        }),
      decide: (op, identity) =>
        perform(op, 'decide', async () => {
          const { isStepUp } = attempt
          const from = { address, requestId, isStepUp }
          const decision = this.#access.atSignIn(application, identity, from)
          if (decision.effect === 'deny')
            throw new SignInDenied(decision.code, undefined, decision.reason)
          return decision.effect === 'step-up' ? { stepUp: decision.stepUp } : {}
        }),
    }
    let state = redirected(attempt, this.#options.stepMs ?? TIME_LIMITS.controlCallMs)
    let event: SignInEvent = callbackEvent(attempt, parameters, clocks.wallClock(), clocks.now())
    for (;;) {
      effect = undefined
      state = next(SIGN_IN, SIGN_IN_MOVES, state, event, out)
      if (effect === undefined || !('deadline' in state)) return { end: state, evidence, detail }
      event = await before(effect, state.deadline - clocks.now())
    }
  }

  async #start(
    application: Application,
    host: string,
    { attempt, identity }: { attempt: SignInAttempt; identity: SignInIdentity },
    outcome: Outcome,
  ): Promise<SignedIn> {
    const { session, setCookie } = await this.#options.sessions.start(application, host, identity)
    this.#write(application, {
      type: 'sign-in.signed-in',
      outcome: 'success',
      subject: identity.subject,
      requestId: outcome.requestId,
      address: outcome.address,
    })
    return {
      kind: 'signed-in',
      location: origin(application, host) + attempt.returnTo,
      setCookies: [setCookie, ...outcome.setCookies],
      session,
      keepsFragment: attempt.keepsFragment === true,
    }
  }

  #deny(application: Application, denied: SignInDenied, outcome: Outcome): SignInRefusal {
    const { reason } = denied
    const denial = SIGN_IN_DENIALS[reason]
    this.#write(application, {
      type: 'sign-in.denied',
      outcome: denial.status < 500 ? 'refused' : 'failed',
      reason,
      subject: outcome.subject,
      requestId: outcome.requestId,
      address: outcome.address,
      detail: { source: denial.source, ...(denied.evidence && { evidence: denied.evidence }) },
    })
    const detail = denied.detail ?? denial.detail
    return { kind: 'denied', reason, ...denial, detail, setCookies: outcome.setCookies }
  }

  #checkTenant(tenant: Tenant, claims: Readonly<Record<string, unknown>>): void {
    if (!isForTenant(tenant, claims, this.#options.directory.tenants()))
      throw new SignInDenied('token-tenant')
  }

  #parties(application: Application, host: string): { tenant: Tenant; client: IssuerClient } {
    const tenant = this.#options.directory.tenant(application.tenantId)
    if (tenant === undefined || application.client === undefined) throw new SignInDenied('internal')
    const redirectUri = origin(application, host) + CALLBACK_PATH
    return { tenant, client: { ...application.client, redirectUri } }
  }

  async #challenge(verifier: string): Promise<string> {
    const octets = new TextEncoder().encode(verifier)
    const digest = new Uint8Array(await this.#crypto.subtle.digest('SHA-256', octets))
    return base64url.encode(digest)
  }

  #write(
    { id, tenantId }: Application,
    entry: AuditEntry<SignInEvents, 'tenantId' | 'applicationId'>,
  ): void {
    const time = this.#options.clocks.wallClock()
    this.#options.audit.write({ time, tenantId, applicationId: id, ...entry })
  }
}

type SignInEvents = Extract<AuditEventType, `sign-in.${string}`>

type Done = { token: string } | { identity: SignInIdentity } | { stepUp: StepUpRequest } | object

interface Outcome {
  readonly setCookies: string[]
  readonly requestId: string | undefined
  readonly address?: string | undefined
  readonly subject?: string | undefined
}

const origin = (application: Application, host: string) =>
  `${isSecure(application) ? 'https' : 'http'}://${host}`

/** The callback's parameters; one that comes twice spoils them all. */
function callbackParameters(query: string): CallbackParameters {
  if (query.length > MAX_QUERY_CHARACTERS) throw new SignInDenied('callback-malformed')
  const parameters = new URLSearchParams(query)
  const names = [...parameters.keys()]
  if (new Set(names).size !== names.length) throw new SignInDenied('callback-malformed')
  // A token in the query is an answer we did not ask for.
  if (['id_token', 'token', 'access_token', 'response'].some((name) => parameters.has(name)))
    throw new SignInDenied('callback-malformed')
  const all = {
    state: parameters.get('state'),
    code: parameters.get('code'),
    issuer: parameters.get('iss'),
    error: parameters.get('error'),
  }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null))
}

/** The effect's one answer, or `timeout`; an answer after it is dropped with the promise. */
async function before(effect: () => Promise<SignInEvent>, ms: number): Promise<SignInEvent> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const timeout = new Promise<SignInEvent>((resolve) => {
    timer = setTimeout(() => resolve({ type: 'timeout' }), Math.max(0, ms))
  })
  try {
    return await Promise.race([effect(), timeout])
  } finally {
    clearTimeout(timer)
  }
}
