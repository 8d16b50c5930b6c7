/**
 * What sts reads from its configuration file.
 */
import * as v from 'valibot'
import { checkConfiguration } from 'app-proxy/cloud'
import { ConfigurationInvalid } from 'app-proxy/protocol'
import type { ClientMetadata } from 'oidc-provider'
import { readSecretJson } from '#program/files'
import type { StsUser } from './users.ts'

/** The configuration file of sts. */
export interface StsInput {
  /** TCP port. Default: a free one. */
  readonly port?: number | undefined
  /** The issuer identifier. Default: `http://127.0.0.1:PORT`. */
  readonly issuer?: string | undefined
  /** Goes into every token as `tid`. */
  readonly tenantId: string
  /** Who may sign in. */
  readonly users: readonly StsUser[]
  /**
   * OpenID Connect client metadata: one client per application, and a public one for registrars.
   */
  readonly clients: readonly ClientMetadata[]
  /** The resource that registrars' access tokens are for. */
  readonly audience: string
  /**
   * Applications that take access tokens, by resource (RFC 8707): the scopes that there are.
   * Default: none.
   */
  readonly apis?: Readonly<Record<string, string>> | undefined
  /**
   * Whether programs may register themselves as clients (RFC 7591); they get tokens for `apis`
   * alone. Default: false.
   */
  readonly registration?: boolean | undefined
  /** Where keys are kept. Default: new ones at each start. */
  readonly stateDir?: string | undefined
  /**
   * PEM file of the authority under which applications are reached; read when it is needed.
   * Default: the public ones.
   */
  readonly caFile?: string | undefined
}

const text = v.pipe(v.string(), v.minLength(1))

const User = v.pipe(
  v.strictObject({
    id: v.optional(text),
    username: text,
    password: v.optional(text),
    hash: v.optional(
      v.pipe(
        v.string(),
        v.regex(/^scrypt:[\w-]+:[\w-]+$/, 'must be "scrypt:SALT:HASH", both base64url'),
      ),
    ),
    pin: v.optional(text),
    name: v.optional(text),
    email: v.optional(text),
    groups: v.optional(v.array(text)),
    roles: v.optional(v.array(text)),
  }),
  v.check(
    ({ password, hash }) => (password === undefined) !== (hash === undefined),
    'must have a password or a hash, and not both',
  ),
)

const Sts = v.strictObject({
  port: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(65_535))),
  issuer: v.optional(v.pipe(v.string(), v.url())),
  tenantId: text,
  users: v.pipe(v.array(User), v.minLength(1)),
  clients: v.array(v.looseObject({ client_id: text })),
  audience: text,
  apis: v.optional(v.record(v.string(), text)),
  registration: v.optional(v.boolean()),
  stateDir: v.optional(text),
  caFile: v.optional(text),
})

/**
 * Reads the file, which holds passwords.
 *
 * @throws ConfigurationInvalid with all mistakes
 */
export async function readStsConfiguration(file: string): Promise<StsInput> {
  const json = await readSecretJson(file, { path: '--config' })
  const read = checkConfiguration(Sts, json, { file })
  const mistakes = [
    ...repeated(read.users.map(({ username }) => username)).map((i) => `users[${i}].username`),
    ...repeated(read.clients.map((one) => one.client_id)).map((i) => `clients[${i}].client_id`),
  ].map((path) => ({ file, path, detail: 'is not unique' }))
  if (mistakes.length > 0) throw new ConfigurationInvalid(mistakes)
  return read
}

/** Where a value stands that stands before as well. */
const repeated = (values: readonly string[]) =>
  values.flatMap((value, i) => (values.indexOf(value) < i ? [i] : []))
