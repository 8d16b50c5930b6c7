import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll } from 'vitest'
import { describeWithPackages, fileOf } from '../debian-packages.ts'
import { issuerStory } from './issuer-story.ts'
import { freePort, ServedProcess } from '../served-process.ts'
import { Client, shownConfiguration, startCloud } from './real-issuer.ts'

const PAGE = 'glewlwyd.md'
const [SHOWN_ISSUER, SHOWN_APPLICATION] = [4593, 8080]
const JSON_TYPE = { type: 'application/json' }

describeWithPackages('glewlwyd', ['glewlwyd', 'sqlite3'], () => {
  let issuer: ServedProcess
  let cloud: Awaited<ReturnType<typeof startCloud>>
  let base: string
  let application: string

  beforeAll(async () => {
    const [port, users] = [await freePort(), await freePort()]
    base = `http://localhost:${port}`
    application = `http://wiki.localhost:${users}/`
    issuer = await ServedProcess.inFolder('glewlwyd')
    await install(issuer, port)
    await set(base, application)
    const ports = new Map([
      [SHOWN_ISSUER, port],
      [SHOWN_APPLICATION, users],
    ])
    cloud = await startCloud(shownConfiguration(PAGE, ports), users)
  }, 90_000)
  afterAll(async () => {
    cloud?.close()
    await issuer?.stop()
  })

  issuerStory(() => ({
    application,
    audit: cloud.audit,
    onlyAtUserInfo: [],
    users: { staff: 'alice', guest: 'bob', byEmail: 'carol' },
    asks: ({ url }) => url.pathname.endsWith('/login.html') && !url.search.includes('end_session'),
    // What the issuer's page does by script.
    async signIn(client, page, username) {
      const password = `password-of-${username}`
      await client.go(`${base}/api/auth`, JSON.stringify({ username, password }), JSON_TYPE)
      const scope = 'openid profile email'
      const grant = { ...JSON_TYPE, method: 'PUT' }
      await client.go(`${base}/api/auth/grant/wiki/`, JSON.stringify({ scope }), grant)
      return client.go(`${page.url.searchParams.get('callback_url')!}&g_continue`)
    },
    async confirmEnd(client, { url }) {
      const ended = `${base}/api/oidc/session/${url.searchParams.get('sid')!}/`
      return client.go(ended, '', { method: 'DELETE' })
    },
  }))
})

/** An empty database, and the process. */
async function install(issuer: ServedProcess, port: number): Promise<void> {
  const database = join(issuer.folder, 'glewlwyd.db')
  const schema = '/usr/share/doc/glewlwyd/database/init.sqlite3.sql.gz'
  execFileSync(fileOf('sqlite3'), [database], { input: gunzipSync(readFileSync(schema)) })
  const file = join(issuer.folder, 'glewlwyd.conf')
  await writeFile(
    file,
    `port=${port}
bind_address="127.0.0.1"
external_url="http://localhost:${port}/"
login_url="login.html"
api_prefix="api"
static_files_path="/usr/share/glewlwyd/webapp/"
static_files_mime_types=({ extension = ".html" mime_type = "text/html" })
log_mode="console"
log_level="WARNING"
cookie_secure=0
session_expiration=3600
session_key="GLEWLWYD2_SESSION_ID"
admin_scope="g_admin"
profile_scope="g_profile"
user_module_path="/usr/lib/glewlwyd/user"
client_module_path="/usr/lib/glewlwyd/client"
user_auth_scheme_module_path="/usr/lib/glewlwyd/scheme"
plugin_module_path="/usr/lib/glewlwyd/plugin"
hash_algorithm="SHA512"
database = { type = "sqlite3" path = "${database}" };
`,
  )
  const url = `http://localhost:${port}/config`
  await issuer.start(fileOf('glewlwyd'), [`--config-file=${file}`], url)
}

