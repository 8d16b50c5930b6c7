/**
 * Answers the connectors' control calls: their configuration, their next certificate, and what they
 * must know of an application.
 *
 * Who calls comes from the client certificate, never from the message.
 *
 * @see spec/PROTOCOL.md, "Configuration"
 * @module
 */
import {
  mayServe,
  PROTOCOL_VERSION,
  Refused,
  type ApplicationReply,
  type ApplicationRequest,
  type ConfigurationReply,
  type ConfigurationRequest,
  type ConnectorConfiguration,
} from '../../protocol/internal.ts'
import type { AuditEntry } from '../audit/audit-events.ts'
import type { CertificateAuthority } from '../authority/certificate-authority.ts'
import { issuerOf, type AuthorityRoll } from '../authority/authority-roll.ts'
import { readCertificateRequest } from '../authority/certificate-request.ts'
import type { IdentifiedConnector } from './connector-certificate.ts'
import type { ConnectorRegistry } from './connector-registry.ts'
import { contentVersion } from '../directory/content-version.ts'
import { signOnDetails } from '../directory/sign-on-configuration.ts'
import { ApplicationVersions } from './application-versions.ts'
import type { AuditSink } from '../audit/audit-sink.ts'
import type { CertificateRecord, ConnectorRecord } from './connector-records.ts'
import type { Clocks } from '../../runtime/clocks.ts'
import type { CryptoProvider } from '../../runtime/crypto-provider.ts'
import type { Directory } from '../directory/directory-port.ts'
import { BoundedCache } from '../../runtime/bounded-cache.ts'

export interface ConfigurationServiceOptions {
  readonly crypto: CryptoProvider
  readonly clocks: Pick<Clocks, 'wallClock'>
  readonly directory: Pick<Directory, 'group' | 'application' | 'applications'>
  readonly registry: ConnectorRegistry
  readonly authority: CertificateAuthority
  readonly audit: AuditSink
  /**
   * The cloud instances that connectors may dial: id → base URL of its connector listener. Asked at
   * every pull.
   */
  readonly instances: () => Readonly<Record<string, string>>
  /** The authorities of the cloud's own servers, DER: told with each certificate. Default: none. */
  readonly cloudAuthorities?: (() => readonly Uint8Array[]) | undefined
  /** The roll of that authority: connectors renew to be told of the next root. Default: none. */
  readonly serverRoll?: Pick<AuthorityRoll, 'view' | 'trusted'> | undefined
  /** Milliseconds between two pulls. Default 120 000. */
  readonly pullEveryMs?: number
  /** Milliseconds after which a certificate is rolled. Default 30 days. */
  readonly renewAfterMs?: number
  /** Milliseconds a certificate is valid. Default 60 days. */
  readonly validityMs?: number
}

const THIRTY_DAYS_MS = 30 * 24 * 60 * 60 * 1000
/** What a connector says went wrong is quoted in the audit so far. */
const MAX_ERROR_LENGTH = 500
/**
 * While the authority is rolled, a certificate of the root that leaves is rolled after so long even
 * where it was issued since: by an instance that does not know of it yet.
 */
const RENEW_AGAIN_MS = 60_000
/** Of so many connectors it is remembered which version they were given. */
const REMEMBERED = 50_000

/** What of a connector's record its configuration depends on. */
export type Configured = Pick<ConnectorRecord, 'tenantId' | 'groupId' | 'standing'>

/** What a connector was given last, and the certificate that it showed. */
interface Given {
  /** `undefined`: it was told of one, and may not have heard it. */
  readonly version: string | undefined
  /** It was told of the version, and has not pulled since. */
  readonly isTold?: boolean
  readonly shown: Shown
}

type Shown = { readonly authorityKeyId: string; readonly issuedAt: number } | undefined

/**
 * Answers the pulls of connectors: their configuration, their next certificate, their applications.
 */
