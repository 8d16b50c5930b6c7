/** The real example issuer as a child process, and a pre-authentication that trusts it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer, type AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Application, Tenant } from '../../src/cloud/directory/directory-port.ts'
import type { Clocks } from '../../src/runtime/clocks.ts'
import { KeyRing } from '../../src/cloud/session/key-ring.ts'
import { Sessions } from '../../src/cloud/session/session.ts'
import { CALLBACK_PATH } from '../../src/cloud/sign-in/parties.ts'
import { PreAuthentication } from '../../src/cloud/sign-in/sign-in.ts'
import { SIGNED_OUT_PATH } from '../../src/cloud/sign-out/sign-out.ts'
import { BACK_CHANNEL_LOGOUT_PATH } from '../../src/cloud/sign-out/sign-out-paths.ts'
import { recordedAudit } from '../recorded-audit.ts'
import { signInWithForms } from '../../examples/registrar-token.ts'

export const HOST = 'intranet.localhost:8080'
export const OTHER_HOST = 'wiki.localhost:8080'
/** By https, and its answers come as forms. */
export const VAULT_HOST = 'vault.example'
/** Of the service itself: where users of wildcards come back to. */
export const SERVICE_HOST = 'service.example'
export const AUDIENCE = 'urn:app-proxy:registration'
interface User {
  readonly username: string
  readonly password: string
  readonly pin?: string
}
export const ALICE: User = { username: 'alice', password: 'wonderland', pin: '2741' }
export const BOB: User = { username: 'bob', password: 'builder' }
export const REGISTRAR = { clientId: 'registrar', redirectUri: 'http://127.0.0.1/registered' }

export interface StsProcess {
  readonly issuer: string
  stop(): Promise<void>
}

/** Starts `examples/sts.ts` on a free port. */
export async function startSts(): Promise<StsProcess> {
  const directory = await mkdtemp(join(tmpdir(), 'app-proxy-sts-'))
  const config = join(directory, 'sts.json')
  const client = (id: string, host: string, scheme = 'http') => ({
    client_id: id,
    client_secret: `${id}-secret-for-tests`,
    redirect_uris: [`${scheme}://${host}${CALLBACK_PATH}`],
    grant_types: ['authorization_code', 'refresh_token'],
    post_logout_redirect_uris: [`${scheme}://${host}${SIGNED_OUT_PATH}`],
    backchannel_logout_uri: `${scheme}://${host}${BACK_CHANNEL_LOGOUT_PATH}`,
    backchannel_logout_session_required: true,
  })
  await writeFile(
    config,
    JSON.stringify({
      tenantId: 'contoso',
      audience: AUDIENCE,
      stateDir: join(directory, 'state'),
      users: [
        {
          ...ALICE,
          name: 'Alice Liddell',
          email: 'alice@contoso.example',
          groups: ['staff'],
          roles: ['Application Administrator'],
        },
        { ...BOB, name: 'Bob', email: 'bob@contoso.example' },
      ],
      clients: [
        client('intranet', HOST),
        client('wiki', OTHER_HOST),
        client('vault', VAULT_HOST, 'https'),
        client('apps', SERVICE_HOST, 'https'),
        {
          client_id: REGISTRAR.clientId,
          token_endpoint_auth_method: 'none',
          application_type: 'native',
          redirect_uris: [REGISTRAR.redirectUri],
        },
      ],
    }),
    { mode: 0o600 },
  )
  const example = fileURLToPath(new URL('../../examples/sts.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', example, '--config', config], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
  const { issuer } = JSON.parse(line) as { issuer: string }
  return {
    issuer,
    async stop() {
      const exit = once(child, 'exit')
      child.kill('SIGTERM')
      await exit
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** Two applications of one tenant, assigned to staff, and a clock that tests may turn. */
export async function preAuthenticationAt(
  issuer: string,
  overrides: Partial<ConstructorParameters<typeof PreAuthentication>[0]> & {
    readonly clientId?: string
    readonly secret?: string
  } = {},
) {
  const tenant: Tenant = {
    id: 'contoso',
    name: 'Contoso',
    issuer,
    registrars: {
      audience: AUDIENCE,
      roleClaim: ['roles'],
      roles: ['Application Administrator'],
    },
    connectorLimit: 100,
    approveConnectors: false,
    defaultGroupId: 'default',
  }
  const published = (id: string, host: string): Application => ({
    id,
    tenantId: tenant.id,
    name: id,
    version: '1',
    externalUrl: `http://${host}/`,
    internalUrl: 'http://127.0.0.1:1/',
    groupId: 'default',
    preAuthentication: 'oidc',
    client: {
      id: overrides.clientId ?? id,
      secret: overrides.secret ?? `${id}-secret-for-tests`,
    },
    assigned: { users: [], groups: ['staff'], roles: [] },
    identityHeaders: {},
    hostHeader: 'internal',
    verifyCertificate: true,
    responseHeadMs: 85_000,
  })
  let turned = 0
  const clocks: Clocks = {
    now: () => performance.now() + turned,
    wallClock: () => Date.now() + turned,
  }
  const audit = recordedAudit()
  const keyRing = await KeyRing.open({ wallClock: () => clocks.wallClock() })
  const sessions = new Sessions({ keyRing })
  const options = {
    directory: { tenant: () => tenant, tenants: () => [tenant], applicationsOn: () => [] },
    keyRing,
    sessions,
    clocks,
    audit,
    ...overrides,
  }
  return {
    options,
    sessions,
    keyRing,
    clocks,
    audit: audit.events,
    intranet: published('intranet', HOST),
    wiki: published('wiki', OTHER_HOST),
    vault: {
      ...published('vault', VAULT_HOST),
      externalUrl: `https://${VAULT_HOST}/`,
      responseMode: 'form_post',
    } satisfies Application as Application,
    preAuthentication: new PreAuthentication(options),
    turnClock: (ms: number) => void (turned += ms),
  }
}

export type Bench = Awaited<ReturnType<typeof preAuthenticationAt>>

/** What a browser would send back of these `Set-Cookie` values. */
export const cookieOf = (setCookies: readonly string[]): string =>
  setCookies
    .filter((cookie) => !cookie.includes('Max-Age=0'))
    .map((cookie) => cookie.split(';', 1)[0]!)
    .join('; ')

/** Begins at the application, signs in through the issuer's forms, and stops before the callback is taken. */
export async function throughTheForms(
  { preAuthentication, intranet }: Bench,
  user: User,
  target = '/',
  application: Application = intranet,
  cookies: readonly string[] = [],
): Promise<{ query: string; cookie: string; setCookie: string; location: URL }> {
  const { host, origin } = new URL(application.externalUrl)
  const begun = await preAuthentication.begin(application, host, target, cookies)
  if (begun.kind !== 'redirect') throw new Error(begun.reason)
  const answer = await signInWithForms(begun.location, origin + CALLBACK_PATH, user)
  return {
    query: answer.search.slice(1),
    cookie: cookieOf(begun.setCookies),
    setCookie: begun.setCookies[0]!,
    location: new URL(begun.location),
  }
}

/** An address where nobody listens. */
export async function closedPort(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return `http://127.0.0.1:${port}`
}
