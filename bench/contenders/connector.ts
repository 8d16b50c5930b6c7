/**
 * A connector process, which registers with a token of a registrar.
 *
 * @module
 */
import { randomUUID } from 'node:crypto'
import type { Issuer } from '../../test/issuer.ts'
import { startProgram, type Child } from '../harness/child.ts'
import type { Workspace } from '../harness/workspace.ts'

/** Of the tenant's registrars. */
export const REGISTRAR_AUDIENCE = 'https://cloud.example/registration'

/** Resolves when it serves. */
export async function startConnectorOf(
  workspace: Workspace,
  issuer: Issuer,
  way: { readonly url: string; readonly ca: string; readonly binding: 'link' | 'plain' },
  flags?: readonly string[],
): Promise<Child> {
  const token = await issuer.sign({
    ...{ aud: REGISTRAR_AUDIENCE, sub: 'alice', tid: 'contoso', jti: randomUUID() },
    roles: ['company-administrator'],
  })
  const options = { ...way, token, stateDirectory: workspace.path('connector') }
  const connector = startProgram(workspace, 'connector', options, flags)
  await connector.line('connectorId')
  return connector
}
