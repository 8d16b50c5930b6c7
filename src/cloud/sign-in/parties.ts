/**
 * Who a sign-in is between, and where the issuer sends users back to.
 *
 * @module
 */
import type { Application, Directory, Tenant } from '../directory/directory-port.ts'
import { SignInDenied } from '../identity/sign-in-errors.ts'
import type { IssuerClient } from '../issuer/issuer.ts'
import { OWN_PATH } from '../pages/return-target.ts'
import { isSecure } from '../session/session.ts'
import type { Parties } from './ask-again.ts'

/** Where the issuer sends users back to, on every external host. */
export const CALLBACK_PATH = `${OWN_PATH}sign-in/callback`

export interface SignInPartiesOptions {
  readonly directory: Pick<Directory, 'tenant' | 'applicationsOn'>
  /**
   * The URL of the service itself, on whose host no application is published. Default: there is
   * none, and nobody signs in to applications that are called back there.
   */
  readonly serviceUrl?: string | undefined
}

/** @throws SignInDenied `internal` */
export function partiesOf(
  options: SignInPartiesOptions,
  application: Application,
  host: string,
): Parties {
  const tenant: Tenant | undefined = options.directory.tenant(application.tenantId)
  if (tenant === undefined || application.client === undefined) throw new SignInDenied('internal')
  const redirectUri = returnOrigin(options, application, host) + CALLBACK_PATH
  const client: IssuerClient = { ...application.client, redirectUri }
  return { tenant, client }
}

/**
 * Scheme and host that the issuer knows.
 *
 * @throws SignInDenied `internal` when it has to be the service's own, and there is none
 */
export function returnOrigin(
  { directory, serviceUrl }: SignInPartiesOptions,
  application: Application,
  host: string,
): string {
  if (application.callback !== 'serviceHost') return originOf(application, host)
  if (serviceUrl === undefined) throw new SignInDenied('internal', 'there is no serviceUrl')
  const service = new URL(serviceUrl)
  // Its scripts would be of the origin that the issuer answers to.
  if (directory.applicationsOn(service.host).length > 0)
    throw new SignInDenied('internal', 'an application is published on the host of serviceUrl')
  return service.origin
}

export const originOf = (application: Application, host: string): string =>
  `${isSecure(application) ? 'https' : 'http'}://${host}`
