/**
 * The broker that instances share, as `app-proxy cloud` reads it from its file.
 *
 * @module
 */
import * as v from 'valibot'

/** The broker that instances share. See docs/nats.md. */
export interface NatsInput {
  /** `host:port` of each server of the cluster. No user in it. */
  readonly servers: readonly string[]
  /** The keys that everything in the broker is sealed under: the same file on all instances. */
  readonly deploymentKeyFile: string
  /** Certificates. Default: the roots of Node; no TLS where every server is on this machine. */
  readonly tls?: NatsTlsInput | undefined
  /** Who this service is there. Default: nobody in particular. */
  readonly credentials?: NatsCredentialsInput | undefined
  /**
   * What other instances revoked may be unheard of for so long; then nobody new is let in. 0: as
   * soon as it is stale. Milliseconds, default 900000.
   */
  readonly staleLimitMs?: number | undefined
}

/** Certificates of the connection to the broker, PEM. */
export interface NatsTlsInput {
  /** Authorities that the broker's certificate may stem from. Default: those of Node. */
  readonly caFile?: string | undefined
  /** This service's own certificate, where the broker asks for one. Default: none. */
  readonly certFile?: string | undefined
  /** Its private key, mode 0600. */
  readonly keyFile?: string | undefined
}

/** `user` with `passwordFile`, or `tokenFile`, `seedFile` or `credsFile`; files of mode 0600. */
export interface NatsCredentialsInput {
  /** The user's name. */
  readonly user?: string | undefined
  /** The user's password. */
  readonly passwordFile?: string | undefined
  /** A token. */
  readonly tokenFile?: string | undefined
  /** An NKey's seed (`SU…`). */
  readonly seedFile?: string | undefined
  /** A `.creds` file. */
  readonly credsFile?: string | undefined
}

const path = v.pipe(v.string(), v.minLength(1))

const credentials = v.pipe(
  v.strictObject({
    user: v.optional(path),
    passwordFile: v.optional(path),
    tokenFile: v.optional(path),
    seedFile: v.optional(path),
    credsFile: v.optional(path),
  }),
  v.check(
    ({ user, passwordFile, tokenFile, seedFile, credsFile }) =>
      (user === undefined) === (passwordFile === undefined) &&
      [passwordFile, tokenFile, seedFile, credsFile].filter((one) => one !== undefined).length ===
        1,
    'must have one of "user" with "passwordFile", "tokenFile", "seedFile" or "credsFile"',
  ),
)

/** Its shape. */
export const NatsConfiguration = v.strictObject({
  servers: v.pipe(v.array(path), v.minLength(1)),
  deploymentKeyFile: path,
  tls: v.optional(
    v.pipe(
      v.strictObject({
        caFile: v.optional(path),
        certFile: v.optional(path),
        keyFile: v.optional(path),
      }),
      v.check(
        ({ certFile, keyFile }) => (certFile === undefined) === (keyFile === undefined),
        'must have both "certFile" and "keyFile", or neither',
      ),
    ),
  ),
  credentials: v.optional(credentials),
  staleLimitMs: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0))),
})

export type NatsSettings = v.InferOutput<typeof NatsConfiguration>
