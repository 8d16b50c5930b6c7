/**
 * The few functions of GSSAPI that sign-on for somebody else needs (RFC 2743, RFC 2744, and MIT's
 * extensions for S4U and credential stores).
 *
 * What may ask a KDC runs on a worker thread and is asynchronous; the rest is local, takes
 * microseconds, and is not. Nothing here reads or writes the environment of the process: keytab and
 * ticket cache are named in each call. The library itself reads `KRB5_CONFIG`, once.
 *
 * @see https://web.mit.edu/kerberos/krb5-1.20/doc/appdev/gssapi.html
 * @module
 */
import { ApiMisuse } from '../../protocol/wire/errors.ts'
import type { ForeignFunction, ForeignLibrary, ForeignType, Handle } from './foreign-library.ts'
import { GssFailure, isError } from './gss-failure.ts'

/** Whose a credential is, and for how long it is good. */
export interface CredentialFacts {
  /** `user@REALM`. */
  readonly principal: string
  readonly lifetimeSeconds: number
  /** Without SPNEGO, tokens would be made of another credential, silently. */
  readonly hasSpnego: boolean
}

/** A context; the library empties it when it ends. */
export type Context = [handle: Handle]

/** A context that was begun. */
export interface Begun {
  readonly context: Context
  readonly token: Uint8Array
}

/** Who is at both ends of a context, and for how long its ticket is good. */
export interface ContextFacts {
  readonly initiator: string
  readonly target: string
  readonly lifetimeSeconds: number
}

/** Where an account's key is, and where its tickets go. */
export interface AccountSource {
  /** `account@REALM`; undefined: the first entry of the keytab. */
  readonly principal: string | undefined
  readonly keytab: string
  /** As `MEMORY:name`. */
  readonly cache: string
}

const INDEFINITE = 0xffffffff
const INITIATE = 1
const MUTUAL_FLAG = 2
const CONTINUE_NEEDED = 1
const MAJOR_CODE = 1
const MINOR_CODE = 2
const NONE = null

const KRB5 = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 1, 2, 2]
const SPNEGO = objectId([0x2b, 6, 1, 5, 5, 2])
/** `GSS_KRB5_NT_PRINCIPAL_NAME`: taken as it is, and nobody asks DNS for another name. */
const PRINCIPAL_NAME = objectId([...KRB5, 1])
const BY_SPNEGO = { count: 1, elements: [SPNEGO] }
const BY_KRB5 = { count: 1, elements: [objectId(KRB5)] }

interface Octets {
  readonly length: number | bigint
  readonly value: Handle
}

type CallName = keyof typeof SIGNATURES

/** What the rest of this room asks of the library. */
export type GssapiCalls = Pick<Gssapi, keyof Gssapi>

/** The library's functions, by what they are for. */
export class Gssapi {
  readonly #library: ForeignLibrary
  readonly #call: Readonly<Record<CallName, ForeignFunction>>

  constructor(library: ForeignLibrary) {
    this.#library = library
    const types = gssapiTypes(library)
    const calls = Object.entries(SIGNATURES).map(([name, parameters]) => [
      name,
      library.func(
        name,
        parameters.map((parameter) => types[parameter]!),
      ),
    ])
    this.#call = Object.fromEntries(calls) as Record<CallName, ForeignFunction>
  }

