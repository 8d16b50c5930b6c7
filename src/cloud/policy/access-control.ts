/**
 * Assignment and conditional access in force: at sign-in, and at every request with what may have
 * changed: where the user comes from, how long ago they authenticated, the risk, the time, and the
 * rules themselves.
 *
 * A decision about a session is remembered for as long as it can hold: for that session, address
 * and application as they are, until time alone may change it. Whoever is remembered costs a
 * look-up. A directory that is replaced has other applications, and nothing is remembered of those.
 *
 * @see spec/PROTOCOL.md, "Conditional access"
 * @module
 */
import { ConfigurationInvalid } from '../../protocol/internal.ts'
import { SIGN_IN_DENIALS } from '../../protocol/machines/sign-in-denials.ts'
import type { SignInIdentity, StepUpRequest } from '../../protocol/machines/sign-in.ts'
import type { AccessVerdict, DecideAccess } from './verdict.ts'
import { isAssigned } from './assignment.ts'
import type { Caller } from '../identity/caller.ts'
import type { OwnAnswer } from '../request/edge-request.ts'
import { OWN_ANSWERS } from '../pages/own-answers.ts'
import { policyNameOf } from '../directory/wildcard.ts'
import type { Application } from '../directory/directory-port.ts'
import { publishedOf } from '../directory/published.ts'
import type { AuditSink } from '../audit/audit-sink.ts'
import type { Clocks } from '../../runtime/clocks.ts'
import { UNKNOWN_ADDRESS } from './client-address.ts'
import type { PolicyUser } from '../rules/among.ts'
import {
  decideAccess,
  type AccessDecision,
  type AccessDenial,
  type MatchedPolicy,
} from '../rules/decide-access.ts'
import { stepUpChallenge, stepUpParameters } from '../rules/step-up.ts'
import { decideByPart } from './sign-in-parts.ts'
import type { Locate, RiskAssessment, RiskAssessor } from './risk.ts'

export interface AccessControlOptions {
  readonly clocks: Pick<Clocks, 'wallClock'>
  readonly audit: AuditSink
  /**
   * Where addresses are. Default: nobody knows, and a policy that asks for a country restricts and
   * does not permit.
   */
  readonly locate?: Locate | undefined
  /** Default: nobody knows, and a policy that asks for risk restricts and does not permit. */
  readonly risk?: RiskAssessor | undefined
  /** How long a decision may rest on the same assessment of risk. Milliseconds, default 60 000. */
  readonly riskMs?: number | undefined
}

/** What a sign-in is decided from, besides the user. */
export interface SignInCircumstances {
  readonly address?: string | undefined
  readonly requestId?: string | undefined
  /** Where the user wants to go. Default: nobody knows. */
  readonly target?: string | undefined
  /** The issuer was asked for a stronger sign-in. */
  readonly isStepUp?: boolean | undefined
}

/** What is decided at sign-in: also that the user is not assigned, as far as is known. */
export type SignInDecision =
  | AccessDecision
  | {
      readonly effect: 'deny'
      readonly code: 'not-assigned'
      readonly reason?: never
      /** Claims that would have said more, and did not come. */
      readonly unknown: readonly string[]
    }

/**
 * Addresses that one session may come from by turns, IPv4 and IPv6, without being decided anew each
 * time.
 */
const MAX_REMEMBERED = 4
/** Those, at the parts of an application that one session uses by turns. */
const MAX_REMEMBERED_PARTS = 32

export class AccessControl {
  readonly #options: AccessControlOptions
  readonly #remembered = new WeakMap<Caller, Remembered[]>()
  /** By segment; `''`: the application itself. */
  readonly #told = new WeakMap<Caller, Map<string, string>>()

  constructor(options: AccessControlOptions) {
    this.#options = options
  }

