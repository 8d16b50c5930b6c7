/**
 * What a schema cannot say of an application: rules that need two of its values, or its tenant.
 *
 * A value that is not there may be one of which a mistake was told before; nothing follows from
 * that.
 *
 * @module
 */
import type { TellMistake } from '../../runtime/configuration-mistakes.ts'
import { userNameFault } from '../rules/user-names.ts'
import type { ApplicationPart } from './application-configuration.ts'
import { tellBearer } from './bearer-configuration.ts'
import { tellClient } from './client-configuration.ts'
import { isHttps, tellFault } from './configuration-values.ts'
import { isOrigin, tellCors } from './cors-configuration.ts'
import { tellIdentityHeaders } from './identity-header-checks.ts'
import type { IssuerProfile } from './issuer-configuration.ts'
import { externalUrlFault, internalUrlFault } from './published-url.ts'
import { mappingOf, tellSignOn } from './sign-on-configuration.ts'
import { tellSessionLifetime } from './session-configuration.ts'
import { tellMaintenance } from './maintenance.ts'
import { tellSegments } from './segment-configuration.ts'
import { tellTranslate } from './translate-configuration.ts'

/** `issuer`: what is particular about its tenant's; absent: it is not known. */
export function tellApplication(
  application: ApplicationPart,
  path: string,
  issuer: IssuerProfile | undefined,
  tell: TellMistake,
): void {
  const { externalUrl, internalUrl, client, assigned, allowedOrigins = [] } = application
  const { session, cors, bearer, responseMode, translate } = application
  if (externalUrl !== undefined)
    tellFault(tell, `${path}.externalUrl`, externalUrlFault(externalUrl))
  if (internalUrl !== undefined)
    tellFault(tell, `${path}.internalUrl`, internalUrlFault(internalUrl))
  if (client !== undefined) tellClient(client, `${path}.client`, tell)
  if (responseMode === 'form_post' && !isHttps(externalUrl))
    tell(`${path}.responseMode`, 'needs https: "form_post" is posted by another site')
  if (session?.sameSite === 'none' && !isHttps(externalUrl))
    tell(`${path}.session.sameSite`, 'needs https')
  const assignsNames = issuer === undefined || issuer.claims.upn !== undefined
  assigned?.users.forEach((name, i) =>
    tellFault(tell, `${path}.assigned.users[${i}]`, userNameFault(name, assignsNames)),
  )
  tellSegments(application, assignsNames, `${path}.segments`, tell)
  tellEmbedding(application, `${path}.embedding`, tell)
  const tellable = { issuer, namesAccounts: mappingOf(application.signOn) !== undefined }
  tellIdentityHeaders(application.identityHeaders, tellable, `${path}.identityHeaders`, tell)
  tellSessionLifetime(session?.lifetime, `${path}.session.lifetime`, tell)
  allowedOrigins.forEach((origin, i) => tellOrigin(origin, `${path}.allowedOrigins[${i}]`, tell))
  if (translate) tellTranslate(translate, externalUrl, `${path}.translate`, tell)
  if (cors) tellCors(cors, externalUrl, `${path}.cors`, tell)
  tellBackendProtocol(application, `${path}.backendProtocol`, tell)
  tellSignOn(application, issuer, `${path}.signOn`, tell)
  if (application.lenient !== undefined && application.signOn?.kind === 'connection-bound')
    tell(`${path}.lenient`, 'cannot be combined with "signOn" of kind "connection-bound"')
  tellMaintenance(application.maintenance, `${path}.maintenance`, tell)
  if (bearer) tellBearer(bearer, externalUrl, issuer, `${path}.bearer`, tell)
}

/** HTTP/2 is agreed on by TLS or known beforehand, and knows no user by a connection. */
function tellBackendProtocol(
  { backendProtocol, internalUrl, signOn }: ApplicationPart,
  at: string,
  tell: TellMistake,
): void {
  if (backendProtocol === undefined || backendProtocol === 'http1') return
  if (internalUrl !== undefined && internalUrlFault(internalUrl) === undefined) {
    const isClear = !isHttps(internalUrl)
    if (backendProtocol === 'h2c' && !isClear)
      tell(at, '"h2c" is HTTP/2 in the clear, and "internalUrl" is https: "h2" is meant, or "auto"')
    if (backendProtocol !== 'h2c' && isClear)
      tell(at, `"${backendProtocol}" needs "internalUrl" to be https; over http there is "h2c"`)
  }
  if (backendProtocol !== 'auto' && signOn?.kind === 'connection-bound')
    tell(at, 'a user is known by a connection in HTTP/1.1 only: "auto" is meant, or "http1"')
}

function tellEmbedding(application: ApplicationPart, at: string, tell: TellMistake): void {
  const { embedding, externalUrl, responseMode, session } = application
  if (embedding === undefined) return
  if (!isHttps(externalUrl)) tell(at, 'needs https')
  embedding.ancestors.forEach((origin, i) => tellOrigin(origin, `${at}.ancestors[${i}]`, tell))
  if (session?.sameSite === 'none') return
  const needsNone = 'needs "session.sameSite" to be "none"'
  if (embedding.partitioned) tell(`${at}.partitioned`, needsNone)
  // The issuer posts into the frame across sites: Lax cookies would not come back with it.
  else if (responseMode === 'form_post') tell(at, `with "form_post" ${needsNone}`)
}

/** Browsers send them in one form, so that is the one to compare with. */
function tellOrigin(origin: string, path: string, tell: TellMistake): void {
  if (!isOrigin(origin)) tell(path, 'must be an origin, such as "https://host.example"')
}
