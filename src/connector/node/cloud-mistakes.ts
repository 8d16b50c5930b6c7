/**
 * From what went wrong on the way to the cloud to what a person has to put right.
 *
 * @module
 */
import { request as httpsRequest } from 'node:https'
import type { TLSSocket } from 'node:tls'
import { PeerViolation, Refused, type RefusalReason } from '../../protocol/internal.ts'
import {
  codeOf,
  isNotTls,
  isUnresolved,
  OUT_OF_TIME,
  UNTRUSTED,
  WRONG_NAME,
} from './failure-codes.ts'
import { TlsOverDial, unverifiedAgent, type Dial } from './own-dial.ts'
import { ProxyFailed } from './proxy-dial.ts'
import { proxyMistake } from './proxy-mistakes.ts'
import { machineMistake, type Mistake, type MistakeKind } from './told-mistakes.ts'

/** Which way it was. */
export interface WayToCloud {
  readonly url: string
  /** Who has the address: this connector's `url`, or the cloud's `instances`. */
  readonly setting: 'url' | 'instances'
  /** It has an identity, and pins the authorities that it was registered with. */
  readonly isRegistered: boolean
}

const ENROL =
  'register it again: stop it, empty its state directory, and start it with a new registrar’s token or enrolment ticket'

/** What has to be put right; `undefined`: nothing that is known, or what may pass by itself. */
export function cloudMistake(error: unknown, way: WayToCloud): Mistake | undefined {
  if (error instanceof Refused) return refusedMistake(error, way)
  if (error instanceof PeerViolation) return notTheCloud(way, 'answers as no cloud does')
  if (error instanceof ProxyFailed) return proxyMistake(error)
  const code = codeOf(error)
  const { hostname, host } = new URL(way.url)
  const mistake = (kind: MistakeKind, message: string): Mistake => ({
    kind,
    ...addressed(way),
    message,
  })
  if (isUnresolved(code))
    return mistake(
      'cloud-name',
      `The name ${hostname} in ${named(way)} cannot be resolved. Check its spelling, or the name servers of this machine.`,
    )
  if (code === 'ECONNREFUSED')
    return mistake(
      'cloud-port',
      `Nothing accepts connections at ${withPort(way.url)}. Check host and port in ${named(way)}, and that the cloud runs.`,
    )
  if (['EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT'].includes(code))
    return mistake(
      'cloud-route',
      `${withPort(way.url)} cannot be reached from this machine (${code}). Check the host in ${named(way)}, and firewalls between here and there.`,
    )
  if (isNotTls(code))
    return mistake(
      'cloud-not-tls',
      `${withPort(way.url)} speaks no TLS. Check the port in ${named(way)}: it must be that of the cloud’s listener for connectors.`,
    )
  if (code === WRONG_NAME)
    return mistake(
      'cloud-certificate-name',
      `The certificate of ${host} is for other names. Check the host in ${named(way)}; or the cloud must get a certificate for it.`,
    )
  if (UNTRUSTED.has(code)) return untrusted(way, host)
  if (
    /ALERT_(UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_(UNKNOWN|EXPIRED|REVOKED|REQUIRED)|ACCESS_DENIED)$/.test(
      code,
    )
  )
    return enrolAgain(`The cloud at ${host} does not accept this connector’s certificate`)
  return machineMistake(code)
}

/**
 * Whether only the times of certificate, machine and cloud can tell what is wrong: {@link
 * timeMistake} compares them.
 */
export function isAboutTime(error: unknown): boolean {
  return OUT_OF_TIME.has(codeOf(error))
}

/**
 * Whose clock is wrong, or that the cloud's certificate has ended. Asks the server at `way.url` for
 * its time, without verifying it and without saying who asks: its answer is a hint for a person and
 * nothing else.
 */
export async function timeMistake(way: WayToCloud, now: number, dial?: Dial): Promise<Mistake> {
  const { host } = new URL(way.url)
  const seen = await askTime(way.url, dial)
  const here = new Date(now).toISOString()
  if (seen === undefined || seen.date === undefined)
    return {
      kind: 'clock',
      owner: 'connector',
      setting: 'clock',
      message: `By this machine’s clock (${here}) the certificate of ${host} is not valid. Set the clock; if it is right, the cloud must get a new certificate.`,
    }
  const { date, from, to } = seen
  if (date >= from && date <= to)
    return {
      kind: 'clock',
      owner: 'connector',
      setting: 'clock',
      message: `The clock of this machine is wrong: it says ${here}, the server at ${host} says ${new Date(date).toISOString()}, and its certificate is valid by that. Set the clock.`,
    }
  return {
    kind: 'cloud-certificate-time',
    owner: 'cloud',
    setting: 'certificate',
    message: `The certificate of ${host} is valid from ${new Date(from).toISOString()} to ${new Date(to).toISOString()}, by the clocks of this machine and of the cloud not now. The cloud must get a new certificate.`,
  }
}

function refusedMistake({ reason, cause }: Refused, way: WayToCloud): Mistake | undefined {
  if (reason === 'unavailable') {
    const { status } = (cause ?? {}) as { status?: number }
    // What says that this address is not ours, rather than that it is busy.
    if (status === undefined || status >= 500 || [401, 403, 408, 425, 429].includes(status))
      return undefined
    return notTheCloud(way, `answers ${status}`)
  }
  return REFUSALS[reason]?.(way)
}

