/**
 * The pages of the example issuer. Plain forms, no script, nothing from outside.
 */
import { createHash } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import type { KoaContextWithOIDC } from 'oidc-provider'
import { escape } from '../html.ts'

const STYLE =
  ':root{color-scheme:light dark;font:1rem/1.5 system-ui,sans-serif;accent-color:var(--accent);' +
  '--accent:light-dark(#1d5fbf,#8ab8ff);--on-accent:light-dark(#fff,#10203a);' +
  '--ground:light-dark(#fff,#14171c);--edge:light-dark(#767d88,#7d8795);--bad:light-dark(#c62828,#ff8a80)}' +
  'body{max-width:22rem;margin:15vh auto;padding:0 1.5rem;background:var(--ground)}' +
  'h1{font-size:1.5rem;line-height:1.25;margin:0}p{margin:.5rem 0 1.5rem}' +
  'p[role=alert]{border-left:.25rem solid var(--bad);padding-left:.75rem}' +
  'label,input{display:block;width:100%;box-sizing:border-box}input{margin:.25rem 0 1rem}' +
  'input,button{font:inherit;padding:.5rem .75rem;border:1px solid var(--edge);border-radius:.375rem}' +
  'input,button{background:var(--ground);color:inherit}' +
  'button{min-width:7rem;margin-right:.5rem;cursor:pointer}' +
  'button[value=continue],.main{background:var(--accent);border-color:var(--accent);color:var(--on-accent)}' +
  ':focus-visible{outline:3px solid var(--accent);outline-offset:2px}'
const HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'content-security-policy': `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; base-uri 'none'; frame-ancestors 'none'`,
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
}

/** Everything at once: where a PIN is needed as well, the page says who needs it. */
export function loginPage(client: string, needsPin: boolean, isWrong: boolean): string {
  const name = `<strong>${escape(client)}</strong>`
  const why = needsPin
    ? `to continue to ${name}, which needs your PIN as well`
    : `to continue to ${name}`
  return page(
    'Sign in',
    `<p>${why}</p>
${isWrong ? alert(`That name and ${needsPin ? 'password and PIN' : 'password'} do not match.`) : ''}
<form method="post" autocomplete="on">
<label for="username">Name</label>
<input id="username" name="username" autocomplete="username" autocapitalize="none" required autofocus>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required>
${needsPin ? pinField() : ''}
<button type="submit" name="action" value="continue">Sign in</button>
${CANCEL}
</form>`,
  )
}

/** The form that the provider makes for a code, in the look of the other pages. */
export function deviceCodePage(form: string, wrong?: Error): string {
  return page(
    'Enter the code',
    `<p>It is shown on the machine that asks you.</p>
${wrong === undefined ? '' : alert(DEVICE_FAULTS[wrong.name] ?? 'That code is not shown anywhere now.')}
${withButton(form, '<button type="submit" class="main">Continue</button>')}`,
  )
}

const DEVICE_FAULTS: Readonly<Record<string, string>> = {
  NoCodeError: 'Enter the code first.',
  AbortedError: 'It is cancelled.',
}

/** Whoever entered a code that somebody sent them must not confirm it. */
export function deviceConfirmPage(form: string, client: string, userCode: string): string {
  return page(
    'Is this the code?',
    `<p><strong>${escape(client)}</strong> asks, and shows <strong>${escape(userCode)}</strong>. If you did not start it yourself, do not go on.</p>
${withButton(
  form,
  `<button type="submit" class="main">Continue</button>
<button type="submit" name="abort" value="yes">Cancel</button>`,
)}`,
  )
}

export const deviceDonePage = (client: string) =>
  page(
    'Done',
    `<p><strong>${escape(client)}</strong> goes on by itself. You can close this page.</p>`,
  )

const withButton = (form: string, buttons: string) =>
  form.replace(/<\/form>/, `${buttons}\n</form>`)

/** For somebody whose password was right a moment ago, or this morning. */
export const pinPage = (client: string, name: string, isWrong: boolean) =>
  page(
    'One more step',
    `<p>You are signed in as <strong>${escape(name)}</strong>, and <strong>${escape(client)}</strong> needs your PIN as well.</p>
${isWrong ? alert('That is not your PIN.') : ''}
<form method="post">
${pinField('autofocus')}
<button type="submit" name="action" value="continue">Confirm</button>
${CANCEL}
</form>`,
  )

export const consentPage = (client: string) =>
  page(
    'Share who you are?',
    `<p><strong>${escape(client)}</strong> will learn your name, e-mail address, groups and roles. You are asked this once.</p>
<form method="post">
<button type="submit" name="action" value="continue">Continue</button>
${CANCEL}
</form>`,
  )

const pinField = (more = '') => `<label for="pin">PIN</label>
<input id="pin" name="pin" inputmode="numeric" autocomplete="off" required ${more}>`
const CANCEL = '<button type="submit" name="action" value="cancel" formnovalidate>Cancel</button>'
const alert = (text: string) => `<p role="alert">${text}</p>`

/** Asked when an application sends its user here to sign out; `form` is the provider's. */
export function askSignOut(context: KoaContextWithOIDC, form: string): void {
  const content = `<p>You will have to sign in again, for every application.</p>
${form}
<button type="submit" form="op.logoutForm" name="logout" value="yes" class="main">Sign out</button>
<button type="submit" form="op.logoutForm">Stay signed in</button>`
  show(context, page('Sign out?', content))
}

/** Shown to whoever no application sent here. */
export function toldSignedOut(context: KoaContextWithOIDC): void {
  show(context, page('Signed out', ''))
}

/** As the answer to a request that the provider handles. */
export function show(context: KoaContextWithOIDC, html: string): void {
  context.set(HEADERS)
  context.body = html
}

export const page = (title: string, content: string) => `<!doctype html>
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

export function send(response: ServerResponse, status: number, html: string): void {
  response.writeHead(status, HEADERS).end(html)
}