export class ConfigurationService {
  readonly #options: ConfigurationServiceOptions
  readonly #applications: ApplicationVersions
  /** By connector id: the version that it runs on, or was given last. */
  readonly #given = new BoundedCache<Given>(REMEMBERED)

  /** @internal */
  constructor(options: ConfigurationServiceOptions) {
    this.#options = options
    this.#applications = new ApplicationVersions(options.directory)
  }

  /**
   * The version that a pull by this connector would give it now.
   *
   * @param renewAfterMs as {@link ConfigurationService.renewAfterMs} of it
   */
  versionFor(connector: Configured, renewAfterMs = this.#renewAfterMs(undefined)): string {
    return this.#configurationOf(connector, renewAfterMs).version
  }

  /** After how long it would be told to roll its certificate: all the same, but in a roll. */
  renewAfterMs(connectorId: string): number {
    return this.#renewAfterMs(this.#given.get(connectorId)?.shown)
  }

  /** The version that it was given here, or named as its own; `undefined`: nobody knows here. */
  given(connectorId: string): string | undefined {
    return this.#given.get(connectorId)?.version
  }

  /** It was told of this version, and pulls it. */
  told(connectorId: string, version: string): void {
    const { shown } = this.#given.get(connectorId) ?? {}
    this.#given.set(connectorId, { version, isTold: true, shown })
  }

  /**
   * It came with another link: what it was told, and has not pulled, may be lost with one before.
   *
   * @internal
   */
  cameAnew(connectorId: string): void {
    const given = this.#given.get(connectorId)
    if (given?.isTold === true)
      this.#given.set(connectorId, { version: undefined, shown: given.shown })
  }