/** What an administrator sets up, by the programming interface. */
async function set(base: string, application: string): Promise<void> {
  const client = new Client()
  const call = async (method: string, path: string, value?: unknown) => {
    const body = value === undefined ? undefined : JSON.stringify(value)
    const answer = await client.go(base + path, body, { ...JSON_TYPE, method })
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${answer.body}`)
    return answer.body
  }
  await call('POST', '/api/auth', { username: 'admin', password: 'password' })
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const key = { ...privateKey.export({ format: 'jwk' }), kid: 'k1', alg: 'ES256', use: 'sig' }
  await call('POST', '/api/mod/plugin', {
    ...{ module: 'oidc', name: 'oidc', display_name: 'OpenID Connect', order_rank: 0 },
    parameters: {
      ...PROVIDER,
      iss: `${base}/api/oidc`,
      'jwks-private': JSON.stringify({ keys: [key] }),
    },
  })
  const backend = JSON.parse(await call('GET', '/api/mod/user/database')) as {
    parameters: { 'data-format': Record<string, object> }
  }
  const readable = { read: true, write: true, 'profile-read': true, 'profile-write': false }
  const format = backend.parameters['data-format']
  format['groups'] = { ...readable, multiple: true }
  format['email_verified'] = { ...readable, multiple: false }
  await call('PUT', '/api/mod/user/database', backend)
  await call('PUT', '/api/mod/user/database/reset')
  const scope = (name: string, password: boolean) => ({
    ...{ name, display_name: name, description: name, scheme: {} },
    ...{ password_required: password, password_max_age: 0 },
  })
  await call('PUT', '/api/scope/openid', scope('openid', true))
  for (const name of ['profile', 'email']) await call('POST', '/api/scope', scope(name, false))
  for (const [username, groups] of Object.entries({ alice: ['staff'], bob: ['guests'], carol: [] }))
    await call('POST', '/api/user', {
      ...{ username, name: username, password: `password-of-${username}`, enabled: true, groups },
      ...{ email: `${username}@contoso.example`, email_verified: '1' },
      scope: ['openid', 'profile', 'email', 'g_profile'],
    })
  await call('POST', '/api/client', {
    ...{ client_id: 'wiki', name: 'Wiki', client_secret: 'a-b_c.d~e', confidential: true },
    ...{ enabled: true, scope: ['openid'], authorization_type: ['code'] },
    redirect_uri: [`${application}.app-proxy/sign-in/callback`],
    post_logout_redirect_uri: `${application}.app-proxy/signed-out`,
    token_endpoint_auth_method: ['client_secret_basic'],
  })
}

const PROVIDER = {
  ...{ 'jwks-show': true, 'default-kid': 'k1', 'jwt-type': 'ecdsa', 'jwt-key-size': '256' },
  ...{ 'access-token-duration': 3600, 'refresh-token-duration': 86_400, 'code-duration': 600 },
  ...{ 'refresh-token-rolling': false, 'refresh-token-one-use': 'never' },
  'client-refresh-token-one-use-parameter': 'refresh-token-one-use',
  ...{ 'session-cookie-name': 'GLEWLWYD2_OIDC_SID', 'session-cookie-expiration': 86_400 },
  ...{ 'allow-non-oidc': false, 'auth-type-code-enabled': true, 'auth-type-refresh-enabled': true },
  ...{ 'auth-type-token-enabled': false, 'auth-type-implicit-enabled': false },
  ...{ 'auth-type-password-enabled': false, 'auth-type-client-enabled': false },
  ...{ 'auth-type-none-enabled': false, 'subject-type': 'public' },
  ...{ 'pkce-allowed': true, 'pkce-method-plain-allowed': false, 'oauth-as-iss-id': true },
  ...{ 'name-claim': 'on-demand', 'name-claim-scope': ['profile'], 'scope-claim': 'no' },
  ...{ 'email-claim': 'on-demand', 'email-claim-scope': ['email'] },
  claims: [
    {
      ...{ name: 'groups', 'user-property': 'groups', type: 'string', mandatory: false },
      ...{ 'on-demand': true, scope: ['profile'] },
    },
    {
      ...{ name: 'email_verified', 'user-property': 'email_verified', type: 'boolean' },
      ...{ 'boolean-value-true': '1', 'boolean-value-false': '0', mandatory: false },
      ...{ 'on-demand': true, scope: ['email'] },
    },
  ],
  ...{ 'session-management-allowed': true, 'front-channel-logout-allowed': true },
  ...{ 'back-channel-logout-allowed': true, 'request-parameter-allow': false },
  ...{ 'allowed-scope': ['openid', 'profile', 'email'], 'additional-parameters': [] },
  'address-claim': { type: 'no', mandatory: false },
  'introspection-revocation-allowed': false,
}
