/** The issuer falls silent: who is signed in works on, who wants to sign in is told, and it goes on when the issuer does. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { signInWithForms } from '../../examples/registrar-token.ts'
import { descendantsOf, startDemo, UserAgent, type DemoProcess } from './demo-process.ts'

let demo: DemoProcess
beforeAll(async () => void (demo = await startDemo()))
afterAll(async () => void (await demo?.stop()))

/** To the issuer's process; it ends nothing. */
function signalIssuer(signal: 'SIGSTOP' | 'SIGCONT'): void {
  const issuer = descendantsOf(demo.child.pid!).find(({ command }) => command.includes('/sts.ts'))!
  process.kill(issuer.pid, signal)
}

test.skipIf(process.platform !== 'linux')(
  'an outage of the issuer stops new sign-ins, and nobody else',
  { timeout: 90_000 },
  async () => {
    const signedIn = new UserAgent()
    await signedIn.signIn(demo.url('intranet'), demo.users[0]!)
    const signingIn = new UserAgent()
    const { headers } = await signingIn.get(demo.url('intranet', '/?week=7'))
    const callback = demo.url('intranet', '/.app-proxy/sign-in/callback')
    const back = await signInWithForms(headers.location!, callback, demo.users[0]!)

    signalIssuer('SIGSTOP')
    try {
      // Its answer is here, and the code in it is worth nothing while nobody exchanges it.
      const { headers: away } = await signingIn.get(back.href)
      const told = await signingIn.get(demo.url('intranet', away.location))
      expect(told.status).toBe(504)
      expect(told.text).toContain('issuer-timeout')
      expect(told.text).toContain('Try again')
      expect(signingIn.cookieNames).toEqual([])
      for (let i = 0; i < 3; i++)
        expect((await signedIn.get(demo.url('intranet'))).status).toBe(200)
    } finally {
      signalIssuer('SIGCONT')
    }
    const again = await signingIn.signIn(demo.url('intranet', '/?week=7'), demo.users[0]!)
    expect(again.headers.location).toBe(demo.url('intranet', '/?week=7'))
    expect((await signingIn.get(demo.url('intranet'))).status).toBe(200)
  },
)
