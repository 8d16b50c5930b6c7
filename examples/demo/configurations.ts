/**
 * The demo's configuration files: one tenant, one connector group, one client at the issuer for
 * each application behind sign-in.
 */
import { replacePrivateFile } from 'app-proxy/cloud/node'
import { join } from 'node:path'
import {
  BACK_CHANNEL_LOGOUT_PATH,
  CALLBACK_PATH,
  SIGNED_OUT_PATH,
  type ApplicationInput,
  type ApplicationPolicyInput,
  type SignInApplicationInput,
  type SignOnInput,
  type TranslateInput,
} from 'app-proxy/cloud'
import type { CloudServerInput } from '#cloud-configuration'
import { TWO_FACTOR } from '../sts/strength.ts'
import type { DemoOptions, Published } from './options.ts'
import type { DemoState } from './state.ts'

/** The service that registrars' tokens are for. */
export const AUDIENCE = 'urn:app-proxy:registration'
/** The public client with which a registrar obtains a token; nobody listens at its redirect URI. */
export const REGISTRAR = { clientId: 'registrar', redirectUri: 'http://127.0.0.1/registered' }
/** What a program's token must allow. */
export const SCOPE = 'use'
/** A client that gets a token by itself; no application can be called that. */
export const ROBOT = 'demo.robot'
/** RFC 8628: whoever registers a connector may do so from another machine. */
const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code'
const TENANT = 'contoso'
const STAFF = 'staff'
const CONTRACTORS = 'contractors'

type Policies = readonly ApplicationPolicyInput[]

/** Who opens the vault has shown two factors, and is no contractor. */
const VAULT: Policies = [
  { id: 'two-factors', effect: 'step-up', stepUp: { acrValues: [TWO_FACTOR.acr] } },
  {
    id: 'no-contractors',
    effect: 'deny',
    when: { who: { groups: [CONTRACTORS] } },
    reason: 'The vault is closed to contractors. Ask Alice Adams for what you need from it.',
  },
]

export interface DemoApplication {
  readonly id: string
  readonly externalUrl: string
  readonly internalUrl: string
  readonly preAuthentication: 'oidc' | 'passthrough'
  readonly policies?: Policies
  readonly signOn?: SignOnInput
  readonly translate?: TranslateInput
  readonly hostHeader?: 'internal' | 'external' | undefined
  readonly backendProtocol?: 'h2c'
}

/** What only the cloud says of the user; of the groups as JSON, of the name in ASCII. */
const HEADERS: SignOnInput = {
  kind: 'headers',
  headers: {
    'X-User-Subject': 'subject',
    'X-User-Name': { claim: 'name', encoding: 'percent' },
    'X-User-Email': 'email',
    'X-User-Groups': { claim: 'groups', list: 'json' },
    'X-User-Tenant': { value: TENANT },
  },
}

/** Both the connector and the application check who signed it, and for what. */
const ASSERTION: SignOnInput = {
  kind: 'assertion',
  claims: ['name', 'email', 'groups'],
  verify: true,
}

/** Its links are those of the inside; nobody compares its style sheets with a hash. */
const LINKS: TranslateInput = { bodies: 'links', mediaTypes: ['text/css'] }

/**
 * The private site behind sign-in, behind more than that, told of its users in three ways,
 * with links that are translated, and open; a gRPC service where users come by TLS, without which
 * its clients do not; and whatever else is to be published.
 */
export function applicationsOf(
  { published, https }: DemoOptions,
  { ports }: DemoState,
): DemoApplication[] {
  const internalUrl = `http://127.0.0.1:${ports.intranet}/`
  const own: (Published & Omit<DemoApplication, 'id' | 'externalUrl'>)[] = [
    { name: 'intranet', internalUrl, preAuthentication: 'oidc' },
    { name: 'vault', internalUrl, preAuthentication: 'oidc', policies: VAULT },
    { name: 'headers', internalUrl, preAuthentication: 'oidc', signOn: HEADERS },
    { name: 'assertion', internalUrl, preAuthentication: 'oidc', signOn: ASSERTION },
    { name: 'inject', internalUrl, preAuthentication: 'oidc', signOn: { kind: 'inject' } },
    {
      ...{ name: 'handbook', internalUrl: `${internalUrl}handbook/` },
      ...{ preAuthentication: 'passthrough', translate: LINKS },
    },
    { name: 'open', internalUrl, preAuthentication: 'passthrough' },
  ]
  if (https) own.push(rpcAt(ports.rpc))
  return [...own, ...published].map(({ name, ...rest }) => ({
    id: name,
    externalUrl: `${https ? 'https' : 'http'}://${name}.localhost:${ports.users}/`,
    ...rest,
  }))
}

/** HTTP/2 in the clear: it has no certificate. */
const rpcAt = (port: number): Published & Pick<DemoApplication, 'backendProtocol'> => ({
  ...{ name: 'rpc', internalUrl: `http://127.0.0.1:${port}/` },
  ...{ preAuthentication: 'oidc', backendProtocol: 'h2c' },
})

/**
 * Alice may register connectors, and is assigned to what is behind sign-in, as Carol is; Bob is
 * not.
 */
