/**
 * The admin API, as `app-proxy cloud` reads it from its file.
 *
 * @module
 */
import { join } from 'node:path'
import * as v from 'valibot'
import type { DirectoryInput } from 'app-proxy/cloud'
import { SOCKET_PATH_OCTETS } from 'app-proxy/cloud/node'
import { ConfigurationInvalid, type ConfigurationMistake } from 'app-proxy/protocol'
import { CertificateFilesConfiguration, type CertificateFilesInput } from './certificate-files.ts'

/** In the state directory: the local token, mode 0600. */
export const ADMIN_TOKEN = 'admin-token'
/** In the state directory: where the local token is shown, for nobody else can be there. */
export const ADMIN_SOCKET = 'admin.sock'

/**
 * The admin API. `app-proxy admin` on this machine calls it by a socket, `admin.sock` in
 * `stateDir`; the token for it is `admin-token` there, made at first start.
 */
export interface AdminInput {
  /** TCP port for others than the owner of `stateDir`; 0 takes a free one. Default: none. */
  readonly port?: number | undefined
  /** The address of the port: without `tls` one of this machine alone. Default: `127.0.0.1`. */
  readonly host?: string | undefined
  /** Key and certificate of the port. Default: plain HTTP. */
  readonly tls?: CertificateFilesInput | undefined
  /**
   * Hosts that calls are for, beside this machine's own names: `admin.example`, with the port where
   * that is not 443. Calls for others are refused. Default: none.
   */
  readonly hosts?: readonly string[] | undefined
  /** Whose tokens are taken beside the local token. Default: nobody's. */
  readonly access?: AdminAccessInput | undefined
}

/** Tokens of issuers for the admin API. See docs/admin-api.md. */
export interface AdminAccessInput {
  /** The `aud` of tokens for it: their only one, and not that of registrars or applications. */
  readonly audience: string
  /** What roles are called at the tenants' issuers. Default: the names below. */
  readonly roles?: AdminRolesInput | undefined
  /** An issuer whose tokens speak for the operator of the service. Default: there is none. */
  readonly service?: AdminServiceInput | undefined
}

/** What roles are called at the tenants' issuers. */
export interface AdminRolesInput {
  /** Sees everything of the tenant, and no secret. Default: `app-proxy.reader`. */
  readonly reader?: string | undefined
  /** And changes its connectors, ends its sessions and tickets. Default: `app-proxy.operator`. */
  readonly operator?: string | undefined
  /** And changes what is published of the tenant. Default: `app-proxy.publisher`. */
  readonly publisher?: string | undefined
}

/** The issuer of those who operate the service. */
export interface AdminServiceInput {
  /** Its URL, which is no tenant's. */
  readonly issuer: string
  /** The role, in `roles`, that a token of it must have. */
  readonly role: string
}

const OF_THIS_MACHINE = ['127.0.0.1', '::1', 'localhost']

const text = v.pipe(v.string(), v.minLength(1))

/** The shape of `admin`. */
export const AdminConfiguration = v.strictObject({
  port: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(65_535))),
  host: v.optional(text, '127.0.0.1'),
  tls: v.optional(CertificateFilesConfiguration),
  hosts: v.optional(v.array(text), []),
  access: v.optional(
    v.strictObject({
      audience: text,
      roles: v.optional(
        v.strictObject({
          reader: v.optional(text, 'app-proxy.reader'),
          operator: v.optional(text, 'app-proxy.operator'),
          publisher: v.optional(text, 'app-proxy.publisher'),
        }),
      ),
      service: v.optional(v.strictObject({ issuer: v.pipe(v.string(), v.url()), role: text })),
    }),
  ),
})

/** With defaults filled in. */
export type AdminSettings = v.InferOutput<typeof AdminConfiguration>

/** @throws ConfigurationInvalid with what its shape does not say */
export function refuseAdmin(
  { admin, stateDir }: { readonly admin?: AdminSettings | undefined; readonly stateDir: string },
  { tenants }: DirectoryInput,
  file: string,
): void {
  if (admin === undefined) return
  const { port, host, tls, hosts, access } = admin
  const mistakes: ConfigurationMistake[] = []
  const tell = (path: string, detail: string, value?: string) =>
    mistakes.push({ file, path, detail, value: value && JSON.stringify(value) })
  const octets = Buffer.byteLength(join(stateDir, ADMIN_SOCKET))
  if (octets > SOCKET_PATH_OCTETS)
    tell(
      'stateDir',
      `is too long: with "admin" it has a socket, ${ADMIN_SOCKET}, whose path has ${octets} octets; it may have ${SOCKET_PATH_OCTETS}`,
    )
  const isHere = OF_THIS_MACHINE.includes(host)
  if (port === undefined && (tls !== undefined || !isHere))
    tell('admin.port', 'is missing: what "host" and "tls" say is of a port')
  if (!isHere && tls === undefined)
    tell('admin.host', 'must be "127.0.0.1", "::1" or "localhost" where there is no "tls"', host)
  else if (!isHere && hosts.length === 0)
    tell('admin.hosts', 'is missing: calls are for a host, and none but this machine is known')
  if (tenants.some(({ registrars }) => registrars.audience === access?.audience))
    tell('admin.access.audience', 'is that of registrars: choose another', access?.audience)
  const issuer = access?.service?.issuer
  if (tenants.some((one) => issuer === urlOf(one.issuer)))
    tell('admin.access.service.issuer', "is a tenant's: its tokens speak for that tenant", issuer)
  if (mistakes.length > 0) throw new ConfigurationInvalid(mistakes)
}

const urlOf = (issuer: DirectoryInput['tenants'][number]['issuer']) =>
  typeof issuer === 'string' ? issuer : issuer.url
