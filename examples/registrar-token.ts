/**
 * Signs in at the example issuer as a person would, through its forms, and obtains an access token
 * (code + PKCE): a registrar's, or one for an application that takes tokens.
 *
 *     node --import tsx examples/registrar-token.ts --issuer URL --audience NAME --username NAME --password-file FILE --out FILE
 *
 * The token is written to `--out`, which only its owner can read: give it to connector.ts as
 * `--token-file`. A wrong setting is one line on stderr and code 2.
 */
import { createHash, randomBytes } from 'node:crypto'
import { replacePrivateFile } from 'app-proxy/cloud/node'
import { ConfigurationInvalid } from 'app-proxy/protocol'
import { readSecretFile } from '#program/files'
import { readFlags } from '#program/flags'
import { allOf } from '#program/mistakes'
import { runAs, type Surroundings } from '#program/program'

export interface RegistrarTokenOptions {
  readonly issuer: string
  /** A public client of the issuer, allowed to redirect to `redirectUri`. */
  readonly clientId: string
  /** Never opened: the code is read from the redirect to it. */
  readonly redirectUri: string
  /** The resource the token is for: the service where connectors register. */
  readonly audience: string
  /** Default `openid register`. */
  readonly scope?: string
  readonly username: string
  readonly password: string
  /** Given where it is asked for. */
  readonly pin?: string
}

const FLAGS = {
  issuer: { value: 'URL', isRequired: true, text: 'the issuer, as its tokens name it' },
  audience: { value: 'NAME', isRequired: true, text: 'the service that the token is for' },
  username: { value: 'NAME', isRequired: true, text: 'who may register connectors' },
  'password-file': { value: 'FILE', isRequired: true, text: 'their password, mode 0600' },
  'pin-file': { value: 'FILE', text: 'their second factor, mode 0600, where it is asked for' },
  client: { value: 'ID', text: 'the public client at the issuer (default: registrar)' },
  'redirect-uri': {
    value: 'URL',
    text: 'that the client may redirect to (default: http://127.0.0.1/registered)',
  },
  out: { value: 'FILE', isRequired: true, text: 'where the token is written, mode 0600' },
} as const

/** Resolves with the exit code. */
export async function main(surroundings: Surroundings): Promise<number> {
  const flags = readFlags(surroundings, 'node --import tsx examples/registrar-token.ts', FLAGS)
  if (flags === undefined) return 0
  const { issuer, audience, username, out, client, 'redirect-uri': redirectUri } = flags
  const { 'password-file': passwordFile, 'pin-file': pinFile } = flags
  const [password, pin] = await allOf(
    () => readSecretFile(passwordFile, { path: '--password-file' }),
    () => (pinFile === undefined ? undefined : readSecretFile(pinFile, { path: '--pin-file' })),
  )
  const token = await registrarToken({
    ...{ issuer, audience, username, password: password.trim() },
    ...(pin !== undefined && { pin: pin.trim() }),
    clientId: client ?? 'registrar',
    redirectUri: redirectUri ?? 'http://127.0.0.1/registered',
  }).catch((error: unknown) => {
    if (!(error instanceof ConfigurationInvalid)) throw error
    const mistakes = error.mistakes.map((one) => ({ ...one, path: `--${one.path}` }))
    throw new ConfigurationInvalid(mistakes, { cause: error })
  })
  await replacePrivateFile(out, token)
  return 0
}

/**
 * An access token: a JWT for `audience`.
 *
 * @throws ConfigurationInvalid where the issuer is none, or says no
 */
export async function registrarToken(options: RegistrarTokenOptions): Promise<string> {
  const { issuer, clientId, redirectUri, audience, scope = 'openid register' } = options
  const metadata = await metadataOf(issuer)
  const verifier = randomBytes(32).toString('base64url')
  const state = randomBytes(16).toString('base64url')
  const request = new URL(metadata.authorization_endpoint)
  request.search = new URLSearchParams({
    response_type: 'code',
    client_id: clientId,
    redirect_uri: redirectUri,
    scope,
    resource: audience,
    state,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  }).toString()
  const answer = await signInWithForms(request.href, redirectUri, options)
  const code = answer.searchParams.get('code')
  if (code === null || answer.searchParams.get('state') !== state)
    throw new ConfigurationInvalid(
      'issuer',
      `refused the sign-in (${answer.searchParams.get('error') ?? 'no code'})`,
    )
  const response = await fetch(metadata.token_endpoint, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      client_id: clientId,
      code,
      redirect_uri: redirectUri,
      code_verifier: verifier,
      resource: audience,
    }),
  })
  const tokens = (await response.json()) as { access_token?: string; error?: string }
  if (tokens.access_token === undefined)
    throw new ConfigurationInvalid('issuer', `gives no token (${tokens.error})`)
  return tokens.access_token
}