  /** The account's own credential. Asks the KDC, unless the cache has a ticket that is good. */
  async acquire(source: AccountSource): Promise<Handle> {
    try {
      return await this.#acquire(source, BY_SPNEGO)
    } catch (failure) {
      // SPNEGO keeps to itself why it has none.
      this.releaseCredential(await this.#acquire(source, BY_KRB5))
      throw failure
    }
  }

  async #acquire({ principal, keytab, cache }: AccountSource, by: unknown): Promise<Handle> {
    const credential: Handle[] = [NONE]
    const name = principal === undefined ? NONE : this.#import(principal)
    const store = [
      ['client_keytab', keytab],
      ['keytab', keytab],
      ['ccache', cache],
    ].map(([key, value]) => ({ key, value }))
    try {
      await this.#ask('gss_acquire_cred_from', (minor) => [
        ...[minor, name, INDEFINITE, by, INITIATE, { count: store.length, elements: store }],
        ...[credential, NONE, NONE],
      ])
    } finally {
      this.#releaseName(name)
    }
    return somebodys(credential[0])
  }

  /** S4U2Self: a credential for a user, without anything of the user's. Asks the KDC. */
  async impersonate(impersonator: Handle, user: string): Promise<Handle> {
    const credential: Handle[] = [NONE]
    const name = this.#import(user)
    try {
      await this.#ask('gss_acquire_cred_impersonate_name', (minor) => [
        ...[minor, somebodys(impersonator), name, INDEFINITE, BY_SPNEGO, INITIATE],
        ...[credential, NONE, NONE],
      ])
    } finally {
      this.#releaseName(name)
    }
    return somebodys(credential[0])
  }

  /**
   * The first token for a service. Asks the KDC (S4U2Proxy), unless the credential has a ticket for
   * it that is good.
   */
  async begin(credential: Handle, service: string, isMutual: boolean): Promise<Begun> {
    const context: Context = [NONE]
    const token: Octets[] = [noOctets()]
    const name = this.#import(service)
    try {
      await this.#ask('gss_init_sec_context', (minor) => [
        ...[minor, somebodys(credential), context, name, SPNEGO, isMutual ? MUTUAL_FLAG : 0, 0],
        ...[NONE, NONE, NONE, token, NONE, NONE],
      ])
      somebodys(context[0])
      return { context, token: this.#take(token) }
    } catch (error) {
      this.releaseContext(context)
      throw error
    } finally {
      this.#releaseName(name)
    }
  }

  /**
   * What the service answered to a token that was to be answered; the context is complete then.
   *
   * @throws GssFailure it is not the service that was meant, or wants another round
   */
  proceed(context: Context, credential: Handle, service: string, answer: Uint8Array): void {
    const token: Octets[] = [noOctets()]
    const minor = [0]
    somebodys(context[0])
    const name = this.#import(service)
    try {
      const major = this.#call.gss_init_sec_context(
        ...[minor, somebodys(credential), context, name, SPNEGO, MUTUAL_FLAG, 0],
        ...[NONE, { length: answer.length, value: answer }, NONE, token, NONE, NONE],
      )
      this.#take(token)
      this.#check('gss_init_sec_context', major, minor)
      if (major === CONTINUE_NEEDED)
        throw new GssFailure('gss_init_sec_context', major, ['the service wants another round'])
    } finally {
      this.#releaseName(name)
    }
  }

  /** May ask the KDC, for an account whose ticket has expired. */
  async credentialFacts(credential: Handle): Promise<CredentialFacts> {
    const name: Handle[] = [NONE]
    const lifetime = [0]
    const mechanisms: Handle[] = [NONE]
    const isMember = [0]
    await this.#ask('gss_inquire_cred', (minor) => [
      ...[minor, somebodys(credential), name, lifetime, [0], mechanisms],
    ])
    this.#call.gss_test_oid_set_member([0], SPNEGO, mechanisms[0], isMember)
    this.#call.gss_release_oid_set([0], mechanisms)
    return {
      principal: this.#nameOf(name),
      lifetimeSeconds: lifetime[0]!,
      hasSpnego: isMember[0] === 1,
    }
  }

  /** Of a context that was begun without asking for an answer, or is complete. */
  contextFacts([context]: Context): ContextFacts {
    const [minor, initiator, target, lifetime] = [[0], [NONE], [NONE], [0]]
    const major = this.#call.gss_inquire_context(
      ...[minor, somebodys(context), initiator, target, lifetime, NONE, [0], NONE, NONE],
    )
    this.#check('gss_inquire_context', major, minor)
    return {
      initiator: this.#nameOf(initiator),
      target: this.#nameOf(target),
      lifetimeSeconds: lifetime[0]!,
    }
  }

  releaseCredential(credential: Handle): void {
    if (credential !== NONE) this.#call.gss_release_cred([0], [credential])
  }

  releaseContext(context: Context): void {
    if (context[0] === NONE) return
    this.#call.gss_delete_sec_context([0], context, NONE)
    context[0] = NONE
  }

  /** A principal with its realm. */
  #import(principal: string): Handle {
    const value = octetsOf(principal)
    const name: Handle[] = [NONE]
    const minor = [0]
    const major = this.#call.gss_import_name(
      ...[minor, { length: value.length, value }, PRINCIPAL_NAME, name],
    )
    this.#check('gss_import_name', major, minor)
    return somebodys(name[0])
  }

  #releaseName(name: Handle): void {
    if (name !== NONE) this.#call.gss_release_name([0], [name])
  }

  /** Calls on a worker thread. Nothing ends it but the library: {@link Lanes} bounds how many. */
  #ask(name: CallName, argumentsWith: (minor: number[]) => readonly unknown[]): Promise<void> {
    const minor = [0]
    // What C points into must live as long as the call.
    const given = argumentsWith(minor)
    return new Promise((resolve, reject) => {
      this.#call[name].async(...given, (error: unknown, major: number) => {
        try {
          if (error) throw new ApiMisuse(`${name} cannot be called so`, { cause: error })
          this.#check(name, major, minor)
          resolve()
        } catch (failure) {
          reject(failure as Error)
        }
      })
    })
  }

  #check(call: string, major: number, [minor = 0]: readonly number[]): void {
    if (!isError(major)) return
    const said = [...this.#said(major, MAJOR_CODE), ...this.#said(minor, MINOR_CODE)]
    throw new GssFailure(call, major, said)
  }

  /** The library's words for a status. */
  #said(status: number, kind: number): string[] {
    const words: Octets[] = [noOctets()]
    const major = this.#call.gss_display_status([0], status, kind, NONE, [0], words)
    return isError(major) ? [] : [textOf(this.#take(words))]
  }

  /** The name as text; it is released. */
  #nameOf([name]: readonly Handle[]): string {
    // Nobody's name: of a context that has not come so far.
    if (name === NONE) return ''
    const shown: Octets[] = [noOctets()]
    const minor = [0]
    const major = this.#call.gss_display_name(minor, name, shown, NONE)
    this.#releaseName(name)
    this.#check('gss_display_name', major, minor)
    return textOf(this.#take(shown))
  }

  /** Copies what the library allocated, and gives it back. */
  #take([octets]: readonly Octets[]): Uint8Array {
    const { length, value } = octets!
    if (value === NONE || Number(length) === 0) return new Uint8Array(0)
    const there = this.#library.koffi.decode(value, 'uint8_t', Number(length)) as Uint8Array
    const copy = Uint8Array.from(there)
    this.#call.gss_release_buffer([0], [octets])
    return copy
  }
}