  /**
   * Whether the user, whom the issuer has just vouched for, is let in: to the segment that they are
   * on their way to, where the application has segments.
   */
  atSignIn(
    application: Application,
    identity: SignInIdentity,
    circumstances: SignInCircumstances,
  ): SignInDecision {
    const { target } = circumstances
    return decideByPart(application, target, (part) => this.#atPart(part, identity, circumstances))
  }

  #atPart(
    application: Application,
    identity: SignInIdentity,
    { address, requestId, isStepUp }: SignInCircumstances,
  ): SignInDecision {
    const unknown = new Set<string>()
    if (!isAssigned(application, identity, unknown))
      return { effect: 'deny', code: 'not-assigned', unknown: [...unknown] }
    const account = publishedOf(application).account({ ...identity, user: identity })
    const party = { application, user: identity, caller: identity, address, requestId, account }
    return this.#decide(party, isStepUp).decision
  }

  /** Whether a caller's request goes on. */
  readonly onRequest: DecideAccess = ({ application, host }, caller, request) => {
    const { address } = request
    const remembered = this.#remembered.get(caller)
    if (remembered !== undefined)
      for (const one of remembered)
        if (one.application === application && one.address === address && this.#holds(one))
          return one.verdict
    const { verdict, until } = this.#verdict(application, host, caller, address, request.id)
    this.#remember(caller, remembered, { application, address, verdict, until })
    return verdict
  }

  #holds({ until }: Remembered): boolean {
    return until === Infinity || this.#options.clocks.wallClock() < until
  }

  #remember(caller: Caller, remembered: Remembered[] | undefined, one: Remembered): void {
    const { application, address } = one
    const whole = wholeOf(application)
    const others = (remembered ?? []).filter(
      (other) =>
        wholeOf(other.application) === whole &&
        (other.application !== application || other.address !== address),
    )
    const most = whole.segments === undefined ? MAX_REMEMBERED : MAX_REMEMBERED_PARTS
    this.#remembered.set(caller, [one, ...others.slice(0, most - 1)])
  }

  #verdict(
    application: Application,
    host: string,
    caller: Caller,
    address: string,
    requestId: string,
  ): { verdict: AccessVerdict; until: number } {
    const { user, ...rest } = caller
    if (user === undefined) return { verdict: ALLOWED, until: Infinity }
    const known = { ...user, ...rest }
    const account = publishedOf(application).account(caller)
    const party = { application, user: known, caller, address, requestId, account }
    const unknown = new Set<string>()
    if (!isAssigned(application, known, unknown)) {
      this.#tellUnassigned(party, [...unknown])
      return { verdict: { kind: 'deny', answer: denial('not-assigned') }, until: Infinity }
    }
    if (application.access === undefined) return { verdict: ALLOWED, until: Infinity }
    const { decision, until } = this.#decide(party)
    return { verdict: verdictOf(decision, application, host), until }
  }

  #decide(party: Party, isSteppedUp?: boolean): { decision: AccessDecision; until: number } {
    const { application, user, caller, address = UNKNOWN_ADDRESS, account } = party
    const { clocks, locate, risk, riskMs = 60_000 } = this.#options
    const now = clocks.wallClock()
    const { tenantId, access } = application
    const place = orUnknown(() => locate?.(address))
    const query = { tenantId, subject: user.subject, address, place, now }
    const assessment = orUnknown(() => risk?.assess(query))
    const decision = decideAccess(access, {
      applicationId: policyNameOf(application),
      user: account === undefined ? user : { ...user, account },
      authentication: {
        at: caller.authenticatedAt,
        acr: caller.strength,
        acrs: caller.contexts,
        amr: caller.methods,
      },
      address,
      country: place?.country,
      claims: caller.claims,
      risk: assessment?.level,
      now,
      isSteppedUp,
    })
    this.#tell({ ...party, address }, assessment, decision)
    // The embedder's knowledge of places and risk may change at any time.
    const isLasting = locate === undefined && risk === undefined
    return { decision, until: isLasting ? decision.until : Math.min(decision.until, now + riskMs) }
  }

  #tellUnassigned(party: Party, unknown: readonly string[]): void {
    const common = this.#common(party)
    if (!this.#isNews(party, ['not-assigned', unknown])) return
    this.#options.audit.write({
      ...common,
      type: 'access.decided',
      outcome: 'refused',
      reason: 'not-assigned',
      detail: { effect: 'deny', ...segmentOf(party), ...(unknown.length > 0 && { unknown }) },
    })
  }

  #common({ application, user, caller, address, requestId, account }: Party) {
    return {
      time: this.#options.clocks.wallClock(),
      tenantId: application.tenantId,
      applicationId: application.id,
      subject: user.subject,
      account,
      ...(caller.id !== undefined && { sessionId: caller.id }),
      requestId,
      address,
    }
  }

  /** Whether something else was told of this caller, there. */
  #isNews({ caller, application }: Party, content: unknown): boolean {
    const [segment, news] = [application.segment?.path ?? '', JSON.stringify(content)]
    const told = this.#told.get(caller) ?? new Map<string, string>()
    if (told.get(segment) === news) return false
    this.#told.set(caller, told.set(segment, news))
    return true
  }

  /** Audits a decision that restricts, once for each caller until it changes. */
  #tell(party: Party, assessment: RiskAssessment | undefined, decision: AccessDecision): void {
    const common = this.#common(party)
    const isRisky = assessment !== undefined && assessment.level !== 'none'
    if (!this.#isNews(party, [isRisky && assessment, { ...decision, until: 0 }])) return
    const { audit } = this.#options
    if (isRisky)
      audit.write({
        ...common,
        type: 'risk.detected',
        outcome: 'success',
        detail: { ...assessment },
      })
    // The sign-in audits itself. Audit a policy only where it restricts, or would.
    if (decision.effect === 'allow' && !decision.matched.some(wouldRestrict)) return
    const { effect, policy, matched } = decision
    const isDenied = decision.effect === 'deny'
    audit.write({
      ...common,
      type: 'access.decided',
      outcome:
        effect === 'allow'
          ? 'success'
          : isDenied && decision.code === 'policy-broken'
            ? 'failed'
            : 'refused',
      reason: isDenied ? decision.code : effect === 'step-up' ? 'step-up-required' : undefined,
      detail: {
        ...{ effect, policy, matched, ...segmentOf(party) },
        ...(isDenied && decision.cause !== undefined && { because: causeOf(decision.cause) }),
      },
    })
  }
}

