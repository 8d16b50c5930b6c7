/** One whole sign-in at a scripted issuer, under a configuration as an operator writes it. */
import { createDirectory } from '../../../src/cloud/directory/directory.ts'
import { KeyRing } from '../../../src/cloud/session/key-ring.ts'
import { Sessions } from '../../../src/cloud/session/session.ts'
import { PreAuthentication } from '../../../src/cloud/sign-in/sign-in.ts'
import type { HostileIssuer } from '../../hostile-issuer/issuer.ts'
import { recordedAudit } from '../../recorded-audit.ts'
import { cookieOf } from '../sts-process.ts'

const HOST = 'app.localhost'

export interface Written {
  /** The tenant's `issuer`, but for its URL. */
  readonly issuer?: object
  readonly application?: object
  /** Monotonic milliseconds. Default: those that pass. */
  readonly now?: () => number
}

/** A directory, and the sign-in that works by it. */
export async function scripted(
  issuer: HostileIssuer,
  { issuer: said, application, now = () => performance.now() }: Written = {},
) {
  const directory = createDirectory({
    tenants: [
      {
        id: 'contoso',
        issuer: { ...said, url: issuer.url },
        registrars: { audience: 'registration' },
      },
    ],
    groups: [{ id: 'default', tenantId: 'contoso' }],
    applications: [
      {
        id: 'app',
        groupId: 'default',
        externalUrl: `http://${HOST}/`,
        internalUrl: 'http://127.0.0.1:1/',
        preAuthentication: 'oidc',
        client: { id: issuer.clientId, secret: issuer.clientSecret },
        ...application,
      },
    ],
  })
  const clocks = { now, wallClock: () => Date.now() }
  const audit = recordedAudit()
  const keyRing = await KeyRing.open({ wallClock: clocks.wallClock })
  const sessions = new Sessions({ keyRing })
  const options = { directory, keyRing, sessions, clocks, audit, stepMs: 10_000 }
  const preAuthentication = new PreAuthentication(options)
  const app = directory.application('app')!
  /** To the issuer and back. `authorize` is what the issuer is asked; `more` are cookies that come back with the answer. */
  const signIn = async (
    wishes: object = {},
    address = '192.0.2.7',
    more: readonly string[] = [],
  ) => {
    const begun = await preAuthentication.begin(app, HOST, '/', [], 'r1', wishes)
    if (begun.kind === 'denied') return { ...begun, authorize: undefined }
    const authorize = new URL(begun.location)
    const { headers } = await fetch(authorize, { redirect: 'manual' })
    const query = new URL(headers.get('location')!).search.slice(1)
    const cookies = [cookieOf(begun.setCookies), ...more]
    const result = await preAuthentication.callback(app, HOST, query, cookies, 'r2', address)
    return { ...result, authorize }
  }
  return { directory, app, signIn, audit: audit.events, preAuthentication, sessions }
}
