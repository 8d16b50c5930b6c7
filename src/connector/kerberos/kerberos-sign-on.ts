/**
 * Signs users on to applications that speak Kerberos, by constrained delegation: the connector's
 * account asks for a ticket in the user's name (S4U2Self), then for one towards the application
 * (S4U2Proxy), and shows a token of it as `Authorization: Negotiate`.
 *
 * @see docs/single-sign-on/kerberos.md
 * @module
 */
import * as v from 'valibot'
import { AccountMapping, readServicePrincipal, type ResponseHead } from '../../protocol/internal.ts'
import { ConfigurationInvalid, SignOnFailed } from '../../protocol/wire/errors.ts'
import { readPrivateFile } from '../../runtime/node/private-files.ts'
import { systemClocks } from '../../runtime/clocks.ts'
import { systemScheduler } from '../../runtime/scheduler.ts'
import type { BackendRequest } from '../backend.ts'
import { internalAddress } from '../internal-request.ts'
import {
  accountNames,
  principalOf,
  type AccountOf,
  type AccountUser,
} from '../sign-on/account-name.ts'
import type { Preparation, SignOn } from '../sign-on/sign-on.ts'
import { openForeignLibrary } from './foreign-library.ts'
import { Gssapi } from './gssapi.ts'
import { negotiateAnswer, negotiateField } from './negotiate.ts'
import { serviceRules, type KerberosService, type ServiceRule } from './service-rules.ts'
import { Tokens, type ServiceToken } from './tokens.ts'

/** Options of {@link kerberosSignOn}: what this connector's own settings say. */
export interface KerberosSignOnOptions {
  /**
   * Path of the keytab of the account that may act for users. The file is a secret: only the user
   * that runs the connector may have rights to it.
   */
  readonly keytab: string
  /** The realm of users, of services and of the account, as `CORP.EXAMPLE`. */
  readonly realm: string
  /** The services that users are signed on to, and where they are. Any other is refused. */
  readonly services: readonly (string | KerberosService)[]
  /** The account, without its realm. Default: the first entry of the keytab. */
  readonly account?: string | undefined
  /** Accounts that nobody is signed on as, beside `DENIED_ACCOUNTS`. Default: none. */
  readonly denied?: readonly string[] | undefined
  /** How many pairs of a user and a service have their tickets kept. Default 1000. */
  readonly tickets?: number | undefined
  /**
   * How long a ticket is used, in milliseconds, if it does not expire before: so long a user whom
   * the realm has locked out can go on. Default 15 minutes.
   */
  readonly ticketAgeMs?: number | undefined
  /**
   * How many questions to the KDC are under way at once. Each occupies one of the worker threads
   * (`UV_THREADPOOL_SIZE`, 4 by default) that names and files need as well. Default 2.
   */
  readonly questions?: number | undefined
  /** How long the KDC may take, in milliseconds. Default 8000. */
  readonly limitMs?: number | undefined
  /** The library's name or path. Default `libgssapi_krb5.so.2`. */
  readonly library?: string | undefined
}

const scheduler = systemScheduler({ keepsAlive: false })
const DEFAULTS = { tickets: 1_000, ticketAgeMs: 15 * 60_000, questions: 2, limitMs: 8_000 }

/**
 * Sign-on of kind `kerberos`, for `startConnector({ signOn: [await kerberosSignOn({ … })] })`.
 *
 * Needs the optional peer `koffi` and MIT's GSSAPI library. The library reads `KRB5_CONFIG`, which
 * is the whole process's; nothing else is taken from the environment.
 *
 * @throws ConfigurationInvalid when a package or the keytab is missing, others can read it, or a
 *   service is none
 */
export async function kerberosSignOn(options: KerberosSignOnOptions): Promise<SignOn> {
  const { keytab, realm, services, account, denied, library } = options
  const { tickets, ticketAgeMs, questions, limitMs } = { ...DEFAULTS, ...defined(options) }
  const isAllowed = serviceRules(services)
  const accountOf = accountNames({ realm, denied })
  await mustBeKeytab(keytab)
  const tokens = new Tokens({
    ...{ gssapi: new Gssapi(await openForeignLibrary(library)), keytab, ticketAgeMs, limitMs },
    ...{ capacity: tickets, lanes: questions, clocks: systemClocks, scheduler },
    principal: account === undefined ? undefined : principalOf(account, realm),
  })
  return new KerberosSignOn({ tokens, realm, isAllowed, accountOf })
}

