/**
 * Sign-on by a secret that only this connector has: it is put into a header field of each request.
 *
 * Neither the application's id nor its name lets a secret go anywhere: each says itself to which
 * internal origins it may go. So a cloud that moves an application moves no secret.
 *
 * @see docs/single-sign-on/inject.md
 * @module
 */
import * as v from 'valibot'
import {
  AccountMapping,
  headerValues,
  SIGN_ON_PREFIX,
  SignOnFailed,
  type ApplicationDetails,
  type ResponseHead,
  type UserClaims,
} from '../../protocol/internal.ts'
import { Containment, type OnError } from '../../runtime/containment.ts'
import type { BackendRequest } from '../backend.ts'
import { internalAddress } from '../internal-request.ts'
import { accountNames } from '../sign-on/account-name.ts'
import type { Preparation, SignOn } from '../sign-on/sign-on.ts'
import { fieldOf, secretFault, type InjectedSecret } from './injected-secret.ts'
import { closeness, parsePlace, type Place } from './places.ts'
import { RefusedSecrets, type ShownSecret } from './refused-secrets.ts'

/** What a connector names that has secrets by account. */
const INJECT_ACCOUNT = `${SIGN_ON_PREFIX}inject-account`

/** What a secret is asked for. */
export interface SecretWanted {
  /** Scheme, host and port of the application, as URLs have them: `https://wiki.corp.example`. */
  readonly internalOrigin: string
  /** The application's id in the cloud's configuration. */
  readonly application: string
  /** The name of a secret in the application's `signOn`; undefined: it names none. */
  readonly name: string | undefined
  /**
   * The user's account, where the application's `signOn` has a mapping: the secret must be this
   * account's own.
   */
  readonly account?: string | undefined
  /** Undefined: nobody signed in, or the application passes everybody through. */
  readonly user: UserClaims | undefined
  /** Aborted when nobody waits for it any more. */
  readonly signal: AbortSignal
}

/** Where secrets come from: {@link SignOnFile} of `app-proxy/connector/node`, or your own. */
export interface SecretSource {
  /**
   * It gives each account its own secret where it is asked for one. Default: false; then no
   * application is signed on to whose `signOn` has a mapping.
   */
  readonly knowsAccounts?: boolean | undefined
  /**
   * The secret for one request; `undefined`: there is none, and the user gets `sign-on-failed`. It
   * is held against its own `origins` again.
   *
   * @throws SignOnFailed with another reason than `secret-missing`
   */
  secretFor(wanted: SecretWanted): InjectedSecret | undefined | Promise<InjectedSecret | undefined>
}

/** Options of {@link injectSignOn}. */
export interface InjectSignOnOptions {
  /** Where each secret is, and where it may go: a `SignOnFile`, or a source of one's own. */
  readonly secrets: SecretSource
  /** Told what `secrets` threw, as it was. Default: nobody is told. */
  readonly onError?: OnError | undefined
}

/** The sign-on `inject`, for `signOn` of `startConnector`. */
export function injectSignOn({ secrets, onError }: InjectSignOnOptions): SignOn {
  const containment = new Containment(onError)
  const failed = (error: unknown): never => {
    if (error instanceof SignOnFailed) throw error
    containment.tell('secrets.secretFor', error, false)
    // What it threw may quote the secret, and events are written down.
    throw new SignOnFailed('unavailable', 'the source of secrets failed')
  }
  const settings = new WeakMap<object, Settings>()
  const refused = new RefusedSecrets()
  return {
    kind: 'inject',
    features: secrets.knowsAccounts === true ? [INJECT_ACCOUNT] : [],
    prepare(request, signal) {
      const { application, method, user } = request
      const { secret: name, user: mapping } = settingsOf(application, settings)
      refuseMethod(method)
      const { origin: internalOrigin, isSecure } = internalAddress(application)
      if (isSecure && !application.verifyCertificate)
        throw notAllowed(application, 'its certificate is not verified')
      if (mapping !== undefined && secrets.knowsAccounts !== true)
        throw new SignOnFailed('misconfigured', 'this connector has no secrets by account')
      const account = mapping && accountName(user, mapping)
      const wanted = {
        ...{ internalOrigin, application: application.id, name, user, signal },
        ...(account !== undefined && { account }),
      }
      let found: ReturnType<SecretSource['secretFor']>
      try {
        found = secrets.secretFor(wanted)
      } catch (error) {
        return failed(error)
      }
      return found instanceof Promise
        ? found.catch(failed).then((secret) => prepared(request, secret, refused))
        : prepared(request, found, refused)
    },
  }
}

