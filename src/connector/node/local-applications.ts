/**
 * TLS towards applications, as an operator of a connector writes it: by internal origin, with
 * certificates and keys in files of their own.
 *
 * @see docs/single-sign-on/client-certificate.md
 * @module
 */
import { createHash, X509Certificate } from 'node:crypto'
import * as v from 'valibot'
import { ConfigurationInvalid } from '../../protocol/wire/errors.ts'
import { readCertificates } from '../../runtime/certificates.ts'
import type { TellMistake } from '../../runtime/configuration-mistakes.ts'
import { readPlainFile } from '../../runtime/node/plain-file.ts'
import { readPrivateFile } from '../../runtime/node/private-files.ts'
import { tlsCredentials } from '../../runtime/node/server-credentials.ts'
import type { ApplicationTls } from '../application-tls.ts'
import { closeness, parsePlace, placeName, type Place } from '../inject/places.ts'
import { isServerName } from './own-pools.ts'

const text = v.pipe(v.string(), v.minLength(1), v.maxLength(1024))

/** How the application at an internal origin is recognised, and what it is shown. */
export const LocalApplication = v.strictObject({
  origin: text,
  ca: v.exactOptional(text),
  clientCertificate: v.exactOptional(text),
  clientKey: v.exactOptional(text),
  serverName: v.exactOptional(text),
})

/** As much of it as its schema takes. */
export type LocalApplicationPart = Partial<v.InferOutput<typeof LocalApplication>> | undefined

const FILES = ['ca', 'clientCertificate', 'clientKey'] as const

/** The names of all files in it, as they are written. */
export function namedFiles(applications: readonly LocalApplicationPart[]): readonly string[] {
  return applications.flatMap((one) => FILES.flatMap((member) => one?.[member] ?? []))
}

export interface ReadLocalApplicationsOptions {
  readonly toPath: (name: string) => string
  /** What was read before: what did not change stays the same object. */
  readonly before: LocalApplications | undefined
  /** Where the list stands. */
  readonly at: string
  readonly tell: TellMistake
}

/** Reads the files; tells all mistakes. */
export async function readLocalApplications(
  applications: readonly LocalApplicationPart[],
  { toPath, before, at, tell }: ReadLocalApplicationsOptions,
): Promise<LocalApplications> {
  const read: Known[] = []
  for (const [i, application] of applications.entries()) {
    if (application === undefined) continue
    const path = `${at}[${i}]`
    const place = placeOf(application, path, read, tell)
    const tls = await readTls(application, toPath, path, tell)
    if (place === undefined) continue
    const digest = createHash('sha256').update(JSON.stringify(tls)).digest('hex')
    const name = placeName(place)
    const same = before?.known.find((one) => one.name === name && one.digest === digest)
    read.push(same ?? { name, place, tls, digest })
  }
  return new LocalApplications(read)
}

interface Known {
  readonly name: string
  readonly place: Place
  readonly tls: ApplicationTls
  readonly digest: string
}

/** What holds at which origin. */
export class LocalApplications {
  readonly known: readonly Known[]
  readonly #exact = new Map<string, ApplicationTls>()
  readonly #below: readonly Known[]

  constructor(known: readonly Known[]) {
    this.known = known
    for (const { place, name, tls } of known) if (!place.isBelow) this.#exact.set(name, tls)
    this.#below = known.filter(({ place }) => place.isBelow)
  }

  get digest(): string {
    return this.known.map(({ name, digest }) => `${name} ${digest}\n`).join('')
  }

