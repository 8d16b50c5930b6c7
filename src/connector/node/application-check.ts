/**
 * One application, looked at from where its connector stands.
 *
 * @module
 */
import type { ApplicationDetails } from '../../protocol/internal.ts'
import { internalAddress } from '../internal-request.ts'
import { applicationMistake } from './application-mistakes.ts'
import { addressesOf, connection, headOf, tls } from './check-steps.ts'
import type { ConnectorFinding } from './connector-check.ts'

/** Name, connection, TLS as the cloud's configuration wants it, and an answer to `HEAD`. */
export async function checkApplication(
  application: ApplicationDetails,
  patienceMs: number,
): Promise<Omit<ConnectorFinding, 'what'>> {
  const { hostname, port, isSecure } = internalAddress(application)
  const host = hostname.replace(/^\[|\]$/g, '')
  const where = `${hostname}:${port}`
  const wrong = (error: unknown): Omit<ConnectorFinding, 'what'> => {
    const mistake = applicationMistake(error, application)
    const { code = 'no answer' } = error as { code?: string }
    const detail = mistake?.message ?? `${where} cannot be used (${code}). Check the application.`
    return { result: 'wrong', kind: mistake?.kind, detail }
  }
  try {
    await addressesOf(host, patienceMs)
    const socket = await connection({ host, port: Number(port) }, patienceMs)
    try {
      if (application.backendProtocol === 'h2c')
        return { result: 'good', detail: `${where} accepts connections` }
      const shown = isSecure ? await tls(socket, host, {}, patienceMs) : undefined
      if (shown?.code !== undefined && application.verifyCertificate)
        return wrong({ code: shown.code })
      const signed = shown === undefined ? '' : `, its certificate signed by "${shown.issuer}"`
      if (application.backendProtocol === 'h2')
        return { result: 'good', detail: `${where} speaks TLS${signed}` }
      const url = new URL(application.internalUrl)
      const external = new URL(application.externalUrl)
      const isExternal = application.hostHeader === 'external'
      const answer = await headOf(
        shown?.socket ?? socket,
        { host: isExternal ? external.host : url.host, path: url.pathname },
        patienceMs,
      ).catch(() => 'late' as const)
      if (answer === 'late')
        return {
          result: 'wrong',
          detail: `${where} takes the connection and does not answer in ${patienceMs / 1000} s. Look at the application; or it needs longer.`,
        }
      if (answer === undefined)
        return {
          result: 'wrong',
          detail: `${where} answers with something else than HTTP, or not at all. Check "internalUrl" in the cloud’s configuration.`,
        }
      return { result: 'good', detail: `${where} answers ${answer.status}${signed}` }
    } finally {
      socket.destroy()
    }
  } catch (error) {
    return wrong(error)
  }
}