async function metadataOf(
  issuer: string,
): Promise<Record<'authorization_endpoint' | 'token_endpoint', string>> {
  const refuse = (detail: string, cause?: unknown) => {
    const value = JSON.stringify(issuer)
    return new ConfigurationInvalid([{ path: 'issuer', detail, value }], { cause })
  }
  if (!URL.canParse(issuer)) throw refuse('must be a URL')
  const path = '/.well-known/openid-configuration'
  const response = await fetch(`${issuer}${path}`).catch((error: Error) => {
    const { code } = (error.cause ?? {}) as { readonly code?: string }
    throw refuse(`cannot be reached (${code ?? error.message})`, error)
  })
  const metadata = (await response.json().catch(() => undefined)) as
    Partial<Record<'issuer' | 'authorization_endpoint' | 'token_endpoint', string>> | undefined
  const { authorization_endpoint, token_endpoint } = metadata ?? {}
  if (!response.ok || authorization_endpoint === undefined || token_endpoint === undefined)
    throw refuse(`is no issuer: it has no metadata at ${path} (status ${response.status})`)
  if (metadata?.issuer !== issuer) throw refuse(`calls itself "${metadata?.issuer}"`)
  return { authorization_endpoint, token_endpoint }
}

/**
 * Follows redirects and fills in the issuer's forms, those of sign-in, consent and sign-out, until
 * it is sent to an address that begins with `until`; returns that address without opening it.
 */
export async function signInWithForms(
  start: string,
  until: string,
  { username, password, pin }: Pick<RegistrarTokenOptions, 'username' | 'password' | 'pin'>,
  jar: Map<string, string> = new Map(),
): Promise<URL> {
  let url = new URL(start)
  let form: URLSearchParams | undefined
  let isPasswordGiven = false
  for (let hop = 0; hop < 20; hop++) {
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') },
      ...(form && { method: 'POST', body: form }),
    })
    for (const cookie of response.headers.getSetCookie()) keep(jar, cookie)
    const location = response.headers.get('location')
    if (location !== null) {
      url = new URL(location, url)
      form = undefined
      if (url.href.startsWith(until)) return url
      continue
    }
    const page = await response.text()
    if (!response.ok || !page.includes('<form'))
      throw new ConfigurationInvalid('username', `sign-in ended: ${response.status}`)
    form = new URLSearchParams({ action: 'continue' })
    const action = /<form[^>]* action="([^"]+)"/.exec(page)?.[1]
    if (action?.startsWith(until) === true) return posted(action, page)
    if (action !== undefined) url = new URL(action, url)
    const secret = /name="xsrf" value="([^"]+)"/.exec(page)?.[1]
    if (secret !== undefined) form = new URLSearchParams({ xsrf: secret, logout: 'yes' })
    if (page.includes('name="password"')) {
      if (isPasswordGiven) throw new ConfigurationInvalid('password', 'was not accepted')
      isPasswordGiven = true
      form.set('username', username)
      form.set('password', password)
    }
    if (pin !== undefined && page.includes('name="pin"')) form.set('pin', pin)
  }
  throw new ConfigurationInvalid('issuer', 'sends the sign-in round in circles')
}

/** What a form would post to an address, as its query. */
function posted(address: string, page: string): URL {
  const url = new URL(address)
  for (const [, name, value] of page.matchAll(/name="([^"]+)" value="([^"]*)"/g))
    url.searchParams.set(name!, value!)
  return url
}

/** Names and values suffice: one host, one sign-in. */
function keep(jar: Map<string, string>, setCookie: string): void {
  const [pair, ...attributes] = setCookie.split(';')
  const name = pair!.slice(0, pair!.indexOf('='))
  const value = pair!.slice(pair!.indexOf('=') + 1)
  const isGone = value === '' || attributes.some((text) => /^\s*expires=.*\b1970\b/i.test(text))
  if (isGone) jar.delete(name)
  else jar.set(name, value)
}

await runAs('registrar-token', main, import.meta.url)
