/**
 * The pages of the example issuer: sign in, agree that an application learns who you are, sign out.
 * Plain forms, no script, nothing from outside.
 */
import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { default as Provider, KoaContextWithOIDC } from 'oidc-provider'
import { isTwoFactorAsked, ONE_FACTOR, TWO_FACTOR } from './strength.ts'
import type { PasswordCheck, StsUser } from './users.ts'

const STYLE =
  ':root{color-scheme:light dark;font:1rem/1.5 system-ui,sans-serif;accent-color:#1d5fbf}' +
  'body{max-width:22rem;margin:15vh auto;padding:0 1.5rem}' +
  'h1{font-size:1.5rem;line-height:1.25;margin:0}p{margin:.5rem 0 1.5rem}' +
  'p[role=alert]{border-left:.25rem solid #c62828;padding-left:.75rem}' +
  'label,input{display:block;width:100%;box-sizing:border-box}input{margin:.25rem 0 1rem}' +
  'input,button{font:inherit;padding:.5rem .75rem;border:1px solid #767676;border-radius:.375rem}' +
  'button{min-width:7rem;margin-right:.5rem;cursor:pointer}' +
  'button[value=continue],.main{background:#1d5fbf;border-color:#1d5fbf;color:#fff}' +
  ':focus-visible{outline:3px solid #6ea8fe;outline-offset:1px}'
const HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'content-security-policy': `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; base-uri 'none'; frame-ancestors 'none'`,
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
}
const MAX_FORM_BYTES = 8 * 1024

/** Handles `/interaction/…`: GET shows what is asked, POST takes the form. */
export function interactionPages(
  provider: Provider,
  check: PasswordCheck,
  subjectOf: (user: StsUser) => string,
) {
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const interaction = await provider.interactionDetails(request, response)
    const { prompt, params } = interaction
    const client = String(
      (await provider.Client.find(String(params['client_id'])))?.clientName ?? params['client_id'],
    )
    const needsPin = isTwoFactorAsked(params['acr_values'])
    if (request.method === 'GET' || request.method === 'HEAD') {
      const html = prompt.name === 'login' ? login(client, needsPin) : consent(client)
      return send(response, 200, html)
    }
    if (request.method !== 'POST') return send(response, 405, page('Not allowed', ''))
    const form = await readForm(request)
    if (form.get('action') === 'cancel') {
      const result = { error: 'access_denied', error_description: 'The user cancelled.' }
      return provider.interactionFinished(request, response, result)
    }
    if (prompt.name === 'login') {
      const given = (name: string) => form.get(name) ?? ''
      const pin = needsPin ? given('pin') : undefined
      const user = await check(given('username'), given('password'), pin)
      if (user === undefined) return send(response, 401, login(client, needsPin, true))
      const strength = needsPin ? TWO_FACTOR : ONE_FACTOR
      const result = { login: { accountId: subjectOf(user), ...strength, remember: false } }
      return provider.interactionFinished(request, response, result)
    }
    const grantId = await grant(provider, interaction)
    const result = { consent: { grantId } }
    await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true })
  }
}

type Interaction = Awaited<ReturnType<Provider['interactionDetails']>>

/** Records what the user agreed to. */
async function grant(provider: Provider, { grantId, session, params, prompt }: Interaction) {
  const existing = grantId === undefined ? undefined : await provider.Grant.find(grantId)
  const record =
    existing ??
    new provider.Grant({ accountId: session!.accountId, clientId: String(params['client_id']) })
  const missing = prompt.details as {
    missingOIDCScope?: string[]
    missingOIDCClaims?: string[]
    missingResourceScopes?: Record<string, string[]>
  }
  if (missing.missingOIDCScope) record.addOIDCScope(missing.missingOIDCScope.join(' '))
  if (missing.missingOIDCClaims) record.addOIDCClaims(missing.missingOIDCClaims)
  for (const [resource, scopes] of Object.entries(missing.missingResourceScopes ?? {}))
    record.addResourceScope(resource, scopes.join(' '))
  return record.save()
}

const login = (client: string, needsPin: boolean, isWrong = false) =>
  page(
    'Sign in',
    `<p>to continue to <strong>${escape(client)}</strong></p>
${isWrong ? `<p role="alert">That name and ${needsPin ? 'password and PIN' : 'password'} do not match.</p>` : ''}
<form method="post" autocomplete="on">
<label for="username">Name</label>
<input id="username" name="username" autocomplete="username" autocapitalize="none" required autofocus>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required>
${needsPin ? PIN_FIELD : ''}
<button type="submit" name="action" value="continue">Sign in</button>
</form>`,
  )

const PIN_FIELD = `<label for="pin">PIN</label>
<input id="pin" name="pin" inputmode="numeric" autocomplete="off" required>`

const consent = (client: string) =>
  page(
    'Share who you are?',
    `<p><strong>${escape(client)}</strong> will learn your name, e-mail address, groups and roles.</p>
<form method="post">
<button type="submit" name="action" value="continue">Continue</button>
<button type="submit" name="action" value="cancel">Cancel</button>
</form>`,
  )

/** Asked when an application sends its user here to sign out; `form` is the provider's. */
export function askSignOut(context: KoaContextWithOIDC, form: string): void {
  const content = `<p>You will have to sign in again, for every application.</p>
${form}
<button type="submit" form="op.logoutForm" name="logout" value="yes" class="main">Sign out</button>
<button type="submit" form="op.logoutForm">Stay signed in</button>`
  context.set(HEADERS)
  context.body = page('Sign out?', content)
}

/** Shown to whoever no application sent here. */
export function toldSignedOut(context: KoaContextWithOIDC): void {
  context.set(HEADERS)
  context.body = page('Signed out', '')
}

const page = (title: string, content: string) => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${title}</h1>
${content}
</main>
</body>
</html>
`

function send(response: ServerResponse, status: number, html: string): void {
  response.writeHead(status, HEADERS).end(html)
}

async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  const parts: Buffer[] = []
  let length = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length
    if (length > MAX_FORM_BYTES) throw new Error('the form is too large')
    parts.push(part)
  }
  return new URLSearchParams(Buffer.concat(parts).toString('utf8'))
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
const escape = (text: string) => text.replace(/[&<>"']/g, (character) => ESCAPES[character]!)