/** What the cloud says of an application. What is not known here is refused. */
const Settings = v.strictObject({
  kind: v.literal('inject'),
  secret: v.exactOptional(v.pipe(v.string(), v.minLength(1))),
  user: v.exactOptional(AccountMapping),
})
type Settings = v.InferOutput<typeof Settings>
const NO_SETTINGS: Settings = { kind: 'inject' }

/** @throws SignOnFailed `misconfigured` settings that are not understood */
function settingsOf(
  { signOn = NO_SETTINGS }: ApplicationDetails,
  known: WeakMap<object, Settings>,
): Settings {
  const before = known.get(signOn)
  if (before !== undefined) return before
  const { success, output } = v.safeParse(Settings, signOn)
  if (!success)
    throw new SignOnFailed('misconfigured', 'this connector does not know all settings of "signOn"')
  known.set(signOn, output)
  return output
}

const accountOf = accountNames()

/** @throws SignOnFailed the user has no account there, or one that nobody is signed on to */
function accountName(user: UserClaims | undefined, mapping: AccountMapping): string {
  const account = accountOf(user, mapping)
  if ('refused' in account) throw new SignOnFailed(account.refused, account.detail)
  return account.name
}

/**
 * These have the request sent back, its secrets with it. RFC 9110 §9.3.8 forbids a TRACE that has
 * any.
 */
function refuseMethod(method: string): void {
  if (/^TRAC[EK]$/i.test(method))
    throw new SignOnFailed('not-allowed-here', `${method.toUpperCase()} would tell the secret`)
}

function prepared(
  request: BackendRequest,
  secret: InjectedSecret | undefined,
  refused: RefusedSecrets,
): Preparation {
  const { application, target } = request
  if (secret === undefined)
    throw new SignOnFailed('secret-missing', `for application "${application.id}"`)
  const { origin, isSecure } = internalAddress(application)
  if (closeness(placesOf(secret.origins), origin) === 0)
    throw notAllowed(application, 'no such secret may go there')
  if (!isSecure && secret.allowHttp !== true)
    throw notAllowed(application, 'it would go there unencrypted')
  const fault = secretFault(secret)
  if (fault !== undefined)
    throw new SignOnFailed('secret-missing', `the one there is cannot be sent: ${fault.join(' ')}`)
  const { name, value, isRefusedBy401 } = fieldOf(secret)
  const shown: ShownSecret = { origin, value, path: target }
  if (secret.form === 'basic' && refused.has(shown))
    throw new SignOnFailed(
      'rejected',
      'the application has refused this password: it is not tried again until it is another',
    )
  const answered = (head: ResponseHead): ResponseHead => {
    // Nobody but this connector could answer its challenge.
    if (head.status !== 401) return head
    if (secret.form === 'basic' && challengesBasic(head)) refused.add(shown)
    throw new SignOnFailed('rejected', 'the application answers 401 to the secret')
  }
  return {
    reserved: [name],
    headers: [name, value],
    ...(isRefusedBy401 && { answered }),
  }
}

/** What says that the password itself was looked at, and was wrong (RFC 7617, section 2). */
const challengesBasic = ({ headers }: ResponseHead) =>
  headerValues(headers, 'www-authenticate').some((value) =>
    /(?:^|,)[ \t]*basic(?: |,|$)/i.test(value),
  )

function notAllowed(application: ApplicationDetails, why: string): SignOnFailed {
  const { origin } = internalAddress(application)
  return new SignOnFailed(
    'not-allowed-here',
    `application "${application.id}" is at ${origin}: ${why}`,
  )
}

/** What is no place lets nothing go anywhere. */
const placesOf = (origins: readonly string[]): readonly Place[] =>
  origins.map(parsePlace).filter((place) => place !== undefined)
