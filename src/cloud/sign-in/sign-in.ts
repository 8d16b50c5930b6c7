/**
 * Pre-authentication: sends users without a session to their tenant's issuer, and takes them back.
 *
 * The `sign-in` machine decides. Here its effects are performed, and every outcome is audited. No
 * token, code or cookie is ever part of an error or a record.
 *
 * @see spec/PROTOCOL.md, "Sign-in and session"
 * @module
 */
import { next, SIGN_IN_DENIALS, TIME_LIMITS } from '../../protocol/internal.ts'
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
} from '../../protocol/machines/sign-in.ts'
import type { AuditEntry, AuditEventType } from '../audit/audit-events.ts'
import { askAgain } from './ask-again.ts'
import { Attempts } from './attempts.ts'
import { identify } from './identify.ts'
import { callbackParameters } from './callback-parameters.ts'
import { HandOvers } from './hand-over.ts'
import { originOf, partiesOf, type SignInPartiesOptions } from './parties.ts'
import { codeChallengeOf } from './code-challenge.ts'
import { denialDetail, denialOfEnd, type Callback, type Outcome } from './callback-visit.ts'
import type { RedeemedTokens } from '../issuer/refresh-grant.ts'
import { authorizationUrl } from './authorization-request.ts'
import { Issuers, type IssuersOptions } from '../issuer/issuers.ts'
import type { KeyRing } from '../session/key-ring.ts'
import type { Application, Directory } from '../directory/directory-port.ts'
import type { AuditSink } from '../audit/audit-sink.ts'
import { inTime, timerOf, type Timer } from '../../runtime/scheduler.ts'
import type { CryptoProvider } from '../../runtime/crypto-provider.ts'
import { AccessControl } from '../policy/access-control.ts'
import { signInTarget } from '../pages/return-target.ts'
import { MemorySpentCodes, type SpentCodes } from '../session/spent-codes.ts'
import { Sessions, type Session } from '../session/session.ts'
import { SessionRenewals } from '../session/session-renewals.ts'
import { startSession } from './session-start.ts'
import { denialOf, SignInDenied } from '../identity/sign-in-errors.ts'
import {
  NOT_SILENTLY,
  STALE,
  type SignedIn,
  type SignInRedirect,
  type SignInRefusal,
  type SignInReturn,
  type SignInWishes,
} from './sign-in-outcome.ts'
import { keepTokenHint } from '../sign-out/token-hint.ts'
import { SealedAnswers } from './sealed-answers.ts'
import { mayCircle, SignInRounds } from './sign-in-rounds.ts'

/** All steps at the issuer together; then there is a page. Milliseconds. */
const ANSWER_WITHIN_MS = 25_000
/** When an issuer that is down may be there again. */
const RETRY_AFTER_MS = 5_000

export interface PreAuthenticationOptions extends IssuersOptions, SignInPartiesOptions {
  readonly directory: Pick<Directory, 'tenant' | 'tenants' | 'applicationsOn'>
  readonly keyRing: KeyRing
  readonly sessions: Sessions
  readonly audit: AuditSink
  /** Default: the runtime's Web Crypto. */
  readonly crypto?: CryptoProvider
  /** Which hand-over codes were used. Default: in memory, so for this process only. */
  readonly spentCodes?: SpentCodes | undefined
  /** Decides who is let in. Default: assignment and policies, without places and risk. */
  readonly access?: Pick<AccessControl, 'atSignIn'>
}

export class PreAuthentication {
  /** The issuers it sends users to. */
  readonly issuers: Issuers
  /** What a browser is told by an address of ours. */
  readonly answers: SealedAnswers
  /** Sign-ins that come back to the service's own host. */
  readonly handOvers: HandOvers
  readonly #rounds = new SignInRounds()
  /** What goes on beyond the ID token. */
  readonly renewals: SessionRenewals
  readonly #options: PreAuthenticationOptions
  readonly #attempts: Attempts
  readonly #timer: Timer
  readonly #access: Pick<AccessControl, 'atSignIn'>
  readonly #crypto: CryptoProvider

