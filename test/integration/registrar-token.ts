import type { Issuer } from '../issuer.ts'

export const REGISTRAR_AUDIENCE = 'https://cloud.example/registration'

/** A token of somebody who may register connectors; `claims` changes it. */
export function registrarToken(
  issuer: Issuer,
  claims: Record<string, unknown> = {},
): Promise<string> {
  return issuer.sign({
    aud: REGISTRAR_AUDIENCE,
    sub: 'alice',
    tid: 'contoso',
    roles: ['company-administrator'],
    jti: crypto.randomUUID(),
    ...claims,
  })
}