export function writeStsConfiguration(
  { dir, ports, passwords, pins, clientSecrets }: DemoState,
  applications: readonly DemoApplication[],
): Promise<string> {
  return writePrivate(join(dir, 'sts.json'), {
    port: ports.sts,
    tenantId: TENANT,
    audience: AUDIENCE,
    stateDir: join(dir, 'sts'),
    caFile: join(dir, 'cloud', 'server-ca.pem'),
    apis: Object.fromEntries(
      applications.filter(takesTokens).map(({ externalUrl }) => [externalUrl, SCOPE]),
    ),
    users: [
      {
        username: 'alice',
        password: passwords.alice,
        pin: pins.alice,
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
      {
        username: 'carol',
        password: passwords.carol,
        pin: pins.carol,
        name: 'Carol Clark',
        email: 'carol@contractors.example',
        groups: [STAFF, CONTRACTORS],
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
        client_id: ROBOT,
        client_secret: clientSecrets[ROBOT],
        grant_types: ['client_credentials'],
        response_types: [],
        redirect_uris: [],
      },
      {
        client_id: REGISTRAR.clientId,
        client_name: 'Connector registration',
        token_endpoint_auth_method: 'none',
        application_type: 'native',
        grant_types: ['authorization_code', DEVICE_GRANT],
        redirect_uris: [REGISTRAR.redirectUri],
      },
    ],
  })
}

export function writeCloudConfiguration(
  { dir, ports, clientSecrets }: DemoState,
  applications: readonly DemoApplication[],
  more: Partial<CloudServerInput> = {},
): Promise<string> {
  const isHttps = applications[0]!.externalUrl.startsWith('https:')
  const configuration: CloudServerInput = {
    stateDir: join(dir, 'cloud'),
    users: { port: ports.users, ...(isHttps && { tls: 'generated' }) },
    connectors: { port: ports.connectors },
    serviceUrl: serviceUrlOf(applications),
    audit: { to: { file: join(dir, 'audit.jsonl') } },
    // Ctrl-C should not take half a minute.
    limits: { drainMs: 2_000 },
    ...more,
    directory: {
      tenants: [
        {
          id: TENANT,
          issuer: `http://127.0.0.1:${ports.sts}`,
          registrars: { audience: AUDIENCE },
        },
      ],
      groups: [{ id: 'default', tenantId: TENANT }],
      applications: applications.map((application): ApplicationInput => {
        const { id, externalUrl, internalUrl, policies, preAuthentication, signOn } = application
        const { translate, hostHeader, backendProtocol } = application
        const place = { externalUrl, internalUrl, hostHeader, backendProtocol }
        const published = { id, groupId: 'default', ...place, translate }
        if (preAuthentication === 'passthrough') return { ...published, preAuthentication }
        return {
          ...published,
          ...{ preAuthentication, policies },
          client: { id, secret: clientSecrets[id] },
          assigned: { groups: [STAFF] },
          ...(signOn ? { signOn } : { identityHeaders: id === 'rpc' ? CALLER : USER_HEADERS }),
          ...(takesTokens(application) && forPrograms(application)),
          ...(id === 'intranet' && forPages(applications)),
        }
      }),
    },
  }
  return writePrivate(join(dir, 'cloud-server.json'), configuration)
}

const USER_HEADERS = { 'X-User-Name': 'name', 'X-User-Email': 'email' }
/** A program has neither. */
const CALLER = { 'X-User': 'subject' }

/** The service itself: the one host here that every program finds. */
export function serviceUrlOf(applications: readonly DemoApplication[]): string {
  const { protocol, port } = new URL(intranetOf(applications).externalUrl)
  return `${protocol}//localhost:${port}/`
}

/** Where the cloud writes the keys that assertions are checked with. */
export const publicKeysOf = ({ dir }: DemoState) => join(dir, 'cloud', 'assertion-keys.public.json')

/**
 * What the connector shows the private site for whoever comes to `inject`, and whose assertions it
 * takes.
 */
export function writeSignOnFile(
  state: DemoState,
  applications: readonly DemoApplication[],
): Promise<string> {
  const { dir, ports, gatewayPassword } = state
  const origins = [`http://127.0.0.1:${ports.intranet}`]
  const password = gatewayPassword
  const secret = { form: 'basic', username: 'gateway', password, origins, allowHttp: true }
  const assertions = { keysFile: publicKeysOf(state), issuer: serviceUrlOf(applications) }
  return writePrivate(join(dir, 'sign-on.json'), { secrets: [secret], assertions })
}

/** Those that programs show a token to. */
const takesTokens = ({ id }: DemoApplication) => id === 'intranet' || id === 'rpc'

/** Programs may show a token, which is for that application alone. */
function forPrograms({
  externalUrl,
}: DemoApplication): Pick<SignInApplicationInput, 'assigned' | 'bearer'> {
  return {
    assigned: { groups: [STAFF], users: [`sub:${ROBOT}`] },
    bearer: { audiences: [externalUrl], scopes: [SCOPE] },
  }
}

/** Pages of the open applications may ask. */
function forPages(applications: readonly DemoApplication[]): Pick<SignInApplicationInput, 'cors'> {
  const open = applications.filter((one) => one.preAuthentication === 'passthrough')
  return {
    cors: {
      origins: open.map(({ externalUrl }) => new URL(externalUrl).origin),
      methods: ['GET', 'HEAD', 'POST', 'PUT'],
      headers: ['authorization', 'content-type'],
      credentials: true,
    },
  }
}

const intranetOf = (applications: readonly DemoApplication[]) =>
  applications.find(({ id }) => id === 'intranet')!

/** For the owner alone: there are secrets in it. */
export async function writePrivate(path: string, content: unknown): Promise<string> {
  const text = typeof content === 'string' ? content : JSON.stringify(content, undefined, 2)
  await replacePrivateFile(path, text)
  return path
}