  /**
   * One pull: what the connector should run on, if that is another than it has, and its next
   * certificate, if it asks for one.
   *
   * @throws Refused `request-…` when the certificate request is no good, `certificate-revoked` when
   *   the caller may not renew
   */
  async configuration(
    caller: IdentifiedConnector,
    { have, applied, request }: ConfigurationRequest,
  ): Promise<ConfigurationReply> {
    if (applied?.error !== undefined)
      this.#auditFailedVersion(caller, applied.version, applied.error)
    const certificate = request && (await this.#renew(caller, request))
    const { authorityKeyId } = caller
    const shown = { authorityKeyId, issuedAt: caller.certificate.issuedAt }
    const told = this.#options.cloudAuthorities?.() ?? []
    const configuration = this.#configurationOf(caller.connector, this.#renewAfterMs(shown))
    this.#given.set(caller.connector.id, { version: configuration.version, shown })
    return {
      v: PROTOCOL_VERSION,
      type: 'configuration',
      serverTime: this.#options.clocks.wallClock(),
      ...(configuration.version === have ? {} : { configuration }),
      ...(certificate && {
        certificate: {
          certificate: new Uint8Array(certificate.der),
          chain: [new Uint8Array(issuerOf(certificate.der, this.#options.authority))],
          ...(told.length > 0 && {
            cloudAuthorities: told.map((der) => new Uint8Array(der)),
          }),
        },
      }),
    }
  }

  /** An application's details, for connectors of the group that serves it and for nobody else. */
  application(
    { connector }: IdentifiedConnector,
    { applicationId }: ApplicationRequest,
  ): ApplicationReply {
    const application = this.#options.directory.application(applicationId)
    if (
      application === undefined ||
      application.tenantId !== connector.tenantId ||
      application.groupId !== connector.groupId ||
      !mayServe(connector.standing)
    ) {
      return { v: PROTOCOL_VERSION, type: 'unknown-application', applicationId }
    }
    const { id, version, internalUrl, externalUrl, hostHeader } = application
    const { verifyCertificate, responseHeadMs, backendProtocol } = application
    const { limits, lenient } = application
    const { requestIdleMs, responseIdleMs } = limits ?? {}
    const signOn = signOnDetails(application.signOn)
    return {
      v: PROTOCOL_VERSION,
      type: 'application',
      application: {
        id,
        version,
        internalUrl,
        externalUrl,
        hostHeader,
        verifyCertificate,
        responseHeadMs,
        ...(backendProtocol && { backendProtocol }),
        ...(requestIdleMs !== undefined && { requestIdleMs }),
        ...(responseIdleMs !== undefined && { responseIdleMs }),
        ...(lenient && { lenient }),
        ...(signOn && { signOn }),
      },
    }
  }

  /** Certificates of a root that leaves are rolled at once: whoever holds one is asked to. */
  #renewAfterMs(shown: Shown): number {
    const { authority, serverRoll, renewAfterMs = THIRTY_DAYS_MS } = this.#options
    // Asked of each link at each look: there mostly is no roll.
    const isRolled = (authority.roll?.trusted.length ?? 1) + (serverRoll?.trusted.length ?? 1) > 2
    if (shown === undefined || !isRolled) return renewAfterMs
    const servers = serverRoll?.view()
    const isToldLess = servers?.leaving && shown.issuedAt < servers.leaving.leavesAt
    if (servers?.state === 'rolling' && isToldLess === true) return 0
    const { state, leaving } = authority.roll?.view() ?? {}
    if (state !== 'rolling' || shown.authorityKeyId !== leaving?.keyId) return renewAfterMs
    return shown.issuedAt < leaving.leavesAt ? 0 : Math.min(renewAfterMs, RENEW_AGAIN_MS)
  }

  #configurationOf(
    { tenantId, groupId, standing }: Configured,
    renewAfterMs: number,
  ): ConnectorConfiguration {
    const { directory, instances } = this.#options
    const { pullEveryMs = 120_000 } = this.#options
    const { versions, digest } = this.#applications.of(tenantId, groupId)
    const content = {
      groupId,
      groupName: directory.group(groupId)?.name ?? groupId,
      instances: { ...instances() },
      pullEveryMs,
      renewAfterMs,
      // A revoked connector is told nothing.
      ...(standing !== 'revoked' && { standing }),
    }
    // The versions are digested once, not for each connector.
    const version = contentVersion({ ...content, applications: digest })
    return { version, ...content, ...(versions && { applications: versions }) }
  }

  /** The same key always gets the same certificate: the reply may have been lost. */
  async #renew(caller: IdentifiedConnector, request: Uint8Array): Promise<CertificateRecord> {
    const { crypto, clocks, registry, authority, validityMs } = this.#options
    const now = clocks.wallClock()
    try {
      const { publicKey, keyId, ignored } = await readCertificateRequest(request, crypto)
      const { certificate, repeated } = await registry.renew({
        serial: caller.certificate.serial,
        keyId,
        now,
        make: async ({ id, tenantId }) => ({
          ...(await authority.issue({
            publicKeySpki: publicKey,
            tenantId,
            connectorId: id,
            now,
            ...(validityMs === undefined ? {} : { validityMs }),
          })),
          connectorId: id,
        }),
      })
      const { serial, expiresAt } = certificate
      this.#audit(caller, {
        type: 'connector.renewal',
        outcome: 'success',
        detail: { serial, expiresAt, ignored, repeated },
      })
      return certificate
    } catch (error) {
      if (error instanceof Refused) {
        const { reason } = error
        this.#audit(caller, { type: 'connector.renewal', outcome: 'refused', reason })
      }
      throw error
    }
  }

  #auditFailedVersion(caller: IdentifiedConnector, version: string, error: string): void {
    this.#audit(caller, {
      type: 'connector.configuration',
      outcome: 'failed',
      detail: { version, error: error.slice(0, MAX_ERROR_LENGTH) },
    })
  }

  #audit(
    { connector, certificate }: IdentifiedConnector,
    entry: AuditEntry<'connector.renewal' | 'connector.configuration', 'tenantId' | 'connectorId'>,
  ): void {
    this.#options.audit.write({
      time: this.#options.clocks.wallClock(),
      ...entry,
      tenantId: connector.tenantId,
      connectorId: connector.id,
      detail: { ...entry.detail, callerSerial: certificate.serial },
    })
  }
}
