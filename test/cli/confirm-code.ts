/**
 * Somebody who confirms the code of a device, in the pages of the example issuer.
 */
import { expect } from 'vitest'

export interface Person {
  readonly username: string
  readonly password: string
  /** What they press where they are asked whether it is the code. */
  readonly answer: 'continue' | 'cancel'
}

/** Goes through the pages from `verificationUri` on; gives the heading of the last. */
export async function confirmCode(
  verificationUri: string,
  userCode: string,
  { username, password, answer }: Person,
): Promise<string> {
  const jar = new Map<string, string>()
  let url = new URL(verificationUri)
  let form: URLSearchParams | undefined
  for (let hop = 0; hop < 20; hop++) {
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') },
      ...(form && { method: 'POST', body: form }),
    })
    for (const cookie of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie)!
      jar.set(name!, value!)
    }
    form = undefined
    const location = response.headers.get('location')
    if (location !== null) {
      url = new URL(location, url)
      continue
    }
    const page = await response.text()
    const heading = /<h1>([^<]*)<\/h1>/.exec(page)?.[1] ?? page
    const action = /<form[^>]* action="([^"]+)"/.exec(page)?.[1]
    const isAlerted = page.includes('role="alert"')
    if (!page.includes('<form') || isAlerted) return heading
    const hidden = [...page.matchAll(/type="hidden" name="([^"]+)" value="([^"]*)"/g)]
    form = new URLSearchParams(hidden.map(([, name, value]) => [name!, value!]))
    if (heading === 'Enter the code') form.set('user_code', userCode)
    else if (heading === 'Is this the code?') {
      expect(page).toContain(userCode)
      if (answer === 'cancel') form.set('abort', 'yes')
    } else form.set('action', 'continue')
    if (page.includes('name="password"')) {
      form.set('username', username)
      form.set('password', password)
    }
    if (action !== undefined) url = new URL(action, url)
  }
  throw new Error('round in circles')
}
