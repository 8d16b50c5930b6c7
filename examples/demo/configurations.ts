/**
 * The demo's configuration files: one tenant, one connector group, one client at the issuer for each application behind sign-in.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { BACK_CHANNEL_LOGOUT_PATH, CALLBACK_PATH, SIGNED_OUT_PATH } from 'app-proxy/cloud'
import type { DemoOptions, Published } from './options.ts'
import type { DemoState } from './state.ts'

/** The service that registrars' tokens are for. */
export const AUDIENCE = 'urn:app-proxy:registration'
/** The public client with which a registrar obtains a token; nobody listens at its redirect URI. */
export const REGISTRAR = { clientId: 'registrar', redirectUri: 'http://127.0.0.1/registered' }
const TENANT = 'contoso'
const STAFF = 'staff'

export interface DemoApplication {
  readonly id: string
  readonly externalUrl: string
  readonly internalUrl: string
  readonly preAuthentication: 'oidc' | 'passthrough'
}

/** The private site twice, behind sign-in and open, and whatever else is to be published. */
export function applicationsOf(
  { published, https }: DemoOptions,
  { ports }: DemoState,
): DemoApplication[] {
  const internalUrl = `http://127.0.0.1:${ports.intranet}/`
  const own: Published[] = [
    { name: 'intranet', internalUrl, preAuthentication: 'oidc' },
    { name: 'open', internalUrl, preAuthentication: 'passthrough' },
  ]
  return [...own, ...published].map(({ name, ...rest }) => ({
    id: name,
    externalUrl: `${https ? 'https' : 'http'}://${name}.localhost:${ports.users}/`,
    ...rest,
  }))
}

/** Alice is assigned to what is behind sign-in, and may register connectors; Bob is neither. */
export function writeStsConfiguration(
  { dir, ports, passwords, clientSecrets }: DemoState,
  applications: readonly DemoApplication[],
): string {
  return writePrivate(join(dir, 'sts.json'), {
    port: ports.sts,
    tenantId: TENANT,
    audience: AUDIENCE,
    stateDir: join(dir, 'sts'),
    users: [
      {
        username: 'alice',
        password: passwords.alice,
        name: 'Alice Adams',
        email: 'alice@contoso.example',
        groups: [STAFF],
        roles: ['application-administrator'],
      },
      {
        username: 'bob',
        password: passwords.bob,
        name: 'Bob Brown',
        email: 'bob@contoso.example',
      },
    ],
    clients: [
      ...applications
        .filter(({ preAuthentication }) => preAuthentication === 'oidc')
        .map(({ id, externalUrl }) => ({
          client_id: id,
          client_name: id,
          client_secret: clientSecrets[id],
          redirect_uris: [new URL(CALLBACK_PATH, externalUrl).href],
          post_logout_redirect_uris: [new URL(SIGNED_OUT_PATH, externalUrl).href],
          backchannel_logout_uri: new URL(BACK_CHANNEL_LOGOUT_PATH, externalUrl).href,
          backchannel_logout_session_required: true,
        })),
      {
        client_id: REGISTRAR.clientId,
        client_name: 'Connector registration',
        token_endpoint_auth_method: 'none',
        application_type: 'native',
        redirect_uris: [REGISTRAR.redirectUri],
      },
    ],
  })
}

export function writeCloudConfiguration(
  { dir, ports, clientSecrets }: DemoState,
  applications: readonly DemoApplication[],
): string {
  const isHttps = applications[0]!.externalUrl.startsWith('https:')
  return writePrivate(join(dir, 'cloud-server.json'), {
    stateDir: join(dir, 'cloud'),
    users: { port: ports.users, ...(isHttps && { tls: 'generated' }) },
    connectors: { port: ports.connectors },
    audit: { to: { file: join(dir, 'audit.jsonl') } },
    // Ctrl-C should not take half a minute.
    limits: { drainMs: 2_000 },
    directory: {
      tenants: [
        {
          id: TENANT,
          issuer: `http://127.0.0.1:${ports.sts}`,
          registrars: { audience: AUDIENCE },
        },
      ],
      groups: [{ id: 'default', tenantId: TENANT }],
      applications: applications.map((application) => ({
        ...application,
        groupId: 'default',
        ...(application.preAuthentication === 'oidc' && {
          client: { id: application.id, secret: clientSecrets[application.id] },
          assigned: { groups: [STAFF] },
          identityHeaders: { 'X-User-Name': 'name', 'X-User-Email': 'email' },
        }),
      })),
    },
  })
}

/** For the owner alone: there are secrets in it. */
export function writePrivate(path: string, content: unknown): string {
  const text = typeof content === 'string' ? content : JSON.stringify(content, undefined, 2)
  writeFileSync(path, text, { mode: 0o600 })
  return path
}
