/**
 * What an application is told of its user in a signed assertion: made for each attempt to deliver a
 * request, and for no other.
 *
 * @see docs/single-sign-on/assertion.md
 * @module
 */
import { ASSERTION_SECONDS, type AssertionKeySet } from '../../assertion/assertion-claims.ts'
import {
  canonicalHost,
  ConfigurationInvalid,
  ExchangeFailed,
  PortFailed,
  type HeaderList,
} from '../../protocol/internal.ts'
import { systemClocks, type Clocks } from '../../runtime/clocks.ts'
import type { Published } from '../directory/published.ts'
import { externalUrlFault } from '../directory/published-url.ts'
import type { Caller } from '../identity/caller.ts'
import type { Submission } from '../offers/submission.ts'
import { AssertionKeys } from './assertion-keys.ts'
import type { AssertionSigner } from './assertion-signer.ts'

/** Options of {@link Assertions}. */
export interface AssertionsOptions {
  /** Default: keys that live in this process alone, made when the first is needed. */
  readonly signer?: AssertionSigner | undefined
  /** Who makes them. Default: scheme, host and port of each application's external URL. */
  readonly serviceUrl?: string | undefined
  readonly clocks?: Pick<Clocks, 'wallClock'> | undefined
}

/** A request as its user made it. */
export interface AskedRequest {
  readonly method: string
  /** Octet for octet, without the query. */
  readonly path: string
}

/** A compact JWS, whoever signed it: nothing that a header field could not carry. */
const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]+$/

/** Makes assertions. */
export class Assertions {
  /** Canonical `host[:port]` of the service's own URL, if it has one. */
  readonly serviceHost: string | undefined
  readonly #signer: AssertionSigner
  readonly #serviceUrl: string | undefined
  readonly #wallClock: () => number

  /** @throws ConfigurationInvalid `serviceUrl` */
  constructor(options: AssertionsOptions = {}) {
    const { serviceUrl, clocks = systemClocks } = options
    this.#wallClock = () => clocks.wallClock()
    this.#signer = options.signer ?? new OwnSigner(this.#wallClock)
    this.#serviceUrl = serviceUrl
    const fault = serviceUrl === undefined ? undefined : externalUrlFault(serviceUrl)
    if (fault !== undefined) throw new ConfigurationInvalid('serviceUrl', fault)
    this.serviceHost = serviceUrl && canonicalHost(new URL(serviceUrl).host)
  }

  /** What the attempts of a request carry; undefined: its application is told in other ways. */
  prepare(application: Published, caller: Caller, asked: AskedRequest): Submission['prepare'] {
    const { assertion } = application
    if (assertion === undefined) return undefined
    // Nobody asks an application of this kind who is not known; whoever does is not let in.
    if (caller.user === undefined) throw new ExchangeFailed('cloud', 'sign-on-failed')
    return async (id, attempt) => {
      const iat = Math.floor(this.#wallClock() / 1000)
      const token = await this.#signer.sign({
        ...this.#about(application, caller, asked),
        ...{ jti: `${id}.${attempt}`, iat, exp: iat + ASSERTION_SECONDS },
      })
      return fieldOf(assertion.header, token)
    }
  }

  /** What applications verify them with. */
  async publicKeys(): Promise<AssertionKeySet> {
    return await this.#signer.publicKeys()
  }

  #about(application: Published, caller: Caller, { method, path }: AskedRequest): object {
    const { scheme, host, assertion } = application
    const { externalUrl, tenantId } = application.application
    const user = caller.user!
    const told = assertion!.claims.flatMap((name) => {
      const value = application.told(caller, name)
      return value === undefined ? [] : [[name, value] as const]
    })
    return {
      ...Object.fromEntries(told),
      ...{ iss: this.#serviceUrl ?? `${scheme}://${host}`, aud: externalUrl },
      ...{ sub: user.subject, sub_iss: user.issuer, tid: tenantId },
      ...{ htm: method, htu: `${scheme}://${host}${path}` },
    }
  }
}

function fieldOf(header: string, token: string): HeaderList {
  if (typeof token !== 'string' || !COMPACT.test(token))
    throw new PortFailed('assertionSigner.sign', { detail: 'what it gave is no signed token' })
  return [header, header.toLowerCase() === 'authorization' ? `Bearer ${token}` : token]
}

/** Nobody gave a signer. */
class OwnSigner implements AssertionSigner {
  readonly #wallClock: () => number
  #opening: Promise<AssertionKeys> | undefined

  constructor(wallClock: () => number) {
    this.#wallClock = wallClock
  }

  async sign(claims: Readonly<Record<string, unknown>>): Promise<string> {
    return (await this.#keys()).sign(claims)
  }

  async publicKeys(): Promise<AssertionKeySet> {
    return (await this.#keys()).publicKeys()
  }

  #keys(): Promise<AssertionKeys> {
    return (this.#opening ??= AssertionKeys.open({ wallClock: this.#wallClock }))
  }
}