/** A keytab begins so. */
const KEYTAB = '\u0005\u0002'

async function mustBeKeytab(path: string): Promise<void> {
  const content = await readPrivateFile(path, { mayBeLink: true })
  if (content === undefined) throw new ConfigurationInvalid(path, 'there is no keytab')
  if (!content.startsWith(KEYTAB)) throw new ConfigurationInvalid(path, 'is no keytab')
}

function defined<T extends object>(options: T): Partial<{ [K in keyof T]: NonNullable<T[K]> }> {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as Partial<{ [K in keyof T]: NonNullable<T[K]> }>
}

/** What the cloud says of an application. What is not known here is refused. */
const Settings = v.strictObject({
  kind: v.literal('kerberos'),
  servicePrincipal: v.pipe(
    v.string(),
    v.check((name) => readServicePrincipal(name) !== undefined),
  ),
  user: AccountMapping,
  mutual: v.exactOptional(v.boolean(), false),
})
type Settings = v.InferOutput<typeof Settings>

interface KerberosParts {
  readonly tokens: Tokens
  readonly realm: string
  readonly isAllowed: ServiceRule
  readonly accountOf: AccountOf
}

class KerberosSignOn implements SignOn {
  readonly kind = 'kerberos'
  readonly #parts: KerberosParts
  readonly #settings = new WeakMap<object, Settings>()

  constructor(parts: KerberosParts) {
    this.#parts = parts
  }

  async prepare(request: BackendRequest, signal: AbortSignal): Promise<Preparation> {
    const { servicePrincipal, user, mutual: isMutual } = this.#settingsOf(request)
    this.#mustBeAllowed(request, servicePrincipal)
    const { tokens, realm, accountOf } = this.#parts
    const account = accountOf(request.user as AccountUser | undefined, user)
    if ('refused' in account) throw new SignOnFailed(account.refused, account.detail)
    const token = await tokens.token({
      user: principalOf(account.name, realm),
      service: principalOf(servicePrincipal, realm),
      ...{ isMutual, signal },
    })
    // An answer that comes later is none.
    const callOff = isMutual
      ? scheduler.at(systemClocks.now() + request.answerMs, token.end)
      : nothing
    return {
      reserved: ['authorization'],
      headers: ['Authorization', negotiateField(token.octets)],
      isOnce: true,
      answered(head) {
        try {
          return answered(head, isMutual ? token : undefined)
        } finally {
          callOff()
          token.end()
        }
      },
    }
  }

  close(): Promise<void> {
    return this.#parts.tokens.close()
  }

  #settingsOf({ application }: BackendRequest): Settings {
    const { signOn = {} } = application
    const known = this.#settings.get(signOn)
    if (known !== undefined) return known
    const { success, output, issues } = v.safeParse(Settings, signOn)
    if (!success) {
      const where = v.getDotPath(issues[0]) ?? 'signOn'
      throw new SignOnFailed('misconfigured', `"${where}" is not understood by this connector`)
    }
    this.#settings.set(signOn, output)
    return output
  }

  /** A token goes where this connector's own settings say, whatever the cloud says. */
  #mustBeAllowed({ application }: BackendRequest, servicePrincipal: string): void {
    const { origin, hostname, isSecure } = internalAddress(application)
    const isVerified = isSecure && application.verifyCertificate
    const place = { servicePrincipal, origin, hostname, isSecure: isVerified }
    if ((!isSecure || isVerified) && this.#parts.isAllowed(place)) return
    throw new SignOnFailed(
      'not-allowed-here',
      `nobody is signed on to ${servicePrincipal} at ${origin} by this connector`,
    )
  }
}

const nothing = () => undefined

/** The head as the user gets it. @throws SignOnFailed */
function answered(head: ResponseHead, mutual: ServiceToken | undefined): ResponseHead {
  const { headers, token, isChallenged } = negotiateAnswer(head.headers)
  if (head.status === 401 && isChallenged)
    throw new SignOnFailed('rejected', 'the application asks for credentials all the same')
  if (mutual !== undefined) {
    if (token === undefined)
      throw new SignOnFailed('rejected', 'the application has not shown who it is')
    mutual.verify(token)
  }
  return { ...head, headers }
}