  tlsOf(internalOrigin: string): ApplicationTls | undefined {
    const exact = this.#exact.get(internalOrigin)
    if (exact !== undefined || this.#below.length === 0) return exact
    let [closest, tls]: [number, ApplicationTls | undefined] = [0, undefined]
    for (const one of this.#below) {
      const close = closeness([one.place], internalOrigin)
      if (close > closest) [closest, tls] = [close, one.tls]
    }
    return tls
  }
}

function placeOf(
  { origin, ca, clientCertificate, clientKey, serverName }: LocalApplicationPart & object,
  path: string,
  others: readonly Known[],
  tell: TellMistake,
): Place | undefined {
  if (clientCertificate === undefined && clientKey !== undefined)
    tell(`${path}.clientCertificate`, 'is missing: there is a "clientKey"')
  if (clientKey === undefined && clientCertificate !== undefined)
    tell(`${path}.clientKey`, 'is missing: there is a "clientCertificate"')
  if (ca === undefined && clientCertificate === undefined && serverName === undefined)
    tell(path, 'says nothing: "ca", "clientCertificate" or "serverName" is missing')
  if (serverName !== undefined && !isServerName(serverName))
    tell(`${path}.serverName`, 'must be the name of a server')
  if (origin === undefined) return undefined
  const place = parsePlace(origin)
  if (place === undefined || place.scheme !== 'https:') {
    tell(
      `${path}.origin`,
      'must be an origin of https, "https://wiki.corp.example" or all below a host, "https://*.corp.example"',
    )
    return undefined
  }
  if (place.isBelow && serverName !== undefined)
    tell(`${path}.serverName`, 'is one application’s, and "origin" is that of several')
  if (others.some(({ name }) => name === placeName(place)))
    tell(`${path}.origin`, 'is that of one before')
  return place
}

async function readTls(
  { ca, clientCertificate, clientKey, serverName }: LocalApplicationPart & object,
  toPath: (name: string) => string,
  path: string,
  tell: TellMistake,
): Promise<ApplicationTls> {
  /** Tells what is wrong with a file. */
  const attempt = async <T>(
    member: (typeof FILES)[number],
    name: string | undefined,
    read: (path: string) => Promise<T>,
  ): Promise<T | undefined> => {
    if (name === undefined) return undefined
    try {
      return await read(toPath(name))
    } catch (error) {
      if (!(error instanceof ConfigurationInvalid)) throw error
      tell(`${path}.${member}`, error.mistakes[0]!.detail)
      return undefined
    }
  }
  const authorities = await attempt('ca', ca, (file) => readValid(file, 'some'))
  const certificate = await attempt('clientCertificate', clientCertificate, (file) =>
    readValid(file, 'first'),
  )
  const key = await attempt('clientKey', clientKey, async (file) => {
    const text = await readPrivateFile(file, { mayBeLink: true })
    if (text === undefined) throw new ConfigurationInvalid(file, 'there is no such file')
    if (certificate === undefined) return text
    return tlsCredentials({ key: text, cert: certificate }, { key: file, cert: file }).key
  })
  return {
    ...(authorities && { ca: authorities }),
    ...(certificate && { clientCertificate: certificate }),
    ...(key !== undefined && { clientKey: key }),
    ...(serverName !== undefined && { serverName }),
  }
}

/**
 * Certificates in PEM, out of a file that has them in PEM or DER. `must`: whether the first must be
 * valid now, or any.
 */
async function readValid(file: string, must: 'first' | 'some'): Promise<readonly string[]> {
  const octets = await readPlainFile(file)
  const read = readCertificates(octets, file).map((der) => new X509Certificate(der))
  const faults = read.map(validityFault)
  const fault = must === 'first' || !faults.includes(undefined) ? faults[0] : undefined
  if (fault !== undefined) throw new ConfigurationInvalid(file, fault)
  return read.map((certificate) => certificate.toString())
}

function validityFault({ validFrom, validTo }: X509Certificate): string | undefined {
  const day = (date: string) => new Date(date).toISOString().slice(0, 10)
  if (Date.parse(validTo) < Date.now()) return `the certificate expired on ${day(validTo)}`
  if (Date.parse(validFrom) > Date.now())
    return `the certificate is valid from ${day(validFrom)} on: is the clock of this machine right?`
  return undefined
}