/**
 * Never nobody's: where it is given none, the library takes whatever credential the process has,
 * and would speak in its name.
 */
function somebodys(credential: Handle): Handle {
  if (credential === NONE || credential === undefined)
    throw new ApiMisuse('a call of GSSAPI without a credential')
  return credential
}

/** An object identifier, by its octets. */
export function objectId(octets: readonly number[]) {
  return { length: octets.length, elements: Uint8Array.from(octets) }
}

const noOctets = (): Octets => ({ length: 0, value: NONE })

/** Principals are ASCII here; anything else is refused before. */
const octetsOf = (text: string) => Uint8Array.from(text, (sign) => sign.charCodeAt(0))

/** The library ends some of its words with a NUL. */
const textOf = (octets: Uint8Array) => String.fromCharCode(...octets).replace(/\0+$/, '')

type TypeName = 'number' | 'int' | 'handle' | `${'in' | 'out' | 'inOut'}${string}`

/** What the functions take, by our names. */
export function gssapiTypes({ koffi }: ForeignLibrary): Readonly<Record<string, ForeignType>> {
  const { struct, pointer, out, inout } = koffi
  const oid = struct({ length: 'uint32_t', elements: 'void *' })
  const oids = struct({ count: 'size_t', elements: pointer(oid) })
  const octets = struct({ length: 'size_t', value: 'void *' })
  const entry = struct({ key: 'const char *', value: 'const char *' })
  const store = struct({ count: 'uint32_t', elements: pointer(entry) })
  return {
    number: 'uint32_t',
    int: 'int',
    handle: 'void *',
    inOid: pointer(oid),
    inOids: pointer(oids),
    inOctets: pointer(octets),
    inStore: pointer(store),
    outNumber: out(pointer('uint32_t')),
    outInt: out(pointer('int')),
    outHandle: out(pointer('void *')),
    outOctets: out(pointer(octets)),
    inOutNumber: inout(pointer('uint32_t')),
    inOutHandle: inout(pointer('void *')),
    inOutOctets: inout(pointer(octets)),
  }
}

// prettier-ignore
const SIGNATURES = {
  gss_import_name:       ['outNumber', 'inOctets', 'inOid', 'outHandle'],
  gss_acquire_cred_from: ['outNumber', 'handle', 'number', 'inOids', 'int', 'inStore', 'outHandle', 'handle', 'handle'],
  gss_acquire_cred_impersonate_name:
                         ['outNumber', 'handle', 'handle', 'number', 'inOids', 'int', 'outHandle', 'handle', 'handle'],
  gss_init_sec_context:  ['outNumber', 'handle', 'inOutHandle', 'handle', 'inOid', 'number', 'number', 'handle', 'inOctets',
                          'handle', 'outOctets', 'handle', 'handle'],
  gss_inquire_cred:      ['outNumber', 'handle', 'outHandle', 'outNumber', 'outInt', 'outHandle'],
  gss_inquire_context:   ['outNumber', 'handle', 'outHandle', 'outHandle', 'outNumber', 'handle', 'outNumber', 'handle', 'handle'],
  gss_test_oid_set_member: ['outNumber', 'inOid', 'handle', 'outInt'],
  gss_display_name:      ['outNumber', 'handle', 'outOctets', 'handle'],
  gss_display_status:    ['outNumber', 'number', 'int', 'inOid', 'inOutNumber', 'outOctets'],
  gss_release_name:      ['outNumber', 'inOutHandle'],
  gss_release_cred:      ['outNumber', 'inOutHandle'],
  gss_release_oid_set:   ['outNumber', 'inOutHandle'],
  gss_release_buffer:    ['outNumber', 'inOutOctets'],
  gss_delete_sec_context: ['outNumber', 'inOutHandle', 'handle'],
} as const satisfies Readonly<Record<string, readonly TypeName[]>>