  constructor(options: PreAuthenticationOptions) {
    this.#options = options
    this.issuers = new Issuers(options)
    this.#timer = timerOf(options)
    this.answers = new SealedAnswers(options.keyRing)
    this.#access = options.access ?? new AccessControl(options)
    this.#crypto = options.crypto ?? crypto
    const common = { keyRing: options.keyRing, crypto: this.#crypto }
    this.#attempts = new Attempts(common)
    const spent = options.spentCodes ?? new MemorySpentCodes(options.clocks)
    this.handOvers = new HandOvers({ ...common, spent, attempts: this.#attempts })
    const parties = partiesOf.bind(undefined, options)
    this.renewals = new SessionRenewals({
      ...{ ...options, crypto: this.#crypto },
      askAgain: askAgain({ ...options, issuers: this.issuers, access: this.#access, parties }),
    })
  }

  /**
   * The redirect to the issuer for a user who asked for `target` and has no session.
   *
   * A target that cannot be returned to becomes the application's front page. `host` is canonical.
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
      const { tenant, client } = partiesOf(this.#options, application, host)
      const issuer = this.issuers.of(tenant)
      // Do not navigate to an issuer that is down: the user would lose the page they are on.
      if (wishes.renews !== undefined && !(await issuer.isThere()))
        throw new SignInDenied('issuer-unavailable')
      const metadata = await issuer.metadata()
      const { attempt, setCookies } = await this.#attempts.begin(
        application,
        host,
        {
          returnTo: signInTarget(target) ?? new URL(application.externalUrl).pathname,
          issuer: metadata.issuer,
          issuerNamesItself: metadata.authorization_response_iss_parameter_supported === true,
          ...(wishes.stepUp && { isStepUp: true }),
          ...(wishes.keepsFragment && { keepsFragment: true }),
          ...(wishes.keepsAddress && { keepsAddress: true }),
          ...(wishes.renews && { renews: wishes.renews.id }),
          // A silent renewal answers by the query: a posted form has no session cookie.
          ...(application.responseMode === 'form_post' && !wishes.renews && { isPosted: true }),
        },
        cookieFields,
        this.#options.clocks.wallClock(),
      )
      const codeChallenge = await codeChallengeOf(this.#crypto, attempt.verifier)
      const parties = { application, tenant, client, metadata }
      const location = authorizationUrl({ ...parties, attempt, codeChallenge, wishes })
      this.#write(application, { type: 'sign-in.begun', outcome: 'success', requestId })
      const { keepsFragment = false, keepsAddress = false } = wishes
      return { kind: 'redirect', location: location.href, setCookies, keepsFragment, keepsAddress }
    } catch (error) {
      return this.#deny(application, denialOf(error), { setCookies: [], requestId })
    }
  }

  /**
   * Takes the issuer's answer, which the browser brings to {@link CALLBACK_PATH}. `query` is the
   * part after `?`, or the form that was posted.
   */
  async callback(
    application: Application,
    host: string,
    query: string,
    cookieFields: readonly string[],
    requestId?: string,
    address?: string,
  ): Promise<SignedIn | SignInReturn | SignInRedirect | SignInRefusal> {
    const call: Callback = {
      ...{ application, host, cookieFields, setCookies: [], requestId, address },
      ...{ cameAt: this.#options.clocks.wallClock(), attempt: undefined },
    }
    try {
      const came = callbackParameters(query, application.callback === 'serviceHost')
      const { state } = came
      const taken = await this.#attempts.take(application, host, state, cookieFields, call.cameAt)
      call.setCookies.push(...taken.setCookies)
      call.wanted = taken.wanted
      const attempt = (call.attempt = taken.attempt)
      if (taken.fault !== undefined || attempt === undefined)
        throw new SignInDenied(taken.fault ?? 'internal')
      const answer = await this.handOvers.answer(application, host, came, call.cameAt)
      return await this.#continue(call, attempt, answer)
    } catch (error) {
      return this.#refuse(call, denialOf(error))
    }
  }

  async #continue(
    call: Callback,
    attempt: SignInAttempt,
    parameters: CallbackParameters,
  ): Promise<SignedIn | SignInReturn | SignInRedirect | SignInRefusal> {
    const { application, host, cookieFields, requestId } = call
    const { end, failed } = await this.#run(call, attempt, parameters)
    if (end.state === 'signed-in') return this.#start(call, end)
    if (end.state === 'step-up') {
      const { returnTo, keepsFragment = false, keepsAddress = false } = attempt
      const wishes = { stepUp: end.stepUp, keepsFragment, keepsAddress }
      const begun = await this.begin(application, host, returnTo, cookieFields, requestId, wishes)
      return { ...begun, setCookies: [...call.setCookies, ...begun.setCookies] }
    }
    if ('subject' in end) call.subject = end.subject
    return this.#refuse(call, denialOfEnd(end, failed))
  }

  /** A user with a good session goes on: an old answer, or a failed renewal, takes nothing away. */
  async #refuse(call: Callback, denied: SignInDenied): Promise<SignInReturn | SignInRefusal> {
    const { application, attempt } = call
    const { reason } = denied
    const session =
      STALE.has(reason) || attempt?.renews !== undefined ? await this.#session(call) : undefined
    if (session === undefined || !this.#isLetIn(call, session))
      return this.#deny(application, denied, call)
    if (session.id === attempt?.renews && NOT_SILENTLY.has(reason))
      this.#options.sessions.renewals.refused(session)
    return this.#returned(call)
  }

  /** Asked before going on, so that nobody is sent to the issuer and back for ever. */
  #isLetIn({ application, wanted, address, requestId }: Callback, session: Session): boolean {
    const identity = { ...session, ...session.user }
    const from = { address, requestId, target: wanted?.returnTo }
    return this.#access.atSignIn(application, identity, from).effect === 'allow'
  }

  #returned({ application, host, wanted, setCookies }: Callback): SignInReturn {
    const { keepsFragment = false, keepsAddress = false } = wanted ?? {}
    const returnTo = wanted?.returnTo ?? new URL(application.externalUrl).pathname
    const location = originOf(application, host) + returnTo
    return { kind: 'returned', location, setCookies, keepsFragment, keepsAddress }
  }

  /** The session that the request's own cookies carry. */
  session(
    application: Application,
    host: string,
    cookieFields: readonly string[],
  ): Promise<Session | undefined> {
    const { sessions, clocks } = this.#options
    return sessions.read(application, host, cookieFields, clocks.wallClock())
  }

  #session({ application, host, cookieFields }: Callback): Promise<Session | undefined> {
    return this.session(application, host, cookieFields)
  }

  /** Drives the machine: one event, then the effect it asked for, until nothing is awaited. */
  async #run(
    call: Callback,
    attempt: SignInAttempt,
    parameters: CallbackParameters,
  ): Promise<{ end: SignInState; failed: SignInDenied | undefined }> {
    const { application, host, address, requestId } = call
    const { clocks, directory } = this.#options
    let failed: SignInDenied | undefined
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
            failed = denialOf(error)
            return { type: `${name}Refused`, op, reason: failed.reason } as const
          },
        )
    }
    const { tenant, client } = partiesOf(this.#options, application, host)
    const issuer = this.issuers.of(tenant)
    let tokens: RedeemedTokens | undefined
    const out: SignInOutput = {
      redeem: (op, _, code) =>
        perform(op, 'redeem', async () => {
          tokens = await issuer.redeem(client, attempt, code)
          call.refreshToken = tokens.refreshToken
          return { token: tokens.token }
        }),
      verify: (op) =>
        perform(op, 'verify', async () => {
          const parties = { issuer, tenant, tenants: directory.tenants(), application, client }
          const { nonce } = attempt
          const identity = await identify({ ...parties, nonce, tokens: tokens!, clocks }, call)
          call.idToken = tokens!.token
          return { identity }
        }),
      decide: (op, identity) =>
        perform(op, 'decide', async () => {
          const from = { address, requestId, isStepUp: attempt.isStepUp, target: attempt.returnTo }
          const decision = this.#access.atSignIn(application, identity, from)
          if ('unknown' in decision) call.unknown = decision.unknown
          if (decision.effect === 'deny')
            throw new SignInDenied(decision.code, undefined, decision.reason)
          return decision.effect === 'step-up' ? { stepUp: decision.stepUp } : {}
        }),
    }
    const end = clocks.now() + ANSWER_WITHIN_MS
    let state = redirected(attempt, this.#options.stepMs ?? TIME_LIMITS.controlCallMs)
    let event: SignInEvent = callbackEvent(attempt, parameters, clocks.wallClock(), clocks.now())
    for (;;) {
      effect = undefined
      state = next(SIGN_IN, SIGN_IN_MOVES, state, event, out)
      if (effect === undefined || !('deadline' in state)) return { end: state, failed }
      const leftMs = Math.min(state.deadline, end) - clocks.now()
      event = await inTime<SignInEvent>(this.#timer, leftMs, effect, () => ({ type: 'timeout' }))
    }
  }

  async #start(
    call: Callback,
    { attempt, identity }: { attempt: SignInAttempt; identity: SignInIdentity },
  ): Promise<SignedIn | SignInReturn | SignInRefusal> {
    const { application, host, requestId, address } = call
    const { renews } = attempt
    const before = await this.#session(call)
    const who = [application.tenantId, application.id, identity.issuer, identity.subject]
    if (
      before === undefined &&
      mayCircle(application, attempt) &&
      this.#rounds.isLoop(who, this.#options.clocks.now())
    )
      return this.#deny(application, new SignInDenied('sign-in-loop'), call)
    // The user signed out meanwhile: a silent renewal must not sign them in again.
    if (renews !== undefined && before === undefined) return this.#returned(call)
    const isSame =
      before?.id === renews &&
      before?.user.subject === identity.subject &&
      before.user.issuer === identity.issuer
    const { sessions } = this.#options
    const { session, setCookie } = await startSession(
      ...([{ sessions, renewals: this.renewals }, call, attempt, identity] as const),
      isSame ? before : undefined,
    )
    const hint = await keepTokenHint(this.#options.keyRing, application, host, call.idToken!)
    this.#write(application, {
      type: 'sign-in.signed-in',
      outcome: 'success',
      subject: identity.subject,
      sessionId: session.id,
      requestId,
      address,
      detail: {
        renewed: isSame,
        ...(call.userInfoFault !== undefined && { userInfo: call.userInfoFault }),
      },
    })
    return {
      kind: 'signed-in',
      location: originOf(application, host) + attempt.returnTo,
      setCookies: [setCookie, ...call.setCookies, hint],
      session,
      keepsFragment: attempt.keepsFragment === true,
      keepsAddress: attempt.keepsAddress === true,
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
      detail: denialDetail(denial.source, denied, outcome),
    })
    return {
      ...{ kind: 'denied', reason, ...denial, setCookies: outcome.setCookies },
      detail: denied.detail ?? denial.detail,
      returnTo: outcome.wanted?.returnTo,
      ...(denial.status === 503 && { retryAfterMs: RETRY_AFTER_MS }),
    }
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