/** What each considered no asks of a person. */
const REFUSALS: Partial<Record<RefusalReason, (way: WayToCloud) => Mistake>> = {
  'certificate-untrusted': () =>
    enrolAgain(
      'The cloud does not know the authority of this connector’s certificate: its authority was rolled while the connector was away, its state was made anew, or this is another cloud',
    ),
  'certificate-missing': (way) =>
    way.isRegistered
      ? enrolAgain(
          'The cloud saw no certificate of this connector; something between them may end TLS',
        )
      : // Every path but that of the registration wants a certificate first.
        notTheCloud(way, 'takes no registrations'),
  'certificate-profile': () => enrolAgain('The cloud does not accept this connector’s certificate'),
  'certificate-revoked': () =>
    enrolAgain('The cloud does not know this connector any more, or it was revoked there'),
  'connector-forgotten': () => enrolAgain('The cloud’s operator has removed this connector'),
  'certificate-expired': () =>
    enrolAgain('This connector’s certificate has ended; check this machine’s clock'),
  'not-found': (way) => notTheCloud(way, 'knows no such call'),
  'ticket-refused': () => ({
    kind: 'ticket-refused',
    owner: 'connector',
    setting: 'ticket',
    message:
      'The cloud does not take this enrolment ticket: it was used, has expired or was revoked, or the tenant takes none. Get a new one and start the connector with it.',
  }),
  'connector-limit': () => ({
    kind: 'connector-limit',
    owner: 'cloud',
    setting: 'connectors',
    message:
      'The tenant has as many connectors as the cloud allows. Remove one there, or raise the limit.',
  }),
  ...Object.fromEntries(
    [
      ['token-malformed', 'is not one the issuer made'],
      ['token-signature', 'is not signed by the tenant’s issuer'],
      ['token-issuer', 'is of an issuer that no tenant has'],
      ['token-audience', 'is for another audience'],
      ['token-expired', 'has expired; if it is new, check the clocks'],
      ['token-not-yet-valid', 'is not valid yet; check the clocks'],
      ['token-tenant', 'is of another tenant'],
      ['token-role', 'does not give the registrar’s role'],
      ['token-replayed', 'was used already'],
    ].map(([reason, why]) => [
      reason,
      (): Mistake => ({
        kind: 'token-refused',
        owner: 'connector',
        setting: 'token',
        message: `The registrar’s token ${why}. Get a new one and start the connector with it.`,
      }),
    ]),
  ),
}

function untrusted(way: WayToCloud, host: string): Mistake {
  if (way.isRegistered)
    return enrolAgain(
      `The certificate of ${host} is signed by another authority than the cloud’s that this connector registered with: the address in ${named(way)} leads to another server, or the cloud’s state was made anew`,
    )
  return {
    kind: 'cloud-authority',
    owner: 'connector',
    setting: 'ca',
    message: `The certificate of ${host} is signed by an authority that is not trusted here. Set "ca" to the file that the cloud names as its authority; or the host in ${named(way)} is another server.`,
  }
}

function enrolAgain(what: string): Mistake {
  return {
    kind: 'enrol-again',
    owner: 'connector',
    setting: 'stateDirectory',
    message: `${what}. If so, ${ENROL}.`,
  }
}

function notTheCloud(way: WayToCloud, what: string): Mistake {
  return {
    kind: 'cloud-path',
    ...addressed(way),
    message: `${way.url} ${what}. Check host, port and path in ${named(way)}: it must be the base URL of the cloud’s listener for connectors.`,
  }
}

function addressed({ setting }: WayToCloud): { owner: Mistake['owner']; setting: string } {
  return { owner: setting === 'url' ? 'connector' : 'cloud', setting }
}

function named({ setting }: WayToCloud): string {
  return setting === 'url' ? '"url"' : '"instances" of the cloud’s configuration'
}

function withPort(url: string): string {
  const { hostname, port } = new URL(url)
  return `${hostname}:${port === '' ? 443 : port}`
}

function askTime(
  url: string,
  dial: Dial | undefined,
): Promise<{ date: number | undefined; from: number; to: number } | undefined> {
  return new Promise((resolve) => {
    const over = dial && new TlsOverDial(dial)
    const request = httpsRequest(url, {
      method: 'HEAD',
      agent: over === undefined ? false : unverifiedAgent(over),
      rejectUnauthorized: false,
      timeout: 5_000,
    })
    request.on('response', (response) => {
      const certificate = (response.socket as TLSSocket).getPeerCertificate()
      const date = Date.parse(response.headers.date ?? '')
      resolve({
        date: Number.isNaN(date) ? undefined : date,
        from: Date.parse(certificate.valid_from),
        to: Date.parse(certificate.valid_to),
      })
      request.destroy()
    })
    request.on('timeout', () => request.destroy())
    request.on('error', () => resolve(undefined))
    request.on('close', () => {
      over?.end()
      resolve(undefined)
    })
    request.end()
  })
}