/** A look-up that fails finds nothing; what is not known restricts. */
function orUnknown<T>(lookUp: () => T): T | undefined {
  try {
    return lookUp()
  } catch {
    return undefined
  }
}

const wholeOf = (application: Application) => application.segment?.of ?? application

/** Which segment decided, in an event. */
const segmentOf = ({ application: { segment } }: Party) => segment && { segment: segment.path }

const ALLOWED: AccessVerdict = { kind: 'allow' }

const wouldRestrict = ({ effect, mode, isMet }: MatchedPolicy) =>
  mode === 'report-only' && effect !== 'allow' && isMet !== true

/** Messages of our own quote no value; others' may. */
const causeOf = (cause: unknown) =>
  cause instanceof ConfigurationInvalid
    ? cause.message
    : cause instanceof Error
      ? cause.name
      : 'unknown'

function verdictOf(
  decision: AccessDecision,
  application: Application,
  host: string,
): AccessVerdict {
  if (decision.effect === 'allow') return ALLOWED
  if (decision.effect === 'deny')
    return { kind: 'deny', answer: denial(decision.code, decision.reason) }
  const { stepUp } = decision
  return { kind: 'step-up', stepUp, answer: stepUpAnswer(stepUp, application, host) }
}

function denial(code: AccessDenial | 'not-assigned', reason?: string): OwnAnswer {
  const words = SIGN_IN_DENIALS[code]
  return { ...words, code, detail: reason ?? words.detail }
}

const stepUpAnswer = (stepUp: StepUpRequest, { bearer }: Application, host: string): OwnAnswer => ({
  ...OWN_ANSWERS['step-up-required'],
  members: { ...stepUpParameters(stepUp) },
  headers: [
    'WWW-Authenticate',
    stepUpChallenge(bearer === undefined ? 'Cookie' : 'Bearer', host, stepUp),
  ],
})

/** Whose access is decided. */
interface Party {
  readonly application: Application
  readonly user: PolicyUser
  readonly caller: Caller
  readonly address?: string | undefined
  readonly requestId?: string | undefined
  /** The name of the user's account there. */
  readonly account?: string | undefined
}

interface Remembered {
  readonly application: Application
  readonly address: string
  readonly verdict: AccessVerdict
  /** Milliseconds since 1970. */
  readonly until: number
}
